"""detect and respond without a broker: every record has one outcome, replays none."""

import msgspec
import pytest

from faultstream import wire
from faultstream.config.topology import load
from faultstream.core import signing
from faultstream.core.corrections import Correct, correction
from faultstream.core.records import Control, Pattern, RecoveryCommand, RecoveryResult
from faultstream.stream.detect import DetectStage
from faultstream.stream.respond import RespondStage
from faultstream.stream.stage import Effects, Output, Source
from tests.stream.records import Raw, errors

NOW = 1_800_000_000_000
ERRORS = Source("errors", "faultstream.errors.v1", 0)
PATTERNS = Source("patterns", "faultstream.patterns.v1", 0)
RESULTS = Source("results", "faultstream.recovery.results.v1", 0)
KEY = b"0123456789abcdef"
RESULT = RecoveryResult(
    result_id="r", command_id="c", incident_id="i", environment="production", executor="test",
    status="success", started_at_ms=NOW, finished_at_ms=NOW,
)  # fmt: skip


def _detect() -> DetectStage:
    stage = DetectStage(load(None))
    stage.restore(0, {}, {})
    return stage


def _rows(stage: DetectStage | RespondStage) -> dict[bytes, bytes]:
    rows = stage.snapshot()[0]
    stage.saved()
    return {key: value for key, value in rows if value is not None}


def test_detect_counts_every_record_once() -> None:
    """Tallied, duplicate and refused add up to what was handed over; a replay is all duplicate."""
    stage = _detect()
    records = [*errors(5), Raw(5, b"\xff"), Raw(6, None), *errors(2, first=7)]
    effects = stage.take(ERRORS, records, NOW)
    assert effects.outcomes["tallied"] == 7
    assert [(refusal.record.offset, refusal.stage) for refusal in effects.refusals] == [
        (5, "decode"),
        (6, "decode"),
    ]
    again = stage.take(ERRORS, records, NOW)
    assert +again.outcomes == {"duplicate": 9}
    assert not again.refusals
    assert not again.outputs


def test_detect_by_corrections() -> None:
    """What an operator says that a type is stands in its patterns."""
    seen = {}
    for corrected in (False, True):
        stage = _detect()
        if corrected:
            right = Correct(error_type="TimeoutError", category="business")
            about = {"environment": "", "by": "ann", "reason": "", "until_ms": None}
            stage.control(correction(right, now_ms=0, **about))  # type: ignore[arg-type]
        outputs = stage.take(ERRORS, errors(5), NOW).outputs
        patterns = [wire.decode(Pattern, output.value) for output in outputs]
        seen[corrected] = {pattern.category for pattern in patterns if pattern.category}
    assert "business" not in seen[False]
    assert seen[True] == {"business"}


def test_detect_after_a_crash() -> None:
    """From the saved rows a new worker skips what they cover, refused records too, and counts
    the rest."""
    stage = _detect()
    stage.take(ERRORS, [*errors(3), Raw(3, b"\xff")], NOW)
    rows = _rows(stage)
    fresh = DetectStage(load(None))
    fresh.restore(0, rows, {ERRORS.topic: 9})
    effects = fresh.take(ERRORS, [*errors(3), Raw(3, b"\xff"), *errors(1, first=4)], NOW)
    assert +effects.outcomes == {"duplicate": 4, "tallied": 1}
    assert not effects.refusals


def test_detect_with_half_a_checkpoint() -> None:
    """Keys that were written without the mark skip their own records; the others count theirs."""
    stage = _detect()
    records = [*errors(2, service="a"), *errors(2, first=2, service="b")]
    stage.take(ERRORS, records, NOW)
    rows = _rows(stage)
    half = {key: value for key, value in rows.items() if key == b"production\na"}
    assert len(half) == 1
    fresh = DetectStage(load(None))
    fresh.restore(0, half, {ERRORS.topic: 9})
    assert +fresh.take(ERRORS, records, NOW).outcomes == {"duplicate": 2, "tallied": 2}


