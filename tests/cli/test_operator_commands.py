"""`faultstream dead-letters`, `pause` and `topology`, as an operator calls them."""

import asyncio
import json

import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner

from faultstream import wire
from faultstream.cli import main
from faultstream.core.policy import Topology
from faultstream.core.records import Control
from faultstream.ops import child
from faultstream.transport import topics
from faultstream.transport.identity import LOG_ID_KEY
from faultstream.transport.scan import scan
from tests.cli.conftest import Call
from tests.transport.test_dead_letters import write


def letters(broker: str, topology: Topology, *stages: str) -> list[str]:
    async def go() -> list[str]:
        await topics.create(broker, topology)
        async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
            return [await write(producer, topology, stage=stage) for stage in stages]

    return asyncio.run(go())


def test_list_filters_and_goes_newest_first(
    call: Call, embedded_broker: str, topology: Topology
) -> None:
    """Without a terminal each letter is one JSON object; filters and the number hold."""
    first, second, third = letters(embedded_broker, topology, "decode", "validate", "decode")
    lines = call("dead-letters", "list").stdout.splitlines()
    assert [json.loads(line)["letter"] for line in lines] == [third, second, first]
    lines = call("dead-letters", "list", "--stage", "decode", "-n", "1").stdout.splitlines()
    assert [json.loads(line)["letter"] for line in lines] == [third]
    lines = call("dead-letters", "list", "--contains", "in validate").stdout.splitlines()
    assert [json.loads(line)["letter"] for line in lines] == [second]
    none = call("dead-letters", "list", "--topic", "other")
    assert (none.stdout, none.stderr) == ("", "no such letter\n")


def test_show_has_headers_and_any_bytes(
    call: Call, embedded_broker: str, topology: Topology
) -> None:
    """The value is shown also when it is no text, and the headers in their order."""
    (place,) = letters(embedded_broker, topology, "decode")
    shown = json.loads(call("dead-letters", "show", place).stdout)
    assert shown["value"] == "\\xff{"
    assert shown["headers"][0] == ["traceparent", "00-aa"]
    assert shown["reason"] == "not JSON in decode"
    absent = call("dead-letters", "show", "1:99")
    assert absent.exit_code == 1
    assert "there is no letter at 1:99 (partition:offset)" in absent.output


def test_replay_sends_each_letter_once(
    call: Call, embedded_broker: str, topology: Topology
) -> None:
    """A dry run sends nothing, a run sends what matches, and a second run finds nothing."""
    first, second = letters(embedded_broker, topology, "decode", "validate")
    errors = topology.topic("errors")
    dry = call("dead-letters", "replay", "--stage", "decode", "--dry-run")
    assert dry.stdout == f"{first} would go to {errors}\n"
    done = call("dead-letters", "replay", "--stage", "decode")
    assert done.stdout.startswith(f"{first} sent to {errors}[")
    assert done.exit_code == 0
    again = call("dead-letters", "replay", "--stage", "decode")
    assert (again.stdout, again.stderr) == ("", "0 sent, 0 held back\n")
    (line,) = call("dead-letters", "list").stdout.splitlines()
    assert json.loads(line)["letter"] == second


def test_replay_wants_a_filter(call: Call) -> None:
    """Sending everything must be said."""
    refused = call("dead-letters", "replay")
    assert refused.exit_code == 2
    assert "name a filter or --letter, or say --all" in refused.output


def test_held_back_is_no(call: Call, embedded_broker: str, topology: Topology) -> None:
    """A letter past its attempts is held back with the reason, and the exit code is 1."""
    (place,) = letters(embedded_broker, topology, "decode")
    held = call("dead-letters", "replay", "--all", "--max-attempts", "1")
    assert held.exit_code == 1
    assert held.stdout == f"{place} held back: refused 1 times already (at most 1)\n"


