"""What detectors learn: what is usual for a service opens nothing, what is not opens at once."""

from random import Random

import pytest

from faultstream.core.detect.baseline import Baseline
from faultstream.core.detect.chance import binomial_tail, events_tail
from faultstream.core.policy import BurstPolicy, Topology
from faultstream.core.records import Pattern
from tests.core import making
from tests.core.making import Line, Seen, event, final, group, run

SECOND = 1_000
MINUTE = 60_000
HOUR = 60 * MINUTE
MADE = making.topology()


def found(kind: str, seen: list[Seen], made: Topology = MADE) -> list[Pattern]:
    """The patterns of a kind in the end, in order of time."""
    ordered = sorted(seen, key=lambda one: one[0].time or 0)
    told = [one for one in final(run(made, ordered, 20)) if one.kind == kind]
    return sorted(told, key=lambda one: one.first_at_ms)


def every(
    gap_ms: int, start_ms: int, end_ms: int, name: str = "usual", release: str = ""
) -> list[Seen]:
    """One error of `name` every `gap_ms`, with the jitter of chance."""
    chance = Random(f"{name}{gap_ms}{start_ms}")
    return [
        (event(at + chance.randrange(gap_ms), f"{name}{at}", release=release), group(name))
        for at in range(start_ms, end_ms, gap_ms)
    ]


@pytest.mark.parametrize(("gap_ms", "opens"), [(3 * SECOND, 1), (3 * MINUTE, 0)])
def test_recurring_is_unlikely_for_it(gap_ms: int, opens: int) -> None:
    """An error that comes every five minutes: ten in half a minute recur, ten in half an hour are
    its usual pace."""
    known = every(5 * MINUTE, 0, 6 * HOUR, "a")
    burst = [(event(6 * HOUR + n * gap_ms, f"n{n}"), group("a")) for n in range(10)]
    told = found("recurring", known + burst)
    assert len([one for one in told if one.first_at_ms >= making.T0 + 5 * HOUR]) == opens


def test_what_has_become_usual_ends() -> None:
    """A service whose only error comes all the time says so at first, and not for long."""
    told = found("recurring", every(20 * SECOND, 0, 90 * MINUTE, "a"))
    assert 1 <= len(told) <= 2
    assert told[-1].last_at_ms < making.T0 + HOUR


def test_slow_fault_is_one_episode() -> None:
    """A new error every half a minute is one episode, not one for each three of them."""
    seen = every(4 * MINUTE, 0, 2 * HOUR) + every(
        30 * SECOND, 2 * HOUR, 2 * HOUR + 15 * MINUTE, "n"
    )
    told = [one for one in found("recurring", seen) if one.fingerprint == "n"]
    assert len(told) == 1
    assert told[0].count > 25


@pytest.mark.parametrize("kind", ["recurring", "novel"])
@pytest.mark.parametrize(
    ("times", "release", "opens"), [(3, "1.1", 0), (6, "1.1", 1), (3, "1.0", 1)]
)
def test_restarts_take_twice(kind: str, times: int, release: str, opens: int) -> None:
    """While a new release goes out, three errors of a new kind are instances that restart."""
    seen = every(2 * MINUTE, 0, 4 * HOUR, release="1.0")
    new = group("n", error_type="ConnectionAbortedError")
    seen += [(event(4 * HOUR + n * 3_000, f"n{n}", release=release), new) for n in range(times)]
    told = [one for one in found(kind, seen) if one.fingerprint == "n"]
    assert len(told) == opens


def test_rare_error_is_not_novel() -> None:
    """Three first errors in six minutes say little of a service that is known for twenty."""
    seen = every(MINUTE, 0, 20 * MINUTE)
    seen += [(event(20 * MINUTE + n * 3 * MINUTE, f"n{n}"), group("n")) for n in range(3)]
    assert found("novel", seen) == []


def test_burst_shows_in_a_quarter() -> None:
    """A flood in a service with five a minute opens before the window is full of it."""
    known = every(12 * SECOND, 0, 2 * HOUR)
    line = Line(MADE)
    line.take(sorted(known, key=lambda one: one[0].time or 0))
    at = None
    for n in range(60):
        told = line.take([(event(2 * HOUR + n * SECOND, f"f{n}"), group("f"))])
        if at is None and any(one.kind == "burst" for one in told):
            at = n
    assert at is not None
    assert at < 20


def test_slow_rise_is_not_its_own_baseline() -> None:
    """What came in the last twelve of sixty windows does not change what is usual."""
    steady, rising = Baseline(BurstPolicy()), Baseline(BurstPolicy())
    for window in range(60):
        steady.add(window, 4)
        rising.add(window, 4 if window < 49 else 4 * (window - 47))
    assert rising.expect(60) == steady.expect(60)


def test_few_events_say_little_of_the_variance() -> None:
    """One minute of four among quiet ones does not make twenty in a minute usual."""
    baseline = Baseline(BurstPolicy())
    for window in range(60):
        baseline.add(window, 4 if window == 20 else int(window % 12 == 0))
    assert baseline.expect(60)[0] < 20


