"""The parts of detection alone: baseline, watermark, and each detector's bounds."""

from math import exp, lgamma, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultstream.core.detect.baseline import MEMORY, Baseline, unusual
from faultstream.core.event import ErrorEvent
from faultstream.core.group import Group
from faultstream.core.policy import BurstPolicy, DetectorsPolicy
from faultstream.core.records import Pattern
from faultstream.core.watermark import SKEW_MS, Watermark
from tests.core import making
from tests.core.making import T0, Line, event, final, group, run

POLICY = DetectorsPolicy()


def poisson_tail(n: int, mean: float) -> float:
    """P(X >= n), summed term by term."""
    return 1.0 - sum(exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(n))


@pytest.mark.parametrize("mean", [0.1, 1.0, 7.5, 40.0])
def test_unusual_poisson(mean: float) -> None:
    """The threshold is the first count whose Poisson tail is below the significance."""
    n = unusual(mean, mean, 1e-4)
    assert poisson_tail(n, mean) < 1e-4 <= poisson_tail(n - 1, mean)


@settings(max_examples=50, deadline=None)
@given(mean=st.floats(0.01, 1e6), spread=st.floats(0, 50))
def test_unusual_bounds(mean: float, spread: float) -> None:
    """It always exists, lies above the mean, and above that of a law without dispersion."""
    n = unusual(mean, mean * (1 + spread), 1e-4)
    assert n > mean
    assert n >= unusual(mean, mean, 1e-4)


def test_unusual_is_smooth_at_the_approximation() -> None:
    """Where the exact sum gives way to the approximation they agree within one percent."""
    exact, near = unusual(2_600.0, 3_000.0, 1e-4), unusual(2_850.0, 3_000.0, 1e-4)
    assert abs((near - exact) - 250) < 30


def test_baseline_needs_history() -> None:
    """Nothing is known before `history` windows, and the last two windows do not count."""
    baseline = Baseline(BurstPolicy(history=3))
    for window in range(4):
        baseline.add(window, 10)
    assert baseline.expect(3) == (0, 0.0)
    assert baseline.expect(4)[1] == 10.0
    baseline.add(3, 1_000)
    assert baseline.expect(4)[1] == 10.0
    assert baseline.expect(5)[1] == 1040 / 4


def test_baseline_is_bounded_and_forgets() -> None:
    """It keeps 60 windows; after 60 empty ones it starts anew."""
    baseline = Baseline(BurstPolicy(history=3))
    for window in range(500):
        baseline.add(window, 1)
    assert len(baseline.counts) <= MEMORY + 2
    baseline.add(500 + MEMORY, 5)
    assert baseline.counts == [5]


def test_watermark_follows_and_never_goes_back() -> None:
    """The value is the newest event time minus the lateness."""
    mark = Watermark(POLICY)
    mark.advance(100_000, 100_000)
    assert mark.value_ms == 90_000
    mark.advance(50_000, 100_000)
    assert mark.value_ms == 90_000


def test_watermark_moves_when_idle() -> None:
    """Without records it moves by the wall clock once idle_ms have passed, not before."""
    mark = Watermark(POLICY)
    mark.tick(100_000)
    mark.advance(100_000, 100_000)
    mark.tick(100_000)
    mark.tick(100_000 + POLICY.idle_ms - 1)
    assert mark.value_ms == 90_000
    mark.tick(100_000 + POLICY.idle_ms)
    assert mark.value_ms == 90_000 + POLICY.idle_ms


def test_watermark_waits_for_what_is_unread() -> None:
    """Silence counts from when the log was read to its end: what waits unread, for a slow worker
    or a broker that is away, is not late when it comes."""
    mark = Watermark(POLICY)
    mark.tick(100_000)
    mark.advance(100_000, 100_000)
    for now_ms in range(100_000, 200_000, 1_000):
        mark.tick(now_ms, unread=True)
    assert mark.value_ms == 90_000
    mark.tick(199_000 + POLICY.idle_ms - 1)
    assert mark.value_ms == 90_000
    mark.tick(199_000 + POLICY.idle_ms)
    assert mark.value_ms == 90_000 + POLICY.idle_ms


def test_watermark_resists_the_future() -> None:
    """A record dated 2100, by event and by record, does not make the present late."""
    mark = Watermark(POLICY)
    mark.tick(100_000)
    mark.advance(4_000_000_000_000, 4_000_000_000_000)
    assert mark.value_ms == 100_000 + SKEW_MS - POLICY.allowed_lateness_ms


def test_watermark_survives_a_save() -> None:
    """A loaded watermark has the value of the saved one and goes on from there."""
    mark = Watermark(POLICY)
    mark.advance(100_000, 100_000)
    again = Watermark.load(mark.save(), POLICY)
    assert again.value_ms == mark.value_ms
    again.advance(100_500, 100_500)
    assert again.value_ms == 90_500


