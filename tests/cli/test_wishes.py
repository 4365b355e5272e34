"""`faultstream approve`, `cancel`, `resolve` and `recover` against respond on a real broker."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from faultstream import wire
from faultstream.core.policy import Topology
from faultstream.core.records import Control, Incident, Pattern
from faultstream.ops import clock
from faultstream.transport import topics
from faultstream.transport.identity import LOG_ID_KEY
from faultstream.transport.scan import scan
from tests.cli.conftest import Call
from tests.cli.responder import Responder


def pattern(service: str, layer: str, **more: Any) -> Pattern:
    """An open burst of a service, as detect would tell it now."""
    now = clock.now_ms()
    fields: dict[str, Any] = {
        "pattern_id": f"p-{service}", "revision": 1, "kind": "burst", "state": "open",
        "environment": "production", "service": service, "layer": layer,
        "fingerprint": f"f00d-{service}", "error_type": "psycopg.OperationalError",
        "category": "database", "severity": "high", "first_at_ms": now - 2_000,
        "last_at_ms": now, "detected_at_ms": now, "count": 40, "rate": 8.0, "confidence": 0.9,
        "reason": "40 errors in 60 s",
    }  # fmt: skip
    return Pattern(**(fields | more))


def read(broker: str, topology: Topology) -> list[Incident]:
    """Every revision of every incident on the topic."""

    async def go() -> list[Incident]:
        starts = dict.fromkeys(range(topology.topics["incidents"].partitions), 0)
        found = scan(broker, topology.topic("incidents"), starts)
        return [wire.decode(Incident, record.value) async for record in found]

    return asyncio.run(go())


def test_approve_then_cancel_then_resolve(
    call: Call, embedded_broker: str, topology: Topology
) -> None:
    """In a manual layer the first strategy waits; approved it is commanded; cancelled a person has
    it; resolved it is over, and then every wish is refused."""
    with Responder(embedded_broker, topology, [pattern("ledger", "core")]):
        (waiting, *_) = [each for each in read(embedded_broker, topology) if each.reason]
        short = waiting.incident_id[:8]
        assert "waits for approval" in read(embedded_broker, topology)[-1].reason
        other = call("approve", short, "--strategy", "retry", "--by", "kim")
        assert other.exit_code == 1
        assert "kim approved retry, but pool_increase waits for approval. Before: " in " ".join(
            other.stdout.split()
        )
        approved = call("approve", short, "--by", "kim", "--reason", "it is safe")
        assert approved.exit_code == 0, approved.output
        head, stands, *_, command = approved.stdout.splitlines()
        assert head == waiting.incident_id
        assert stands.startswith("  ledger recovering: ")
        assert max(map(len, approved.stdout.splitlines())) <= 80
        assert command.endswith(" pool_increase: pending")
        again = call("approve", short)
        assert again.exit_code == 1
        assert again.output.startswith("nothing waits for approval: ")
        command_id = command.split()[1]
        cancelled = call("cancel", command_id[:13], "--by", "kim", "--reason", "by hand")
        stands = cancelled.stdout.splitlines()[1]
        assert stands == "  ledger escalated: cancelled by kim: by hand"
        resolved = call("resolve", short, "--by", "kim")
        assert resolved.stdout.splitlines()[1] == "  ledger closed: closed by kim"
        for wish in ("approve", "cancel", "resolve"):
            over = call(wish, short)
            assert over.exit_code == 1
            told = f"it is over: {waiting.incident_id}\n  ledger closed: closed by kim\n"
            assert over.output == told


def test_unknown_and_unclear_incidents(
    call: Call, embedded_broker: str, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 and where to look; 2 and which ones are meant. Nothing is published then."""
    bursts = [pattern(f"s{number}", "core") for number in range(17)]
    with Responder(embedded_broker, topology, bursts):
        known = {each.incident_id for each in read(embedded_broker, topology)}
        assert len(known) == 17  # so two of them begin with the same digit
        first = next(x for x in "0123456789abcdef" if sum(i[0] == x for i in known) > 1)
        unclear = call("resolve", first)
        assert unclear.exit_code == 2
        assert f"incidents begin with {first!r}:\n{first}" in unclear.output
        unknown = call("cancel", "zz")
        assert unknown.exit_code == 1
        assert unknown.output == (
            "no incident 'zz' is known; `faultstream incidents --all` lists them\n"
        )
        assert call("resolve", "").exit_code == 2
        assert controls(embedded_broker, topology) == []


