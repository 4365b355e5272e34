"""Episodes that pause or waver are one each, and what is usual stays so after a flood."""

from random import Random

import pytest

from tests.core.making import T0, Seen, event, group
from tests.core.test_detect_learned import HOUR, MADE, MINUTE, SECOND, every, found
from tests.core.test_rising import clumps

START = 3 * HOUR


def at(times_s: list[int], name: str, severity: str = "high") -> list[Seen]:
    """One error of `name` at each of the times, in seconds after START."""
    its = group(name, severity=severity, error_type=f"Error{name}")  # type: ignore[arg-type]
    return [(event(START + one * SECOND, f"{name}{one}"), its) for one in times_s]


@pytest.mark.parametrize("kind", ["novel", "recurring"])
def test_retries_that_slow_down(kind: str) -> None:
    """A message that is tried again after ever longer pauses is new once, and recurs once."""
    times = [0, 2, 6, 14, 30, 62, 122, 182, 242, 302]
    told = found(kind, every(MINUTE, 0, START + 10 * MINUTE) + at(times, "p"))
    assert [one.fingerprint for one in told if one.first_at_ms >= T0 + START] == ["p"]


@pytest.mark.parametrize(("pause_s", "episodes"), [(140, 1), (160, 2)])
def test_critical_pauses(pause_s: int, episodes: int) -> None:
    """An error that paused may pause three times as long, 150 s at most."""
    times = [0, 14, 50, 140, 140 + pause_s]
    assert len(found("critical", at(times, "c", "critical"))) == episodes


def test_first_pause() -> None:
    """Before it ever paused an error is over after the quiet of the policy."""
    assert len(found("critical", at([0, 1, 2, 18], "c", "critical"))) == 2


def wavering(per_minute: list[int], name: str) -> list[Seen]:
    """So many errors of `name` in each minute after START, by chance within it."""
    chance = Random(name)
    return at(
        sorted(
            m * 60 + second
            for m, count in enumerate(per_minute)
            for second in chance.sample(range(60), count)
        ),
        name,
    )


def test_dominance_that_wavers() -> None:
    """A type that is most of now a few more than twenty errors a minute, now a few less, dominates
    once."""
    seen = every(30 * SECOND, 0, START + HOUR) + wavering([24, 16, 23, 15, 25, 14, 24, 16], "d")
    told = found("dominant", seen)
    assert len(told) == 1
    assert told[0].last_at_ms > T0 + START + 7 * MINUTE


def test_burst_that_wavers() -> None:
    """A burst lasts while it is nearer to a burst than to what is usual."""
    seen = every(10 * SECOND, 0, START + HOUR) + wavering([40, 18, 40, 17, 40, 18, 40], "b")
    told = [one for one in found("burst", seen) if one.first_at_ms >= T0 + START - MINUTE]
    assert len(told) == 1
    assert told[0].last_at_ms > T0 + START + 6 * MINUTE


def test_usual_types_after_a_flood() -> None:
    """After thousands of another error the usual one does not dominate."""
    usual = every(3 * SECOND, 0, START + 2 * HOUR, "a") + every(9 * SECOND, 0, START + 2 * HOUR)
    seen = [
        (one, its if its.fingerprint == "a" else group("b", error_type="Other"))
        for one, its in usual
    ]
    flood = group("f", error_type="Flood")
    seen += [(event(START + n * SECOND, f"f{n}", count=50), flood) for n in range(5 * 60)]
    told = [one for one in found("dominant", seen) if one.first_at_ms >= T0 + HOUR]
    assert [one.error_type for one in told] == ["Flood"]
    assert told[0].last_at_ms < T0 + START + 7 * MINUTE


@pytest.mark.parametrize(("size", "count", "opens"), [(1, 7, 1), (4, 7, 0), (4, 30, 1)])
def test_clumps_of_a_quiet_service(size: int, count: int, opens: int) -> None:
    """Seven errors in a minute are a burst where they come singly, and none where they come in
    fours; thirty are."""
    seen = clumps(20 * MINUTE, size, 0, START)
    seen += [(event(START + n * SECOND, f"z{n}"), group("z")) for n in range(count)]
    told = [one for one in found("burst", seen) if one.first_at_ms >= T0 + START]
    assert len(told) == opens


def test_the_default_quiet() -> None:
    """The figures of these tests are those of the shipped topology."""
    assert MADE.detectors.quiet_ms == 15_000