def kinds(patterns: list[Pattern]) -> list[str]:
    """The kinds that were found, in order of their name."""
    return sorted(one.kind for one in final(patterns))


@pytest.mark.parametrize(("count", "found"), [(2, []), (3, ["recurring"])])
def test_recurring_bound(count: int, found: list[str]) -> None:
    """Two of one kind are not recurring, three are."""
    seen = [(event(n * 100, f"e{n}"), group("a")) for n in range(count)]
    assert kinds(run(making.topology(), seen)) == found


@pytest.mark.parametrize(("others", "found"), [(7, True), (8, False)])
def test_recurring_among(others: int, found: bool) -> None:
    """Three among the last ten count; the first of three eleven events back does not."""
    names = ["a", *(f"x{n}" for n in range(others)), "a", "a"]
    made = making.topology(detectors={"burst": {"enabled": False}})
    seen = [(event(n * 1_000, f"e{n}"), group(name)) for n, name in enumerate(names)]
    assert bool(final(run(made, seen))) is found


@pytest.mark.parametrize(("share", "found"), [(5, set()), (9, {"n"})])
def test_recurring_in_a_flood(share: int, found: set[str]) -> None:
    """In a flood a fingerprint with a sixth of it does not recur, though the last of it fell into a
    slot of its own; one with a third does."""
    seen = [
        (event(n * 33, f"e{n}"), group("n" if n % 30 < share else f"x{n % 30 % 5}"))
        for n in range(310)
    ]
    told = final(run(making.topology(), seen, 7))
    names = {one.fingerprint for one in told if one.kind == "recurring"}
    assert names & {"n"} == found


def test_recurring_within() -> None:
    """Events older than within_ms are not among the last ones."""
    made = making.topology(detectors={"recurring": {"within_ms": 10_000}})
    near = [(event(at, f"e{at}"), group("a")) for at in (0, 5_000, 10_000)]
    far = [(event(at, f"e{at}"), group("a")) for at in (0, 5_000, 11_000)]
    assert kinds(run(made, near)) == ["recurring"]
    assert kinds(run(made, far)) == []


@pytest.mark.parametrize(("count", "found"), [(4, []), (5, ["burst"])])
def test_burst_bound(count: int, found: list[str]) -> None:
    """Four different errors in a minute are no burst, five are."""
    seen = [(event(n * 14_000, f"e{n}"), group(f"g{n}")) for n in range(count)]
    assert kinds(run(making.topology(), seen)) == found


@pytest.mark.parametrize(("more", "found"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2)])
def test_what_was_told_is_not_told_again(more: int, found: int) -> None:
    """After an episode ended, only the errors since then open the next one: three for recurring,
    five for a burst, although the earlier ones are within the window still."""
    first = [(event(n * 100, f"e{n}"), group("a")) for n in range(20)]
    later = [(event(45_000 + n * 100, f"l{n}"), group("a")) for n in range(more)]
    patterns = final(run(making.topology(), [*first, *later]))
    assert len(patterns) == 2 + found


def test_burst_counts_weights() -> None:
    """One event that stands for five folded ones is a burst, and counts five."""
    (burst,) = (
        one
        for one in final(run(making.topology(), [(event(0, count=5), group("a"))]))
        if one.kind == "burst"
    )
    assert burst.count == 5


def test_suggested_actions_and_layer() -> None:
    """A pattern names the route's strategies and its layer, the topology's before the event's."""
    made = making.topology(services={"orders": {"layer": "core"}})
    line = Line(made)
    opened = line.take([(event(0, layer="api"), group("a", severity="critical"))])
    assert opened[0].suggested_actions == ["retry", "circuit_break", "fallback", "reconnect"]
    assert opened[0].layer == "core"
    assert opened[0].first_at_ms == T0


def test_recurring_is_about_a_group() -> None:
    """When a pattern of the whole service closes, nothing recurs that has no fingerprint."""
    seen = [
        (event(n * 500, f"e{n}"), group("abcd"[n % 4])) for n in range(160) if n < 20 or n > 130
    ]
    told = run(making.topology(detectors={"quiet_ms": 5_000, "burst": {"history": 2}}), seen)
    assert all(one.fingerprint for one in told if one.kind == "recurring")


@pytest.mark.parametrize(("late", "found"), [(6, False), (16, True)])
def test_degradation_growth(late: int, found: bool) -> None:
    """Ten a minute, then six or sixteen: only the rise is a degradation; it is told once."""
    made = making.topology(detectors={"degradation": {"significance": 0.01}})
    seen = minutes([10] * 12 + [late] * 5)
    told = [one for one in final(run(made, seen, 50)) if one.kind == "degradation"]
    assert len(told) == found


def test_degradation_is_no_spike() -> None:
    """One bad minute is a burst, not a degradation."""
    told = kinds(run(making.topology(), minutes([10] * 15 + [200, 10, 10, 10]), 50))
    assert "burst" in told
    assert "degradation" not in told