def controls(broker: str, topology: Topology) -> list[Control]:
    """What stands on the control topic."""

    async def go() -> list[Control]:
        found = scan(broker, topology.topic("control"), {0: 0})
        records = [record async for record in found if record.key != LOG_ID_KEY]
        return [wire.decode(Control, record.value) for record in records]

    return asyncio.run(go())


def test_nobody_answers(call: Call, embedded_broker: str, topology: Topology) -> None:
    """Without a respond worker: 1 and what may be wrong; with --no-wait 0. The wish is published
    both times."""
    with Responder(embedded_broker, topology, [pattern("ledger", "core")]):
        (one, *_) = {each.incident_id for each in read(embedded_broker, topology)}
    silent = call("resolve", one, "--wait", "1s", "--by", "kim", "--reason", "r")
    assert silent.exit_code == 1
    assert silent.output.startswith("published, but no answer within 1 s: does ")
    quick = call("cancel", one, "--no-wait", "--rollback")
    assert (quick.exit_code, quick.output) == (0, "published; not waited for\n")
    resolve, cancel = controls(embedded_broker, topology)
    assert (resolve.kind, resolve.by, resolve.reason) == ("resolve", "kim", "r")
    assert (resolve.environment, resolve.parameters) == ("production", {"incident_id": one})
    assert cancel.parameters == {"incident_id": one, "rollback": True}


def test_acknowledge_by_the_beginning_of_an_id(
    call: Call, embedded_broker: str, topology: Topology
) -> None:
    """The record names the whole id, which is what notify knows; what nobody knows is refused."""
    with Responder(embedded_broker, topology, [pattern("ledger", "core")]):
        (one, *_) = {each.incident_id for each in read(embedded_broker, topology)}
        done = call("ack", one[:8], "--by", "kim", "--reason", "on it")
        assert done.exit_code == 0, done.output
        assert done.stdout.splitlines()[0] == one
        assert "kim takes care of it: on it" in done.stdout
        assert call("ack", one[:8], "--undo").stdout == f"acknowledgement taken back for {one}\n"
        assert call("ack", "i-1").output.startswith("no incident 'i-1' is known; ")
        assert call("resolve", one[:8]).exit_code == 0
        over = call("ack", one[:8])
        assert (over.exit_code, over.output[:11]) == (1, "it is over:")
    acked, undone, _ = controls(embedded_broker, topology)
    assert acked.parameters == undone.parameters == {"incident_id": one}
    assert (acked.active, undone.active, acked.subject) == (True, False, undone.subject)


def test_recover_says_when_nothing_is_commanded(
    call: Call, embedded_broker: str, topology: Topology
) -> None:
    """Something is under way: 1, with the mend."""
    with Responder(embedded_broker, topology, [pattern("till", "service")]):
        (one, *_) = {each.incident_id for each in read(embedded_broker, topology)}
        refused = call("recover", one[:8], "--strategy", "cache_clear", "--by", "kim")
        assert refused.exit_code == 1
        assert "but pool_increase is under way: cancel it" in " ".join(refused.stdout.split())


def test_recover_by_service_says_what_the_guards_say(
    call: Call, embedded_broker: str, topology: Topology
) -> None:
    """Of an open incident while recovery is paused: 1, and that it is paused; then what is
    commanded by the route, without a strategy of one's own."""
    with Responder(embedded_broker, topology, [pattern("ledger", "core")]):
        assert call("pause", "--by", "ann", "--reason", "migration").exit_code == 0
        refused = call("recover", "--service", "ledger", "--by", "kim")
        assert refused.exit_code == 1
        said = " ".join(refused.stdout.split())
        assert "recovery asked for by kim, but recovery is paused by ann: migration" in said
        assert call("pause", "--resume", "--by", "ann").exit_code == 0
        done = call("recover", "--service", "ledger", "--by", "kim")
        assert (done.exit_code, "pool_increase" in done.stdout) == (0, True), done.output


