"""Laws of detection that hold for every detector of the list."""

import itertools
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from faultstream import wire
from faultstream.core.detect import DETECTORS, is_withdrawn
from faultstream.core.event import ErrorEvent
from faultstream.core.records import Pattern
from tests.core import making
from tests.core.making import END, T0, Line, Seen, event, final, group, run

LATENESS = 4_000
TOPOLOGY = making.topology(
    detectors={
        "allowed_lateness_ms": LATENESS,
        "quiet_ms": 6_000,
        "update_ms": 1_000,
        "burst": {"count": 5, "window_ms": 10_000, "history": 3},
    }
)
EAGER = making.topology(
    detectors={
        "allowed_lateness_ms": LATENESS,
        "quiet_ms": 1_500,
        "update_ms": 100,
        "burst": {"count": 3, "window_ms": 3_000, "history": 2, "significance": 1e-4},
        "restart_ms": 3_000,
        "recurring": {"history": 4, "significance": 0.9, "learn_ms": 5_000},
        "high_rate": {"per_second": 1.5, "window_ms": 3_000, "factor": 1.1},
        "degradation": {"window_ms": 5_000, "count": 2, "significance": 0.4},
        "dominant": {"count": 3, "window_ms": 6_000, "significance": 0.4},
        "novel": {
            "learn_ms": 1_000,
            "fresh_ms": 9_000,
            "count": 2,
            "usual": 2,
            "significance": 1.0,
        },
        "regression": {"absent_ms": 4_000, "count": 2, "significance": 0.5},
        "periodic": {"gaps": 3, "tolerance_ratio": 0.5, "min_period_ms": 1_000},
        "predicted": {"step_ms": 1_000, "horizon_ms": 9_000, "probability": 0.02},
        "sequence": {
            "window_ms": 3_000,
            "count": 2,
            "share_ratio": 0.2,
            "significance": 0.99,
            "declared": [
                {"name": "ab", "error_types": ["ConnectionError", "OperationalError"]},
                {
                    "name": "aba",
                    "error_types": ["ConnectionError", "OperationalError", "ConnectionError"],
                    "within_ms": 20_000,
                },
            ],
        },
    }
)
GROUPS = [
    group("a"),
    group("b", category="database", error_type="OperationalError", severity="medium"),
    group("c", severity="critical"),
    group("d", severity="low"),
]

gaps = st.one_of(st.integers(0, 400), st.integers(0, 3_000), st.integers(5_000, 30_000))


class Fact(NamedTuple):
    """An event, short enough to be read when a test fails."""

    time_ms: int
    event_id: str
    group: int
    weight: int
    experiment_id: str
    layer: str
    release: str


def made_of(facts: Sequence[Fact]) -> list[Seen]:
    """The events and groups that `facts` tell."""
    return [
        (
            event(
                one.time_ms,
                one.event_id,
                count=one.weight,
                experiment_id=one.experiment_id,
                layer=one.layer,
                release=one.release,
            ),
            GROUPS[one.group],
        )
        for one in facts
    ]


@st.composite
def histories(draw: st.DrawFn) -> list[Fact]:
    """Events in order of time, with pauses and floods."""
    time_ms = 0
    facts: list[Fact] = []
    for n in range(draw(st.integers(1, 25))):
        time_ms += draw(gaps)
        facts.append(
            Fact(
                time_ms,
                f"id{n}",
                draw(st.integers(0, len(GROUPS) - 1)),
                draw(st.sampled_from([1, 1, 1, 1, 7])),
                draw(st.sampled_from(["", "", "", "", "x1"])),
                draw(st.sampled_from(["", "api", "service"])),
                draw(st.sampled_from(["", "", "1.9", "1.10"])),
            )
        )
    return facts


@st.composite
def arrivals(draw: st.DrawFn, facts: list[Fact]) -> list[Fact]:
    """The same events, each delayed by less than the allowed lateness."""
    delays = [draw(st.integers(0, LATENESS - 1_001)) for _ in facts]
    order = sorted(range(len(facts)), key=lambda i: (facts[i].time_ms + delays[i], i))
    return [facts[i] for i in order]


def short(patterns: Sequence[Pattern]) -> list[str]:
    """Patterns as JSON, one a line."""
    return [wire.encode(one).decode() for one in patterns]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seen=histories(), eager=st.booleans())
