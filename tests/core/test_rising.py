"""One error that hardly ever came says early what the service as a whole says late."""

from random import Random

import pytest

from faultstream import wire
from faultstream.core.records import Pattern
from tests.core.making import T0, Line, Seen, event, final, group, run
from tests.core.test_detect_learned import HOUR, MADE, MINUTE, SECOND, every
from tests.core.test_detect_learned import found as all_found


def found(kind: str, seen: list[Seen]) -> list[Pattern]:
    """Those of the time when the service is known."""
    return [one for one in all_found(kind, seen) if one.first_at_ms >= T0 + 2 * HOUR]


def clumps(gap_ms: int, size: int, start_ms: int, end_ms: int) -> list[Seen]:
    """`size` errors of `c` within half a minute, every `gap_ms`."""
    return [
        (event(at + n * 6 * SECOND, f"c{at}.{n}"), group("c"))
        for at in range(start_ms, end_ms, gap_ms)
        for n in range(size)
    ]


@pytest.mark.parametrize(("name", "count", "opens"), [("n", 6, 1), ("n", 4, 0), ("usual", 6, 0)])
def test_burst_of_one_error(name: str, count: int, opens: int) -> None:
    """Six more errors within half a minute are few for a service with ten a minute; six of one that
    never came are a burst, four are not."""
    seen = every(6 * SECOND, 0, 3 * HOUR + MINUTE)
    seen += [(event(3 * HOUR + n * 5_000, f"n{n}"), group(name)) for n in range(count)]
    told = found("burst", seen)
    assert len(told) == opens
    assert all("of one error" in one.reason for one in told)


@pytest.mark.parametrize(("size", "opens"), [(6, 0), (22, 1)])
def test_habit_of_clumps(size: int, opens: int) -> None:
    """An error that comes in sixes every half hour does not rise with the next six."""
    seen = every(MINUTE, 0, 5 * HOUR) + clumps(30 * MINUTE, 6, 10 * MINUTE, 4 * HOUR)
    seen += [(event(4 * HOUR + n * SECOND, f"z{n}"), group("c")) for n in range(size)]
    assert len(found("burst", seen)) == opens


def test_release_that_goes_out_is_not_asked() -> None:
    """Eight errors of instances that restart one after the other are no burst."""
    seen = every(6 * SECOND, 0, 3 * HOUR, release="1.0")
    seen += [
        (event(3 * HOUR + n * 5 * SECOND, f"r{n}", release="1.1"), group("r")) for n in range(8)
    ]
    assert found("burst", seen) == []


def rise(start_ms: int, rates: list[int], name: str) -> list[Seen]:
    """So many errors of `name` in each minute, by chance within it."""
    chance = Random("rise")
    return [
        (event(start_ms + m * MINUTE + chance.randrange(MINUTE), f"{name}{m}.{n}"), group(name))
        for m, rate in enumerate(rates)
        for n in range(rate)
    ]


def test_slow_rise_of_one_error() -> None:
    """An error that never came, two to four a minute for ten minutes, in a service with four: found
    within six minutes, told once, and over when it is."""
    seen = every(15 * SECOND, 0, 4 * HOUR) + rise(3 * HOUR, [2, 2, 2, 3, 3, 3, 4, 4, 4, 4], "r")
    (told,) = found("degradation", seen)
    assert told.detected_at_ms < T0 + 3 * HOUR + 6 * MINUTE
    assert told.last_at_ms < T0 + 3 * HOUR + 16 * MINUTE


@pytest.mark.parametrize(
    "rates", [[0, 0, 18, 0, 0, 0], [1, 0, 1, 0, 2, 0, 1, 0, 0, 1]], ids=["spike", "few"]
)
def test_what_is_no_slow_rise(rates: list[int]) -> None:
    """A single minute is no degradation, nor are a few errors in ten."""
    seen = every(15 * SECOND, 0, 4 * HOUR) + rise(3 * HOUR, rates, "r")
    assert found("degradation", seen) == []


def test_rise_in_a_busy_service_is_not_its_own() -> None:
    """Three a minute of a new error do not degrade a service that has twenty."""
    seen = every(3 * SECOND, 0, 4 * HOUR) + rise(3 * HOUR, [3] * 10, "r")
    assert found("degradation", seen) == []


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_arrival(seed: int) -> None:
    """Shuffled within the allowed lateness, in chunks of any size, saved and loaded in between: the
    same rises in the end, byte for byte."""
    seen = every(20 * SECOND, 0, 2 * HOUR + 20 * MINUTE)
    seen += rise(2 * HOUR, [1, 2, 2, 3, 3, 4, 6, 8], "r") + clumps(9 * MINUTE, 5, HOUR, 2 * HOUR)
    ordered = sorted(seen, key=lambda one: one[0].time or 0)
    first = final(run(MADE, ordered))
    assert {"burst", "degradation"} <= {one.kind for one in first if "of one error" in one.reason}
    chance = Random(seed)
    late = sorted(seen, key=lambda one: int(one[0].time or 0) + chance.randrange(8 * SECOND))
    line = Line(MADE)
    told: list[Pattern] = []
    while late:
        size = chance.choice((1, 1, 2, 5, 40))
        told += line.take(late[:size])
        del late[:size]
        if chance.random() < 0.1:
            line.reload()
    told += line.end()
    assert line.late == 0
    assert [wire.encode(one) for one in final(told)] == [wire.encode(one) for one in first]