def test_recover_an_incident_differently(
    call: Call, embedded_broker: str, topology: Topology
) -> None:
    """A strategy of one's own choice with parameters of one's own, in an incident that waits."""
    with Responder(embedded_broker, topology, [pattern("ledger", "core")]):
        (one, *_) = {each.incident_id for each in read(embedded_broker, topology)}
        done = call(
            "recover", one[:8], "--strategy", "request_throttle", "-p", "per_minute=50",
            "--by", "kim",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        head, stands, *_, command = done.stdout.splitlines()
        assert (head, stands[:21]) == (one, "  ledger recovering: ")
        assert command.endswith(" request_throttle: pending")


def test_recover_errors_of_the_past(
    call: Call, embedded_broker: str, topology: Topology, tmp_path: Path
) -> None:
    """By service or the beginning of a fingerprint; a new incident is opened for what is known of
    them, and what is unknown is said."""
    past = pattern("till", "service", state="closed", closed_at_ms=clock.now_ms(), rate=0.0)
    with Responder(embedded_broker, topology, [past]):
        assert read(embedded_broker, topology) == []
        done = call("recover", "--fingerprint", "f00d-ti", "--by", "kim", "--reason", "again")
        assert done.exit_code == 0, done.output
        assert done.stderr == "for psycopg.OperationalError in till, fingerprint f00d-til\n"
        _, stands, *_, command = done.stdout.splitlines()
        assert stands.startswith("  till recovering: ")
        assert command.endswith(" pool_increase: pending")
        none = call("recover", "--service", "nobody", "--data", str(tmp_path))
        assert none.exit_code == 3
        first, second = none.output.splitlines()
        assert first == "no pattern of service 'nobody' on the topic; ClickHouse is asked"
        assert f"nothing runs or is stored in {tmp_path}" in second
        healthy = call("recover", "--service", "nobody", "--strategy", "inject", "--by", "kim")
        assert healthy.stderr == "for errors in nobody\n"
        assert "inject asked for by kim, but " in " ".join(healthy.stdout.split())


def test_recover_an_incident_that_respond_has_forgotten(
    call: Call, embedded_broker: str, topology: Topology
) -> None:
    """What is known of its errors comes from the topic; a new one is opened and recovered."""
    with Responder(embedded_broker, topology, [pattern("ledger", "service")]):
        (one, *_) = {each.incident_id for each in read(embedded_broker, topology)}
        assert call("resolve", one, "--by", "kim").exit_code == 0
    with Responder(embedded_broker, topology, [pattern("till", "service")]):
        done = call("recover", one[:8], "--by", "kim")
        assert done.exit_code == 0, done.output
        head, stands, *_, command = done.stdout.splitlines()
        assert head != one
        assert stands.startswith("  ledger recovering: ")
        assert command.endswith(" pool_increase: pending")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name an incident, or --service or --fingerprint, and not both"),
        (("i", "--service", "s"), "name an incident, or --service or --fingerprint, and not both"),
        (("i", "--strategy", "pray"), "there is no strategy 'pray'. Known: "),
        (("i", "--strategy", "cach_clear"), "'cach_clear'. Did you mean cache_clear?"),
        (("i", "--strategy", "retry", "-p", "max_attempts"), "'max_attempts' is not NAME=VALUE"),
        (("i", "-p", "max_attempts=2"), "--parameter without --strategy"),
        (("i", "--strategy", "retry", "-p", "max_attempts=-1"), "retry: Expected `int` >= 1"),
        (("i", "--strategy", "retry", "-p", "luck=1"), "unknown field `luck`"),
    ],
)
def test_what_is_asked_wrongly_is_said_before_anything_is_read(
    call: Call, arguments: tuple[str, ...], message: str
) -> None:
    """Usage errors are 2 and name the mistake; no broker is needed for it."""
    answer = call("recover", *arguments)
    assert answer.exit_code == 2
    assert message in answer.output


def test_topics_are_needed(call: Call, embedded_broker: str, topology: Topology) -> None:
    """Where nothing happened yet no incident is known."""
    asyncio.run(topics.create(embedded_broker, topology))
    assert call("resolve", "a").exit_code == 1
