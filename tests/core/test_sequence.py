"""Sequences: what is followed by what, learned and declared."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultstream import wire
from faultstream.core.detect.followers import MAX_LATEST, MAX_PAIRS, Followers, Occurrence
from faultstream.core.policy import Topology
from faultstream.core.records import Pattern
from tests.core import making
from tests.core.making import Line, Seen, event, final, group, run

MINUTE = 60_000
MADE = making.topology()
DECLARED = making.topology(
    detectors={
        "sequence": {
            "declared": [
                {"name": "lost", "error_types": ["A", "B", "C"], "within_ms": 30_000},
                {"name": "elsewhere", "error_types": ["A", "B"], "services": ["billing"]},
            ]
        }
    }
)


def at(name: str, time_ms: int) -> Seen:
    """One error of type `name`."""
    return event(time_ms, f"{name}{time_ms}"), group(name, error_type=name)


def sequences(made: Topology, seen: Sequence[Seen], size: int = 1) -> list[Pattern]:
    """The sequences that are found in the end."""
    ordered = sorted(seen, key=lambda one: one[0].time or 0)
    return [one for one in final(run(made, ordered, size)) if one.kind == "sequence"]


def pairs(times: int, *, lag_ms: int = 8_000, gap_ms: int = 7 * MINUTE) -> list[Seen]:
    """A then B, so often, in a service that was known for two hours before."""
    known = [at("noise", n * 5 * MINUTE) for n in range(24)]
    starts = [120 * MINUTE + n * gap_ms for n in range(times)]
    return [*known, *(at("A", t) for t in starts), *(at("B", t + lag_ms) for t in starts)]


@pytest.mark.parametrize(("times", "found"), [(3, 0), (4, 1)])
def test_learned_bound(times: int, found: int) -> None:
    """Three times are not enough, four are; the pattern names both types, the lag and events."""
    told = sequences(MADE, pairs(times))
    assert len(told) == found
    for one in told:
        assert one.reason == "A > B: 4 of 4 times, 8.0 s later on average"
        assert one.fingerprint == "B"
        assert [(e.source, e.target, e.lag_ms, e.count) for e in one.edges] == [
            ("A", "B", 8_000, 4)
        ]
        last = 120 * MINUTE + 3 * 7 * MINUTE
        assert one.evidence == [f"A{last}", f"B{last + 8_000}"]


def test_one_episode_while_it_goes_on() -> None:
    """Ten times are one sequence, not one each time."""
    (told,) = sequences(MADE, pairs(10))
    assert told.count == 1 + 7


def test_frequent_errors_are_no_sequence() -> None:
    """What comes every minute anyway also comes after A, and that says nothing."""
    seen = [*pairs(10), *(at("B", n * 50_000 + 11_000) for n in range(240))]
    assert sequences(MADE, seen) == []


def test_often_without_is_no_sequence() -> None:
    """A that is mostly not followed by B does not announce it."""
    seen = [*pairs(6), *(at("A", n * 4 * MINUTE + 3_000) for n in range(25))]
    assert sequences(MADE, seen) == []


def test_chain_of_three() -> None:
    """Where A is followed by B and B by C, the sequence at C names all three."""
    seen = pairs(8)
    seen += [at("C", 120 * MINUTE + n * 7 * MINUTE + 20_000) for n in range(8)]
    chains = [one for one in sequences(MADE, seen) if one.fingerprint == "C"]
    assert [[e.source for e in one.edges] for one in chains] == [["A", "B"]]
    assert chains[0].reason.startswith("A > B > C: 4 of 4 times")


@pytest.mark.parametrize(
    ("order", "gap_ms", "found"),
    [("ABC", 14_000, 1), ("ABC", 16_000, 0), ("ACB", 5_000, 0), ("ABAC", 5_000, 1), ("BC", 1, 0)],
)
def test_declared(order: str, gap_ms: int, found: int) -> None:
    """Declared types count in their order and within their time, from the first occasion on."""
    told = sequences(DECLARED, [at(name, n * gap_ms) for n, name in enumerate(order)])
    assert len(told) == found
    for one in told:
        assert one.reason.startswith("lost: A > B > C in ")
        assert one.confidence == 0.95


def test_declared_for_other_services() -> None:
    """What is declared for one service is not looked for in another."""
    assert sequences(DECLARED, [at("A", 0), at("B", 1_000)]) == []


def test_bounded() -> None:
    """A thousand fingerprints in turn leave so many pairs and occurrences, no more."""
    followers = Followers()
    for n in range(1_000):
        followers.learn(Occurrence(n * 1_000, f"f{n}", "T", f"e{n}"), MINUTE)
    assert len(followers.latest) == MAX_LATEST
    assert sum(len(one) for one in followers.pairs.values()) == followers.size == MAX_PAIRS


@settings(max_examples=25, deadline=None)
@given(data=st.data(), times=st.integers(4, 7), declared=st.booleans())
def test_order_of_arrival(data: st.DataObject, times: int, declared: bool) -> None:
    """Any order of arrival within the allowed lateness, saved and loaded anywhere, finds the same
    sequences, byte for byte."""
    made = DECLARED if declared else MADE
    lag_ms = data.draw(st.integers(0, 40_000))
    seen = pairs(times, lag_ms=lag_ms)
    seen += [at("C", data.draw(st.integers(0, 170)) * MINUTE) for _ in range(4)]
    seen.sort(key=lambda one: (one[0].time, one[0].event_id))
    expected = [wire.encode(one) for one in final(run(made, seen))]
    delays = [data.draw(st.integers(0, 8_999)) for _ in seen]
    order = sorted(range(len(seen)), key=lambda n: (int(seen[n][0].time or 0) + delays[n], n))
    line = Line(made)
    told: list[Pattern] = []
    for n in order:
        told += line.take([seen[n]])
        if data.draw(st.integers(0, 9)) == 0:
            line.reload()
    assert [wire.encode(one) for one in final(told + line.end())] == expected
