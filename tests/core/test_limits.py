"""Limits are static until there is history, then learned, and quiet on ordinary values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream.core.limits import POINTS, Crossing, Limits

values = st.lists(st.floats(-1e6, 1e6), max_size=120)


def test_static_until_ten_points() -> None:
    """The limit that came with a value holds until ten are known, from the first one on."""
    limits = Limits()
    assert limits.judge("a", 5.0, 4.0) == Crossing(5.0, 4.0, learned=False, points=0)
    assert limits.judge("a", 4.0, 4.0) is None
    assert limits.judge("a", 100.0) is None
    for _ in range(POINTS - 3):
        assert limits.judge("a", 3.0, 4.0) is None
    assert limits.judge("a", 4.5, 4.0) is None  # learned now: three must be past it


def test_learned() -> None:
    """From ten values on the third in a row past the learned limit crosses; the first back ends
    it."""
    limits = Limits()
    for number in range(60):
        assert limits.judge("a", float(number % 10)) is None
    seen = [limits.judge("a", 50.0) for _ in range(4)]
    assert [one is not None for one in seen] == [False, False, True, True]
    assert seen[2] is not None
    assert seen[2].learned
    assert (seen[2].low, seen[2].limit, seen[2].high) == pytest.approx((-4.0, 14.0, 14.0))
    assert limits.judge("a", 3.0) is None
    assert limits.judge("a", 50.0) is None


def test_unlike_everything() -> None:
    """With enough history, values unlike all before cross at once, say what was expected, and
    since when; a habit does not."""
    limits = Limits()
    for number in range(200):
        assert limits.judge("a", float(number % 10), either=True) is None
    seen = [limits.judge("a", 50.0, either=True) for _ in range(3)]
    assert seen[0] is not None
    assert seen[0].low is not None
    assert seen[0].high is not None
    assert seen[0].low < 9.0 < seen[0].high < 50.0
    assert [one.lasting for one in seen if one is not None] == [0, 1, 2]
    for _ in range(20):
        crossed = [limits.judge("a", 50.0 if n == 5 else 1.0) is not None for n in range(60)]
    assert not any(crossed)


def test_a_rhythm_that_breaks() -> None:
    """A value that is ordinary by itself crosses when it comes where it never came."""
    limits = Limits()
    for number in range(200):
        assert limits.judge("a", 10.0 * (number % 2), either=True) is None
    assert any(limits.judge("a", 0.0, either=True) is not None for _ in range(24))


@pytest.mark.parametrize(("value", "above"), [(60.0, True), (-60.0, False)])
def test_sides(value: float, above: bool) -> None:
    """Only the bad side crosses."""
    limits = Limits()
    for number in range(200):
        limits.judge("up", float(number % 10))
        limits.judge("down", float(number % 10), below=True)
    assert (limits.judge("up", value) is not None) is above
    assert (limits.judge("down", value, below=True) is not None) is not above


def test_below() -> None:
    """Where low values are the bad ones, the limit is on the other side."""
    limits = Limits()
    assert limits.judge("a", 1.0, 2.0, below=True) is not None
    for _ in range(20):
        limits.judge("b", 100.0, below=True)
    assert [limits.judge("b", 1.0, below=True) is not None for _ in range(3)] == [
        False, False, True,
    ]  # fmt: skip


def test_a_new_level_becomes_ordinary() -> None:
    """What stays past its limit is learned, so the crossing ends by itself."""
    limits = Limits()
    for _ in range(50):
        limits.judge("a", 1.0)
    assert limits.judge("a", 2.0) is None
    crossed = [limits.judge("a", 2.0) is not None for _ in range(200)]
    assert any(crossed)
    assert not crossed[-1]


@given(values, st.integers(0, 120))
def test_saving_between_changes_nothing(many: list[float], place: int) -> None:
    """Saving and loading between any two values changes no answer."""
    whole, first, second = Limits(), Limits(), Limits()
    wanted = [whole.judge("a", value, 10.0) for value in many]
    found = [first.judge("a", value, 10.0) for value in many[:place]]
    second.load(first.save())
    found += [second.judge("a", value, 10.0) for value in many[place:]]
    assert found == wanted
    assert second.save() == whole.save()


def test_bounds() -> None:
    """Histories and series are bounded; the oldest series goes first."""
    limits = Limits(history=20, max_series=2)
    for number in range(100):
        limits.judge("a", float(number))
    limits.judge("b", 1.0)
    limits.judge("c", 1.0)
    small = Limits(history=20, max_series=2)
    small.judge("b", 1.0)
    small.judge("c", 1.0)
    assert limits.save() == small.save()
    with pytest.raises(ValueError, match="points must be 2 to 100, got 1"):
        Limits(points=1)