def minutes(counts: list[int]) -> list[tuple[ErrorEvent, Group]]:
    """So many events in each minute, evenly, of two groups."""
    return [
        (event(m * 60_000 + n * 60_000 // count, f"e{m}.{n}"), group("ab"[n % 2]))
        for m, count in enumerate(counts)
        for n in range(count)
    ]


@pytest.mark.parametrize(("count", "found"), [(600, []), (601, ["high_rate"])])
def test_high_rate_bound(count: int, found: list[str]) -> None:
    """Ten a second over a minute is not more than ten; one event more is."""
    seen = [(event(n * 99, f"e{n}"), group("a")) for n in range(count)]
    assert [one for one in kinds(run(making.topology(), seen, 50)) if one == "high_rate"] == found


def test_high_rate_is_learned() -> None:
    """A service that always has twenty a second is told of once, not all day."""
    seen = [(event(n * 1_000, f"e{n}", count=20), group("a")) for n in range(40 * 60)]
    told = [one for one in final(run(making.topology(), seen, 100)) if one.kind == "high_rate"]
    assert len(told) == 1
    assert told[0].last_at_ms < T0 + 14 * 60_000


@pytest.mark.parametrize(("times", "found"), [(2, 0), (3, 1)])
def test_novel_bound(times: int, found: int) -> None:
    """After an hour of other errors, two of a new fingerprint are not novel, three are; once."""
    seen = [(event(n * 20_000, f"e{n}"), group("ab"[n % 2])) for n in range(180)]
    seen += [(event(3_600_000 + n * 1_000, f"n{n}"), group("new")) for n in range(times)]
    told = [one for one in final(run(making.topology(), seen, 50)) if one.kind == "novel"]
    assert [one.fingerprint for one in told] == ["new"] * found


def test_nothing_is_novel_at_first() -> None:
    """While a service is learned, its fingerprints are not novel."""
    seen = [(event(n * 1_000, f"e{n}"), group(f"g{n // 5}")) for n in range(500)]
    assert "novel" not in kinds(run(making.topology(), seen, 50))


@pytest.mark.parametrize(
    ("minutes_away", "release", "found"),
    [(29, "", 0), (31, "", 1), (31, "1.9", 0), (31, "1.11", 1)],
)
def test_regression_bound(minutes_away: int, release: str, found: int) -> None:
    """Back after more than half an hour, and not in an older release: 1.9 is older than 1.10."""
    before = "1.10" if release else ""
    seen = [(event(n * 1_000, f"e{n}", release=before), group("a")) for n in range(20)]
    back = 19_000 + minutes_away * 60_000
    seen += [(event(back, "back", release=release), group("a"))]
    told = [one for one in final(run(making.topology(), seen, 5)) if one.kind == "regression"]
    assert len(told) == found


def test_rare_is_no_regression() -> None:
    """An error that comes every half an hour or so does not regress each time."""
    seen = [(event(n * 1_860_000, f"e{n}"), group("a")) for n in range(20)]
    assert "regression" not in kinds(run(making.topology(), seen))


@pytest.mark.parametrize(("jitter_s", "found"), [(1, 1), (20, 0)])
def test_periodic_bound(jitter_s: int, found: int) -> None:
    """Every minute give or take a second is periodic, and one episode; twenty is not."""
    shifts = [0, 1, -1, 1, 0, -1, 1, -1, 0, 1, -1, 1]
    seen = [
        (event(n * 60_000 + shift * jitter_s * 1_000 + 30_000, f"e{n}"), group("a"))
        for n, shift in enumerate(shifts)
    ]
    told = [one for one in final(run(making.topology(), seen)) if one.kind == "periodic"]
    assert len(told) == found


@pytest.mark.parametrize(("share", "found"), [(12, 1), (10, 0)])
def test_dominant_bound(share: int, found: int) -> None:
    """More than half of twenty events in a minute dominate; half do not."""
    seen = [
        (
            event(n * 2_000, f"e{n}"),
            group(f"g{n % 20 < share}", error_type=f"T{n * 7 % 20 < share}"),
        )
        for n in range(20)
    ]
    told = [one for one in final(run(making.topology(), seen)) if one.kind == "dominant"]
    assert len(told) == found


def test_what_always_recurs_is_no_news() -> None:
    """A mix that is always the same recurs at first only; ten times its rate is told again."""
    made = making.topology(detectors={"burst": {"enabled": False}})
    mix = [(event(n * 15_000, f"e{n}"), group("abc"[n % 3])) for n in range(400)]
    usual = [one for one in final(run(made, mix, 20)) if one.kind == "recurring"]
    assert all(one.first_at_ms < T0 + 60 * 15_000 for one in usual)
    more = [(event(6_000_000 + n * 500, f"m{n}"), group("a")) for n in range(30)]
    told = [one for one in final(run(made, mix + more, 20)) if one.kind == "recurring"]
    assert len(told) == len(usual) + 1