def test_order_of_arrival(data: st.DataObject, seen: list[Fact], eager: bool) -> None:
    """Any order of arrival within the allowed lateness, in any chunks, ends in equal patterns."""
    made = EAGER if eager else TOPOLOGY
    expected = short(final(run(made, made_of(seen))))
    shuffled = data.draw(arrivals(seen))
    size = data.draw(st.sampled_from([1, 2, 7, 100]))
    assert short(final(run(made, made_of(shuffled), size))) == expected


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seen=histories(), eager=st.booleans())
def test_save_and_load(data: st.DataObject, seen: list[Fact], eager: bool) -> None:
    """Saving and loading between any two inputs changes no record, and what was saved before does
    not change what is saved in the end."""
    made = EAGER if eager else TOPOLOGY
    straight, saved = Line(made), Line(made)
    for one in made_of(data.draw(arrivals(seen))):
        assert saved.take([one]) == straight.take([one])
        if (what := data.draw(st.sampled_from(["nothing", "save", "reload"]))) == "reload":
            saved.reload()
        elif what == "save":
            saved.detect.save(saved.state)
    for line in (straight, saved):
        line.reload()
    assert saved.detect.save(saved.state) == straight.detect.save(straight.state)
    assert saved.end() == straight.end()


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seen=histories(), eager=st.booleans())
def test_revisions(data: st.DataObject, seen: list[Fact], eager: bool) -> None:
    """Each pattern opens once, its revisions grow, and it ends closed; times are in order."""
    made = EAGER if eager else TOPOLOGY
    told: dict[str, list[Pattern]] = defaultdict(list)
    for one in run(made, made_of(data.draw(arrivals(seen)))):
        told[one.pattern_id].append(one)
    for revisions in told.values():
        numbers = [one.revision for one in revisions]
        assert numbers == sorted(set(numbers)), numbers
        assert revisions[0].state == "open"
        assert revisions[-1].state == "closed"
        for one in revisions:
            if is_withdrawn(one):
                continue
            assert one.first_at_ms <= one.detected_at_ms <= one.last_at_ms
            assert 0.0 <= one.confidence <= 1.0
            assert len(one.evidence) <= 10
            assert one.count >= len(one.evidence)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seen=histories())
def test_rewind(data: st.DataObject, seen: list[Fact]) -> None:
    """Going back to any saved state and reading on from there repeats the same records."""
    line = Line(TOPOLOGY)
    cut = data.draw(st.integers(0, len(seen)))
    events = made_of(seen)
    for one in events[:cut]:
        line.take([one])
    raw = line.detect.save(line.state)
    mark = line.mark.save()
    first = [line.take([one]) for one in events[cut:]] + [line.end()]
    line.state = line.detect.load(raw)
    line.mark = type(line.mark).load(mark, TOPOLOGY.detectors)
    assert [line.take([one]) for one in events[cut:]] + [line.end()] == first


@settings(max_examples=60, deadline=None)
@given(seen=histories())
def test_experiments_apart(seen: list[Fact]) -> None:
    """Events of an experiment make the patterns that they would make alone, and carry its id."""
    together = final(run(TOPOLOGY, made_of(seen)))
    for experiment_id in ("", "x1"):
        some = [one for one in seen if one.experiment_id == experiment_id]
        alone = final(run(TOPOLOGY, made_of(some)))
        mine = [one for one in together if one.experiment_id == experiment_id]
        assert short(mine) == short(alone)


@settings(max_examples=150, deadline=None)
@given(seen=histories(), eager=st.booleans())
def test_nothing_is_left_out_of_a_stretch(seen: list[Fact], eager: bool) -> None:
    """An episode counts every event of its key from its first to its last, also those of a lull
    in which the condition did not hold."""
    facts = [one._replace(experiment_id="") for one in seen]
    for pattern in final(run(EAGER if eager else TOPOLOGY, made_of(facts))):
        if pattern.kind in {"burst", "high_rate", "recurring", "critical"}:
            whole = pattern.kind in {"burst", "high_rate"}
            stretch = range(pattern.first_at_ms - T0, pattern.last_at_ms - T0 + 1)
            assert pattern.count == sum(
                one.weight
                for one in facts
                if one.time_ms in stretch
                and (whole or GROUPS[one.group].fingerprint == pattern.fingerprint)
            )


