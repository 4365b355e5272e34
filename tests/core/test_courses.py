"""Values are odd in more ways than their latest course: records, silences, hours."""

import math

import msgspec
import pytest

from faultstream.core.courses import BLOCK
from faultstream.core.limits import Crossing, Limits
from faultstream.core.stretches import ROOM


def _run(values: list[float]) -> list[Crossing | None]:
    limits = Limits()
    return [limits.judge("a", one, either=True) for one in values]


def _spikes(count: int, height: float) -> list[float]:
    """A spike every 30 values."""
    return [height if number % 30 == 29 else 0.0 for number in range(30 * count)]


@pytest.mark.parametrize(("value", "told"), [(114.0, False), (116.0, True), (-16.0, True)])
def test_a_record_is_clearly_past_all_before(value: float, told: bool) -> None:
    """A value is one when it is past all others by more than .15 of their range, however little
    that is to the deviation."""
    found = _run([*[100.0 * (number % 2) for number in range(300)], value])
    assert not any(found[:-1])
    last = found[-1]
    assert (last is not None) is told
    if last is not None:
        assert (last.way, last.limit) == ("record", 100.0 if value > 0 else 0.0)


def test_silence_is_told_once() -> None:
    """What comes back time and again is missed when it stays away longer than ever, once."""
    assert not any(_run(_spikes(40, 5.0))[100:])
    found = [one for one in _run([*_spikes(40, 5.0), *([0.0] * 200)])[1200:] if one is not None]
    assert [one.way for one in found].count("silence") == 1
    (silence,) = [one for one in found if one.way == "silence"]
    assert silence.limit == 29.0
    assert silence.oddness >= 1.1


def test_a_day_without_its_hours() -> None:
    """A daily rise that does not come is told, though each short stretch of it was seen; the days
    before are not."""
    day = [20.0] * 180 + [80.0] * 108
    found = _run([*day * 10, *[20.0] * 288, *day])
    assert not any(found[288 * 2 : 288 * 10])
    missed = [one for one in found[288 * 10 : 288 * 11] if one is not None]
    assert [one.way for one in missed] == ["hours"]
    assert missed[0].hours == 20.0


def test_old_state_is_taken_up() -> None:
    """A state that was written before there were courses is still read."""
    limits, old = Limits(), Limits()
    for value in _spikes(10, 5.0):
        limits.judge("a", value)
    whole = msgspec.msgpack.decode(limits.save())
    old.load(msgspec.msgpack.encode({name: one[:-1] for name, one in whole.items()}))
    assert old.judge("a", 0.0) is None


def test_courses_are_bounded() -> None:
    """However long and varied a series is, what is kept of it is."""
    limits = Limits()
    for number in range(BLOCK * 60):
        limits.judge("a", math.sin(number * number) * number)
    assert len(limits.save()) < 100 * 9 * ROOM