def test_pause_and_resume_are_one_subject(
    call: Call, embedded_broker: str, topology: Topology
) -> None:
    """Pause and resume write the same subject, so that the last one is in force."""
    asyncio.run(topics.create(embedded_broker, topology))
    place = ("--environment", "staging")
    assert call("pause", *place, "--until", "10m", "--reason", "migration").exit_code == 0
    assert call("pause", *place, "--resume").stdout == "recovery resumed in staging\n"

    async def controls() -> list[Control]:
        found = scan(embedded_broker, topology.topic("control"), {0: 0})
        records = [record async for record in found if record.key != LOG_ID_KEY]
        assert {record.key for record in records} == {b"pause/staging"}
        return [wire.decode(Control, record.value) for record in records]

    paused, resumed = asyncio.run(controls())
    assert (paused.kind, paused.environment, paused.active) == ("pause", "staging", True)
    assert paused.until_at_ms == paused.set_at_ms + 600_000
    assert paused.reason == "migration"
    assert (resumed.active, resumed.until_at_ms) == (False, None)


def test_a_pause_may_be_of_one_service(
    call: Call, embedded_broker: str, topology: Topology
) -> None:
    """With a subject of its own, so that resuming it leaves the others; what is in force is
    listed."""
    asyncio.run(topics.create(embedded_broker, topology))
    assert call("pause", "--list").output == "nothing is paused\n"
    asked = ("--for", "10m", "--service", "orders", "--by", "kim", "--reason", "new disk")
    assert call("pause", *asked).stdout.startswith("recovery of orders paused in every env")
    assert call("pause", "--environment", "staging").exit_code == 0
    first, second = call("pause", "--list").stdout.splitlines()
    assert first.startswith("orders in every environment until 2")
    assert first.endswith("Z, by kim: new disk")
    assert second.startswith("every service in staging until taken back, by ")
    resumed = call("pause", "--service", "orders", "--resume")
    assert resumed.stdout == "recovery of orders resumed in every environment\n"
    assert call("pause", "--list").stdout == second + "\n"


def test_silences_are_listed(call: Call, embedded_broker: str, topology: Topology) -> None:
    """Those in force, with what they match, until when, and whose they are."""
    asyncio.run(topics.create(embedded_broker, topology))
    assert call("silence", "--list").output == "nothing is silenced\n"
    assert call("silence", "service=orders", "level!=critical", "--by", "kim").exit_code == 0
    assert call("silence", "service=till").stderr == ""
    assert call("silence", "service=till", "--expire").exit_code == 0
    (only,) = call("silence", "--list").stdout.splitlines()
    assert only.startswith("level!=critical, service=orders in every environment until 2")
    assert only.endswith(", by kim")
    said = call("silence", "servic=till").stderr
    assert "warning: alerts of respond have no label 'servic'. Did you mean service?" in said


@pytest.mark.parametrize("length", ["10", "0m", "m", "-5m", "367d", "1.5h"])
def test_lengths_are_checked(call: Call, length: str) -> None:
    """A length of time has a unit and is above 0 and within 366 days."""
    refused = call("pause", "--until", length)
    assert refused.exit_code == 2
    assert f"{length!r} is no length of time such as 30s, 10m, 2h or 7d" in refused.output


def test_topology_commands(call: Call, topology: Topology) -> None:
    """diff says 1 before and 0 after create; a dry run creates nothing. Changelogs are in it."""
    group = topology.topic("errors").removesuffix(".errors.v1")
    workers = [f"{group}.{name}-state-changelog" for name in ("detect", "respond", "notify")]
    names = sorted([policy.name for policy in topology.topics.values()] + workers)
    assert call("topology", "diff").exit_code == 1
    dry = call("topology", "create", "--dry-run").stdout.splitlines()
    assert dry == [f"would create {name}" for name in names]
    made = call("topology", "create").stdout.splitlines()
    assert made == [f"created {name}" for name in names]
    there = f"all {len(names)} topics are there, as wanted\n"
    assert call("topology", "create").stdout == there
    assert call("topology", "create", "--dry-run").stdout == there
    same = call("topology", "diff")
    assert (same.exit_code, same.stdout) == (0, there)
    shown = [json.loads(line)["name"] for line in call("topology", "show").stdout.splitlines()]
    assert shown == names


def test_nobody_there_is_3(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unreachable Kafka is exit code 3 with its address."""
    monkeypatch.setattr("faultstream.cli.topology.CONNECT_TIMEOUT_S", 0.1)
    address = f"127.0.0.1:{child.free_port()}"
    away = CliRunner().invoke(main, ["topology", "diff", "--brokers", address])
    assert away.exit_code == 3
    assert address in away.output