def test_a_bug_is_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    """What our own code raises for a record does not stop the others, and is marked as a bug."""
    stage = _detect()
    observe = stage._detect.observe

    def fragile(*args: object) -> bool:
        if args[3] == "boom":
            raise KeyError("boom")
        return observe(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(stage._detect, "observe", fragile)
    bad = Raw(1, wire.dumps({"service": "s", "error_type": "E", "event_id": "boom"}))
    effects = stage.take(ERRORS, [*errors(1), bad, *errors(1, first=2)], NOW)
    assert effects.outcomes["tallied"] == 2
    assert [(refusal.error_type, refusal.bug) for refusal in effects.refusals] == [
        ("KeyError", True)
    ]


def _patterns() -> list[Raw]:
    effects = _detect().take(ERRORS, errors(8), NOW)
    assert effects.outputs
    return [Raw(offset, output.value) for offset, output in enumerate(effects.outputs)]


def _respond() -> RespondStage:
    stage = RespondStage(load(None), key=KEY, key_id="k1")
    stage.restore(0, {}, {})
    return stage


def _commands(effects: Effects) -> list[Output]:
    return [output for output in effects.outputs if output.role == "commands"]


def test_respond_signs_commands() -> None:
    """A pattern leads to a command for the service, with a signature over its bytes."""
    stage = _respond()
    effects = stage.take(PATTERNS, _patterns(), NOW)
    found = _commands(effects) or _commands(stage.tick(NOW + 1_000))
    assert found
    command = wire.decode(RecoveryCommand, found[0].value)
    headers = dict(found[0].headers)
    assert found[0].key == b"orders"
    assert command.target.service == "orders"
    assert headers["ce_id"] == command.command_id.encode()
    assert headers["faultstream-key-id"] == b"k1"
    signature = headers["faultstream-signature"].decode()
    assert signing.verify(found[0].value, signature, KEY)


def test_respond_replay_changes_nothing() -> None:
    """After a crash a replay gives duplicates and no second command."""
    stage = _respond()
    patterns = _patterns()
    stage.take(PATTERNS, patterns, NOW)
    fresh = RespondStage(load(None), key=KEY, key_id="k1")
    fresh.restore(0, _rows(stage), {PATTERNS.topic: 99})
    effects = fresh.take(PATTERNS, patterns, NOW)
    assert +effects.outcomes == {"duplicate": len(patterns)}
    assert not effects.outputs


def test_respond_is_paused_by_control() -> None:
    """A pause that stood on the control topic holds for environments seen for the first time
    after it."""
    stage = _respond()
    stage.control(Control(control_id="c", kind="pause", subject="production", set_at_ms=NOW - 1))
    assert not _commands(stage.take(PATTERNS, _patterns(), NOW))
    assert not _commands(stage.tick(NOW + 1_000))


def test_respond_refuses_what_is_no_pattern() -> None:
    """Bytes that are no pattern are refused; the others go on."""
    effects = _respond().take(PATTERNS, [Raw(0, b"[]"), Raw(1, b'{"kind": 3}')], NOW)
    assert [refusal.stage for refusal in effects.refusals] == ["decode", "validate"]


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("key", [None, b"another key of 16 bytes", KEY])
def test_respond_may_want_signed_results(key: bytes | None, required: bool) -> None:
    """Where the topology says so, only what is signed with respond's key is an answer."""
    topology = load(None)
    guards = msgspec.structs.replace(topology.guards, signed_results=required)
    stage = RespondStage(msgspec.structs.replace(topology, guards=guards), key=KEY, key_id="k1")
    stage.restore(0, {}, {})
    value = wire.encode(RESULT)
    headers = tuple(signing.headers(value, key, "k1")) if key else ()
    effects = stage.take(RESULTS, [Raw(0, value, headers=headers)], NOW)
    refused = required and key != KEY
    assert [one.stage for one in effects.refusals] == (["verify"] if refused else [])
    assert effects.outcomes["tallied"] == (0 if refused else 1)


def test_results_signed_with_a_key_of_before_count_while_keys_change() -> None:
    """As long as the key is among those that are accepted; commands bear the new one."""
    topology = load(None)
    guards = msgspec.structs.replace(topology.guards, signed_results=True)
    topology = msgspec.structs.replace(topology, guards=guards)
    value = wire.encode(RESULT)
    old = Raw(0, value, headers=tuple(signing.headers(value, KEY, "k1")))
    new_key = b"another key of 16 bytes"
    for accepted, counted in (({"k1": KEY}, 1), ({}, 0), ({"k1": new_key}, 0)):
        stage = RespondStage(topology, key=new_key, key_id="k2", accepted=accepted)
        stage.restore(0, {}, {})
        effects = stage.take(RESULTS, [old], NOW)
        assert effects.outcomes["tallied"] == counted
        assert len(effects.refusals) == 1 - counted
        (command, *_) = _commands(stage.take(PATTERNS, _patterns(), NOW))
        assert signing.signed(command.value, command.headers, {"k2": new_key})


def test_patterns_read_back() -> None:
    """What detect publishes is what respond reads."""
    assert all(wire.decode(Pattern, record.value).service == "orders" for record in _patterns())


def test_a_record_from_the_future_ends_its_episode() -> None:
    """A record whose own timestamp is decades ahead counts as of now: its pattern closes."""
    stage = _detect()
    ahead = NOW + 50 * 365 * 86_400_000
    value = b'{"service": "s", "error_type": "MemoryError", "severity": "fatal", "time": %d}'
    outputs = stage.take(ERRORS, [Raw(0, value % ahead, timestamp=ahead)], NOW).outputs
    for second in range(60):
        outputs += stage.tick(NOW + 1_000 * second).outputs
    states = [wire.decode(Pattern, out.value).state for out in outputs]
    assert (states[0], states[-1]) == ("open", "closed")


def _trigger(**parameters: object) -> Control:
    return Control(
        control_id="t",
        kind="trigger",
        subject="trigger/orders",
        environment="staging",
        set_at_ms=NOW,
        parameters=parameters,
    )


def test_respond_recovers_errors_of_an_environment_that_it_never_heard_of() -> None:
    """A trigger makes the state of its environment, in the partition of its patterns only."""
    made = []
    for number in range(4):
        stage = RespondStage(load(None), key=KEY, key_id="k1")
        stage.restore(number, {}, {})
        stage.control(_trigger(service="orders", strategy="cache_clear"))
        made += _commands(stage.tick(NOW))
        assert not _commands(stage.tick(NOW + 1))
    (found,) = made
    command = wire.decode(RecoveryCommand, found.value)
    assert (command.strategy, command.target.environment) == ("cache_clear", "staging")


def test_respond_skips_wishes_that_it_does_not_understand() -> None:
    """Wrong arguments are told in the log, and nothing is done."""
    stage = _respond()
    stage.control(_trigger(service=7))
    assert not stage.tick(NOW).outputs
    assert len(stage) == 0