def test_laws_meet_every_detector() -> None:
    """The settings that the laws run with let every detector of the list open something."""
    seen: list[Seen] = []
    for n in range(120):
        seen.append((event(n * 4_000, f"p{n}"), group("p")))
        if n % 30 > 20:
            some = group("abcd"[n // 30], error_type=f"T{n % 5 // 4}", severity="critical")
            seen += [(event(n * 4_000 + k * 100, f"b{n}.{k}"), some) for k in range(n % 30 // 3)]
        if n in {25, 60}:
            seen += [(event(n * 4_000 + k * 9, f"r{n}.{k}"), group("r")) for k in range(8)]
        if n in {40, 45, 50}:
            seen.append((event(n * 4_000 + 900, f"s{n}"), group("s")))
    found = {one.kind for one in final(run(EAGER, seen))}
    assert found == {one.kind for one in DETECTORS}


def test_detectors_are_listed_once() -> None:
    """Each detector has a kind of its own."""
    kinds = [one.kind for one in DETECTORS]
    assert len(kinds) == len(set(kinds))


def test_completing_event_opens() -> None:
    """The event that completes a pattern yields it in the same call."""
    line = Line(TOPOLOGY)
    assert line.take([(event(0), group("a"))]) == []
    assert line.take([(event(10), group("a"))]) == []
    opened = line.take([(event(20), group("a"))])
    assert [(one.kind, one.state, one.count) for one in opened] == [("recurring", "open", 3)]
    assert opened[0].evidence == ["e0", "e10", "e20"]
    assert (opened[0].first_at_ms, opened[0].detected_at_ms) == (T0, T0 + 20)


def test_releases_of_one_slot() -> None:
    """Which of two releases of the first slot arrives first does not make the other one new."""
    old = (event(0, "old", release="1.9"), group("b"))
    new = [(event(0, name, release="1.10"), group("a")) for name in ("n1", "n2")]
    last = (event(5_000, "last"), group("a"))
    told = [short(final(run(TOPOLOGY, seen))) for seen in ([old, *new, last], [*new, old, last])]
    assert told[0] == told[1]
    assert told[0]


def traced(number: int) -> ErrorEvent:
    """The event of a request of its own, one a second."""
    one = event(number * 1_000, f"n{number:02}")
    one.trace_id = f"t{number:02}"
    return one


def test_evidence_of_a_long_episode() -> None:
    """A long episode shows its first and its newest events, their traces and parents."""
    line = Line(TOPOLOGY)
    told = [
        one
        for number in range(40)
        for one in line.take([(traced(number), group("a"))])
        if one.kind == "recurring"
    ]
    numbers = [*range(5), *range(35, 40)]
    assert told[-1].evidence == [f"n{one:02}" for one in numbers]
    assert told[-1].traces == [f"t{one:02}" for one in numbers]


def test_late_is_not_counted() -> None:
    """An event whose slot has settled more than `late_ms` before is refused and counted as late."""
    line = Line(TOPOLOGY)
    line.take([(event(100_000), group("a"))])
    first_open = 100_000 - LATENESS
    oldest = first_open - TOPOLOGY.detectors.late_ms
    late, just_so = event(oldest - 1, "x"), event(oldest, "y")
    stamp = T0 + 100_000
    assert not line.detect.observe(line.state, late, group("a"), "x", stamp)
    assert line.detect.observe(line.state, just_so, group("a"), "y", stamp)
    assert line.state.late == 1


def test_an_instance_whose_clock_is_behind_is_seen() -> None:
    """Its critical error counts in the first slot that is open, though others' time is ahead."""
    line = Line(TOPOLOGY)
    line.take([(event(100_000), group("a"))])
    told = line.take([(event(70_000, "behind"), GROUPS[2])])
    (critical,) = [one for one in told if one.kind == "critical"]
    assert (critical.state, critical.count, critical.evidence) == ("open", 1, ["behind"])
    assert critical.first_at_ms == T0 + 100_000 - LATENESS


def test_time_ahead_is_held() -> None:
    """An event further ahead of its record than allowed counts at the record's time."""
    line = Line(TOPOLOGY)
    far = event(TOPOLOGY.detectors.max_ahead_ms + 1, "far")
    assert line.detect.observe(line.state, far, GROUPS[2], "far", T0)
    (opened,) = line.judge(T0 - LATENESS)
    assert opened.last_at_ms == T0


def test_closing_and_rate_on_ticks() -> None:
    """When errors stop, ticks alone bring the falling rate and then the end."""
    line = Line(TOPOLOGY)
    for n in range(30):
        line.take([(event(n * 100, f"e{n}"), group("a"))])
    told = line.end()
    recurring = [one for one in told if one.kind == "recurring"]
    rates = [one.rate for one in recurring]
    assert rates == sorted(rates, reverse=True)
    assert recurring[-2].rate == 0.0
    assert recurring[-1].state == "closed"
    assert recurring[-1].closed_at_ms == T0 + 2_900 + TOPOLOGY.detectors.quiet_ms
    assert not line.detect.due(line.state)


def test_updates_are_spaced() -> None:
    """An open episode is told at most every update_ms, and a third as often while its rate is as
    it was told."""
    line = Line(making.topology())
    told = []
    for n in range(600):
        at_ms = n * 100 if n < 300 else 30_000 + (n - 300) * 40
        told += line.take([(event(at_ms, f"e{n}"), group("a"))])
    recurring = [one for one in told if one.kind == "recurring"]
    at = [one.revision - 2 for one in recurring[1:]]  # tenths of a second
    gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert min(gaps) >= 20
    steady = [gap for gap, when in zip(gaps, at[1:], strict=True) if 100 < when < 300]
    assert steady
    assert all(60 <= gap <= 62 for gap in steady)
    faster = next(one for one in recurring if one.rate > 15)
    assert faster.revision - 2 < 360


def test_what_was_refuted_waits() -> None:
    """In a flood that one type leads, the others do not open and close with every slot."""
    line, told = Line(making.topology()), []
    shares = "aaaaaaabbbccddaabaad"
    for n in range(2_000):
        name = shares[n * 7 % len(shares)]
        told += line.take([(event(n * 15, f"e{n}"), group(name))])
    refuted = [one for one in told if is_withdrawn(one)]
    assert 0 < len(refuted) < 10  # of 30 slots


def test_idle_means_forgettable() -> None:
    """A state is idle only after everything it knows has lost its meaning."""
    line = Line(TOPOLOGY)
    assert line.detect.idle(line.state)
    line.take([(event(0), group("a"))])
    line.end()
    remembered = TOPOLOGY.detectors.regression.remember_ms
    assert not line.detect.idle(line.state, T0 + remembered)
    assert line.detect.idle(line.state, T0 + remembered + 2 * TOPOLOGY.detectors.slot_ms)


def test_hash_seed() -> None:
    """Output bytes do not depend on PYTHONHASHSEED."""
    script = (
        "from tests.core.making import *\n"
        "from faultstream import wire\n"
        "groups = [group(n, severity=s) for n, s in zip('abcdefgh', ['high', 'critical'] * 4)]\n"
        "seen = [(event(n * 37 % 9000, f'i{n}'), groups[n * n % 8]) for n in range(300)]\n"
        "out = run(topology(), seen, 10)\n"
        "print([wire.encode(one) for one in out])\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            check=True,
            cwd=making._FILE.parent,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(outputs) == 1


def test_bounded_groups() -> None:
    """A flood of unique fingerprints costs bounded memory, and a critical one in it is seen."""
    made = making.topology(detectors={"max_groups_per_service": 20})
    line = Line(made)
    told: list[Pattern] = []
    for n in range(3_000):
        told += line.take([(event(n, f"e{n}"), group(f"g{n}", severity="low"))])
    told += line.take([(event(3_000, "bad"), group("bad", severity="critical"))])
    critical = [one for one in told if one.kind == "critical"]
    assert len(critical) == 1
    assert critical[0].severity == "critical"
    cells = sum(len(slot.cells) for slot in line.state.main.pending.values())
    assert cells <= 4 * 22
    assert line.state.folded > 2_900
    total = sum(slot.total for slot in line.state.main.pending.values())
    assert total == 3_001
    assert len(line.detect.save(line.state)) < 40_000


def test_bounded_history() -> None:
    """State does not grow with time: after three hours it is as large as after ten minutes."""
    line = Line(making.topology())
    sizes = []
    for n in range(2_000):
        line.take([(event(n * 6_000, f"e{n:06}"), GROUPS[n % 4])])
        sizes.append(len(line.detect.save(line.state)))
    assert max(sizes[1_000:]) <= max(sizes[:100]) + 400


def test_judge_after_the_end() -> None:
    """Judging again at the same watermark says nothing new."""
    line = Line(TOPOLOGY)
    for n in range(10):
        line.take([(event(n * 100, f"e{n}"), GROUPS[2])])
    line.end()
    assert line.judge(END) == []