@pytest.mark.parametrize(
    ("per_second", "seconds", "opens"), [(16, 12, 1), (12, 30, 0), (150, 1, 0), (9, 59, 0)]
)
def test_high_rate_shows_early(per_second: int, seconds: int, opens: int) -> None:
    """Ten seconds well above the rate are enough; a spike of one second is not, nor a little."""
    seen = [
        (event(s * SECOND + n * SECOND // per_second, f"e{s}.{n}"), group("a"))
        for s in range(seconds)
        for n in range(per_second)
    ]
    assert len(found("high_rate", seen)) == opens


def test_slow_degradation_is_found() -> None:
    """A rate that doubles every six minutes up to 25 a minute is found while it rises; the same
    service without it has no degradation."""
    chance = Random("slow")
    quiet = every(5 * MINUTE, 0, 4 * HOUR)
    rise: list[Seen] = []
    for minute in range(30):
        rate = 25 * 2.0 ** ((minute - 30) / 6)
        count = int(rate) + (chance.random() < rate % 1)
        for n in range(count):
            at = 3 * HOUR + minute * MINUTE + chance.randrange(MINUTE)
            rise.append((event(at, f"r{minute}.{n}"), group("r")))
    told = found("degradation", quiet + rise)
    assert told
    assert told[0].detected_at_ms < making.T0 + 3 * HOUR + 30 * MINUTE
    assert found("degradation", quiet) == []


def test_daily_rise_is_no_degradation() -> None:
    """A service that goes from two to six a minute within two hours is only busy."""
    chance = Random("day")
    seen: list[Seen] = []
    for minute in range(120):
        for n in range(int(2 + minute / 30 + chance.random() * 3)):
            at = minute * MINUTE + chance.randrange(MINUTE)
            seen.append((event(at, f"d{minute}.{n}"), group("ab"[n % 2])))
    assert found("degradation", seen) == []
    assert all(one.first_at_ms < making.T0 + 20 * MINUTE for one in found("burst", seen))


def test_chance_of_events() -> None:
    """The law of rates that are known only from events: none before is no certainty, many are a
    Poisson law, and more in the same time are less likely."""
    assert events_tail(0, 10, 0.5) == 1.0
    assert events_tail(2, 0, 1.0) == pytest.approx(0.25, abs=0.0001)
    assert events_tail(3, 1_000_000, 1e-6) == pytest.approx(0.0803, abs=0.0001)
    tails = [events_tail(n, 20, 0.1) for n in range(40)]
    assert tails == sorted(tails, reverse=True)
    assert events_tail(10_000, 5, 0.1) >= 0.0
    assert binomial_tail(3, 10, 0.1) == pytest.approx(0.0702, abs=0.0001)
    assert binomial_tail(300, 1_000, 0.25) == pytest.approx(0.0002, abs=0.0001)
    assert binomial_tail(5, 5, 1.0) == 1.0


@pytest.mark.parametrize(("gap_ms", "before", "opens"), [(2_500, "usual", 1), (2_500, "n", 0)])
def test_one_type_dominates_a_quiet_service(gap_ms: int, before: str, opens: int) -> None:
    """A service with an error now and then: a new type that is all there is for minutes outweighs
    the others, though it soon is most of what ever came; the type that always comes does not."""
    seen = every(5 * MINUTE, 0, 4 * HOUR, before)
    new = group(before, error_type="ConnectionError")
    if before != "n":
        new = group("n", error_type="RpcError")
    seen += [(event(4 * HOUR + at, f"n{at}"), new) for at in range(0, 4 * MINUTE, gap_ms)]
    assert len(found("dominant", seen)) == opens


@pytest.mark.parametrize(("mine", "opens"), [(11, 0), (14, 1)])
def test_share_by_chance_does_not_dominate(mine: int, opens: int) -> None:
    """Eleven of twenty where a fifth is usual happens in a day; fourteen do not."""

    def one(at: int, name: str) -> Seen:
        return event(at, f"{name}{at}"), group(name, error_type=name)

    seen = [one(n * 6_000, "n" if n % 5 == 0 else "usual") for n in range(600)]
    seen += [one(65 * MINUTE + n * 2_500, "n" if n * 7 % 20 < mine else "usual") for n in range(20)]
    assert len(found("dominant", seen)) == opens


def test_an_incident_does_not_hide_the_next() -> None:
    """Eight minutes with forty errors among quiet ones do not change what is unusual; a level that
    lasts for a quarter of the hour, or forty errors every ten minutes, do."""

    def unusual(counts: list[int]) -> int:
        return Baseline(BurstPolicy(), 0, counts).expect(62)[0]

    quiet = unusual([1] * 60)
    assert unusual([1] * 30 + [40] * 8 + [1] * 22) == quiet
    assert unusual([1] * 25 + [40] * 15 + [1] * 20) > 40
    assert unusual(([1] * 9 + [40]) * 6) > 40


@pytest.mark.parametrize(("count", "opens"), [(5, 0), (14, 1)])
def test_burst_after_a_silence(count: int, opens: int) -> None:
    """After more than an hour without errors a service is measured by its whole life: five in a
    minute are chance where one comes every five minutes, fourteen are not."""
    seen = every(5 * MINUTE, 0, 3 * HOUR)
    back = 3 * HOUR + 80 * MINUTE
    seen += [(event(back + n * 3_000, f"b{n}"), group("usual")) for n in range(count)]
    assert len(found("burst", seen)) == opens
