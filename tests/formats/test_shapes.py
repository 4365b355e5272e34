"""What shapes say of an event is what admit and grouping say of it."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultstream.config.topology import load
from faultstream.core import corrections
from faultstream.core import event as limits
from faultstream.core.errors import DataError
from faultstream.core.grouping import Grouper
from faultstream.core.tally import DEPENDENCY_TAG, Sighting
from faultstream.formats import shapes
from faultstream.formats.native import admit
from faultstream.formats.shapes import Shapes

TOPOLOGY = load(None)
NOW_MS = 1_795_312_900_000
COUNTED = (
    "service", "environment", "time", "count", "layer", "release", "operation", "event_id",
    "trace_id", "parent_event_id", "experiment_id",
)  # fmt: skip

LONG = "n" * (limits.MAX_NAME_CHARS + 1)
FRAMES = [{"module": "shop.cart", "function": "add", "line": 7, "in_app": True}]
fields: dict[str, list[Any]] = {
    "service": ["payments", "cart", "", " ", "a\tb", 5, LONG],
    "error_type": ["ValueError", "redis.exceptions.ConnectionError", "", None, LONG],
    "environment": ["production", "staging", "", None],
    "time": [NOW_MS, NOW_MS + 7, "2026-11-22T02:01:40.123Z", "2026-11-22T02:01:40.125Z", "soon",
             -1, 1e12, None, True],
    "message": ["order 17 not found", "order 18 not found", "HTTP 503 from 10.0.0.1",
                "HTTP 404 from 10.0.0.1", "", " ", "one\ntwo\nthree", "password=hunter2hunter2",
                "0", "7", "é 5", "x" * 900, 'said "no"', "pay 4111 1111 1111 1111"],
    "severity": ["", "critical", "FATAL", "warn", "dreadful"],
    "category": ["", "database", "db", "nonsense"],
    "http_status": [None, 503, 404, "503"],
    "handled": [None, True, False],
    "layer": ["", "service", "core"],
    "release": ["", "1.2.3", "1.2.4"],
    "operation": ["", "charge", LONG],
    "function": ["", "f", 3],
    "count": [1, 7, 0, -1, limits.MAX_COUNT + 1, 2.0],
    "frames": [[], FRAMES, FRAMES * 2, [{"line": "x"}], None, [None], FRAMES * 201],
    "causes": [[], [{"error_type": "OSError", "message": "no space"}],
               [{"error_type": "OSError", "message": "token=abcdefgh1"}], [{}], None],
    "bases": [[], ["OSError"], ["a"] * 17, "OSError"],
    "fingerprint": [[], ["mine", "{{ default }}"], ["x"] * 20, [LONG]],
    "cut": [[], ["message"]],
    "tags": [{}, {"region": "north"}, {DEPENDENCY_TAG: "redis"}, {"region": 5}, None,
             {DEPENDENCY_TAG: "https://me:secret99@host"}, {"k": "v" * 5_000}, {LONG: "v"}],
    "trace_id": ["", "a" * 32],
    "experiment_id": ["", "exp-1"],
    "host": ["", "h1", 4, LONG],
}  # fmt: skip

usual = st.fixed_dictionaries(
    {"service": st.just("payments"), "error_type": st.just("ValueError")},
    optional={n: st.sampled_from(v[:2]) for n, v in list(fields.items())[2:]},
)
odd = st.fixed_dictionaries(
    {name: st.sampled_from(fields[name]) for name in ("service", "error_type", "message")},
    optional={
        name: st.sampled_from(values)
        for name, values in fields.items()
        if name not in {"service", "error_type", "message"}
    },
)
one_odd = st.tuples(
    usual, st.sampled_from(sorted(fields)).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from(fields[name]))
    ),
).map(lambda pair: {**pair[0], pair[1][0]: pair[1][1]})  # fmt: skip
values = st.one_of(usual, one_odd, odd).map(orjson.dumps)
raw = st.sampled_from(
    [None, b"", b"{", b"[]", b"5", b'{"service":"s","error_type":"E"} ', b"\xff", b"[" * 5_000]
)


def outcome(step: Any, value: bytes | None) -> object:
    """All that counts of what came of it."""
    try:
        event, group = step(value)
    except DataError as exc:
        return exc.stage, exc.reason
    assert event.time.__class__ is int
    tags = event.tags or {}
    return [getattr(event, name) for name in COUNTED], tags.get(DEPENDENCY_TAG), group


def long_way(grouper: Grouper) -> Any:
    def step(value: bytes | None) -> tuple[Sighting, object]:
        event = admit(value, timestamp_ms=NOW_MS)
        return event, grouper.group(event)

    return step


def short_way(known: Shapes) -> Any:
    return lambda value: known.look(value, NOW_MS)


GROUPER, KNOWN = Grouper(TOPOLOGY), Shapes(Grouper(TOPOLOGY))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(values, values, values, raw), max_size=8))
def test_both_ways_say_the_same(stream: list[bytes | None]) -> None:
    """Whatever was seen before: the same event and group, or the same refusal."""
    for value in (*stream, *stream):
        assert outcome(short_way(KNOWN), value) == outcome(long_way(GROUPER), value)


def plain(**given: object) -> bytes:
    return orjson.dumps({"service": "payments", "error_type": "ValueError", **given})


def test_what_was_seen_is_not_admitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that differ in ids, times and numbers only go the short way, from the third on."""
    known = Shapes(Grouper(TOPOLOGY))
    known.look(plain(message="order 11", frames=FRAMES), NOW_MS)
    first, _ = known.look(plain(message="order 17", event_id="a", frames=FRAMES), NOW_MS)
    monkeypatch.setattr(shapes, "admit", None)
    again, _ = known.look(plain(message="order 99", event_id="b", frames=FRAMES, time=5), NOW_MS)
    assert (first.event_id, again.event_id, again.time) == ("a", "b", 5)
    with pytest.raises(TypeError):
        known.look(plain(message="order 99", frames=FRAMES * 2), NOW_MS)


@pytest.mark.parametrize(("most", "size"), [(3, 1 << 30), (1_000, 2_000)])
def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch, most: int, size: int) -> None:
    """In shapes, codes of shapes and bytes; what is forgotten is found anew."""
    monkeypatch.setattr(shapes, "MAX_SHAPES", most)
    monkeypatch.setattr(shapes, "MAX_BYTES", size)
    known, grouper = Shapes(Grouper(TOPOLOGY)), Grouper(TOPOLOGY)
    for number in range(150):
        for message in (f"HTTP {400 + number % 99} from here", "word " + "ab"[number % 2] * number):
            value = plain(message=message)
            known.look(value, NOW_MS)
            assert outcome(short_way(known), value) == outcome(long_way(grouper), value)
            kept = known._known
            assert sum(max(1, len(shape.by_codes)) for shape in kept.values()) <= most
            assert sum(shape.weight for shape in kept.values()) <= size + 400


def test_corrections_hold_on_the_short_way() -> None:
    """A correction changes the group of events of its time, also of a shape that was known."""
    grouper = Grouper(TOPOLOGY)
    known = Shapes(grouper)
    _, before = known.look(plain(time=NOW_MS), NOW_MS)
    right = corrections.Correct(error_type="ValueError", severity="fatal")
    grouper.control(
        corrections.correction(
            right, environment="", by="me", reason="", now_ms=NOW_MS, until_ms=NOW_MS + 10
        )
    )
    found = [known.look(plain(time=NOW_MS + n), NOW_MS)[1] for n in (-1, 0, 9, 10)]
    assert [group.verdict.severity == "fatal" for group in found] == [False, True, True, False]
    assert before.verdict.severity != "fatal"
