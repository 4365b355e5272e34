"""What an hour of the day has on other days is usual in that hour."""

from hypothesis import given
from hypothesis import strategies as st

from faultstream.core.detect.seasons import DAYS, Seasons
from tests.core import making
from tests.core.making import Seen, event, final, group, run

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = DAY - making.T0 % DAY
"""From T0 on, the first midnight."""


def learned(windows: list[tuple[int, int]]) -> Seasons:
    """What is learned of (minute, count)."""
    seasons = Seasons()
    for minute, count in windows:
        seasons.learn(minute, MINUTE, count)
    return seasons


def batch(day: int, name: str = "batch") -> list[Seen]:
    """Sixty errors within a minute, at two in the morning."""
    at = START + day * DAY + 2 * HOUR
    return [(event(at + n * 900, f"{name}{day}.{n}"), group(name)) for n in range(60)]


def bursts(days: int, extra: list[Seen]) -> list[int]:
    """The days on which a service with an error every ten minutes bursts."""
    seen = [
        (event(at, f"u{at}"), group("usual"))
        for at in range(START, START + days * DAY, 10 * MINUTE)
    ]
    seen = sorted(seen + extra, key=lambda one: one[0].time or 0)
    told = [one for one in final(run(making.topology(), seen, 20)) if one.kind == "burst"]
    return sorted((one.first_at_ms - making.T0 - START) // DAY for one in told)


def test_a_nightly_batch_is_usual() -> None:
    """It is told on two nights, and then no more; so is the same at another hour."""
    nights = [one for day in range(4) for one in batch(day)]
    other = [(event(int(one.time or 0) - making.T0 + 9 * HOUR, f"o{n}"), group("o"))
             for n, (one, _) in enumerate(batch(3))]  # fmt: skip
    assert bursts(4, nights + other) == [0, 1, 3]


def test_one_incident_is_no_habit() -> None:
    """What happened once at this hour is told when it happens again two days later."""
    assert bursts(4, batch(1) + batch(3)) == [1, 3]


def test_usual_needs_two_days() -> None:
    """The second highest of three days, once two are over; empty hours count."""
    assert learned([(5, 40)]).usual(5, MINUTE) == 0
    day = DAY // MINUTE
    assert learned([(5, 40), (day + 5, 30), (day + 70, 1)]).usual(2 * day, MINUTE) == 30
    assert learned([(5, 40), (2 * day + 5, 30), (3 * day, 0)]).usual(3 * day, MINUTE) == 30
    assert learned([(5, 40), (2 * day + 5, 0), (3 * day, 0)]).usual(3 * day, MINUTE) == 0


def test_a_window_is_counted_whole() -> None:
    """Events of one window that settle in parts add up, also the last one of an hour."""
    seasons = learned([(59, 3), (59, 4), (60, 9), (24 * 60 + 59, 6), (24 * 60 + 60, 1)])
    assert seasons.usual(59, MINUTE) == 6


@given(st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 50)), max_size=60))
def test_bounded(windows: list[tuple[int, int]]) -> None:
    """However long the silences are, there are no more than three days."""
    seasons = learned(sorted(windows))
    assert len(seasons.peaks) <= 24
    assert all(len(days) <= DAYS for days in seasons.peaks.values())
