"""The scores: agreement of groups, reliability, NAB."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream.quality import nab
from faultstream.quality.scores import brier, calibration_error, f1, grouped, reliability
from faultstream.quality.section import bars

labels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30)


@given(labels)
def test_groups_against_a_naive_count(pairs: list[tuple[int, int]]) -> None:
    """GA, FGA and the F1 of pairs are what counting by hand gives."""
    true, ours = [one for one, _ in pairs], [two for _, two in pairs]
    numbers = range(len(pairs))

    def group(label: int, among: list[int]) -> frozenset[int]:
        return frozenset(n for n in numbers if among[n] == label)

    truths, found = {group(one, true) for one in true}, {group(one, ours) for one in ours}
    exact = truths & found
    score = grouped(true, ours)
    assert score.ga == pytest.approx(sum(map(len, exact)) / len(pairs))
    assert score.fga == pytest.approx(2 * len(exact) / (len(truths) + len(found)))
    same = {pair for pair in combinations(numbers, 2) if true[pair[0]] == true[pair[1]]}
    said = {pair for pair in combinations(numbers, 2) if ours[pair[0]] == ours[pair[1]]}
    expected = 2 * len(same & said) / (len(same) + len(said)) if same or said else 1.0
    assert score.pair_f1 == pytest.approx(expected)


def test_f1_of_nothing() -> None:
    """Nothing to say and nothing said is right; something said of nothing is not."""
    assert (f1(0, 0, 0), f1(0, 3, 0)) == (1.0, 0.0)


def test_reliability() -> None:
    """Answers are binned by confidence; the last bin takes 1.0 in."""
    answers = [(1.0, True), (0.95, False), (0.5, True), (0.0, False)]
    found = reliability(answers)
    assert [(one.low, one.count, one.right) for one in found] == [
        (0.0, 1, 0.0),
        (0.5, 1, 1.0),
        (0.9, 2, 0.5),
    ]
    assert brier(answers) == pytest.approx((0 + 0.95**2 + 0.25 + 0) / 4)
    assert brier([]) is None
    assert calibration_error(reliability(answers, bins=1)) == pytest.approx(
        abs(sum(sure for sure, _ in answers) - sum(right for _, right in answers)) / len(answers)
    )
    assert calibration_error([]) is None


def test_bars() -> None:
    """A bar shows how many were right, and a mark where they should have been."""
    rows = bars("x", reliability([(0.5, True), (0.5, False), (0.99, True)])).rows
    assert rows[0] == ("0.50", "0.50", "2", "#" * 20 + "|")
    assert rows[1][3] == "#" * 40 + "|"


TIMES = [f"2026-01-01 00:00:{n:02}" for n in range(60)]
WINDOW = [[TIMES[30], TIMES[39]]]


def worth(*places: int) -> float | None:
    """The corpus score of detections at these rows of a minute."""
    series = (TIMES, [n in places for n in range(60)])
    return nab.corpus({"a": nab.score(series, WINDOW)}, {"a": WINDOW})


def test_nab() -> None:
    """At once is all, never is nothing, later is less, twice is once, elsewhere costs."""
    assert worth(30) == pytest.approx(100)
    assert worth() == 0
    late = worth(38)
    assert late is not None
    assert 50 < late < 90
    assert worth(30, 35) == pytest.approx(100)
    assert worth(30, 20) == pytest.approx(100 - 11 / 2)
    assert worth(30, 3) == pytest.approx(100)  # probation
    assert nab.corpus({"a": nab.score((TIMES, [False] * 60), [])}, {"a": []}) is None
