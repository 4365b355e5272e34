"""Spread: how far a figure might be off because only so many cases were there."""

from statistics import fmean

from hypothesis import given
from hypothesis import strategies as st

from faultstream.quality.spread import redrawn, span, without_one

shares = st.lists(st.floats(0, 1), min_size=2, max_size=12)


@given(shares)
def test_between_the_extremes(cases: list[float]) -> None:
    """No draw is below the worst case or above the best, and equal cases give equal answers."""
    low, high = redrawn(cases, fmean)
    assert min(cases) - 1e-9 <= low <= high <= max(cases) + 1e-9
    assert redrawn(cases, fmean) == (low, high)


def test_more_cases_say_more() -> None:
    """Four times as many cases of the same kind halve the interval, about."""
    few, many = (redrawn([0.0, 1.0] * count, fmean) for count in (20, 80))
    assert 1.6 < (few[1] - few[0]) / (many[1] - many[0]) < 2.5


@given(shares)
def test_without_one(cases: list[float]) -> None:
    """It is the lowest and highest of what leaving out by hand gives."""
    found = [fmean(cases[:at] + cases[at + 1 :]) for at in range(len(cases))]
    assert without_one(cases, fmean) == (min(found), max(found))


def test_for_a_table() -> None:
    """An interval has as many digits as its figure, and a dash where there is none."""
    assert (span((0.5, 1.0)), span((77.4, 83.6), 0), span(None)) == (
        "0.50 to 1.00",
        "77 to 84",
        "-",
    )
