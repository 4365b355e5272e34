"""Courses: three more ways in which a value is unlike all that its series did before.

Stretches (stretches.py) look at the last 24 values and measure in deviations of the whole series.
They do not see

    hours    a rhythm that breaks slowly: the means of BLOCK values each, eight of them together,
             against the like of them before. Told only when nothing else was in all that time.
    record   a value beyond the range of all values by more than RECORD of that range, in a series
             whose extremes differ so widely that this is little to its deviation
    silence  a series that comes back to its usual value time and again, and now has stayed there
             longer than ever: what should have come did not. Told once each time.

RECORD is what Numenta's detector calls its spatial tolerance, there 0.05. Each number was chosen
in the middle of where it makes no difference: docs/how-to/measure-quality.md says what a fifth more
or less of it costs.
"""

from typing import Final, Literal

import msgspec

from faultstream.core.stretches import ROOM, Odd, Stretches

BLOCK: Final = 36
EVEN: Final = (1,) * 8
HOURS_BAR: Final = 0.9
_LEAST: Final = 0.4
"""A deviation of the means counts as at least this share of that of the values: where means are
mere noise, they are no rhythm."""
RECORD: Final = 0.15
_RECORD_WARM: Final = 200
LONGER: Final = 1.1
_STILL: Final = 0.5
_QUIET: Final = 18
_SHORTEST: Final = 48
_OFTEN: Final = 14
_ROOM: Final = ROOM // 4

Way = Literal["limit", "stretch", "hours", "record", "silence"]


class Strange(msgspec.Struct, frozen=True):
    """What is odd, and in which way. `beyond`: the mean of the block that made it so, the most
    extreme value before, or the longest time it was still before."""

    way: Way
    odd: Odd
    beyond: float


class Courses(msgspec.Struct, array_like=True):
    """What is remembered of one series besides its stretches: BLOCK values as their sum, ROOM / 4
    stretches of means, and six numbers."""

    blocks: Stretches = msgspec.field(default_factory=Stretches)
    total: float = 0.0
    part: int = 0
    low: float = 0.0
    high: float = 0.0
    quiet: int = 0
    longest: int = 0
    ended: int = 0
    told: bool = False
    last: int = -(1 << 40)

    def take(self, value: float, fine: Stretches, *, crossed: bool, room: int) -> Strange | None:
        """Learns the value, after `fine` did; in what way it is odd, if it is. `crossed`: whether
        it is so as a stretch already."""
        record = self._record(value, fine)
        silence = self._silence(value, fine)
        hours = self._hours(value, fine, room, crossed=crossed or record is not None)
        found = None if crossed else record or hours or silence
        if crossed or found is not None:
            self.last = fine.known
        return found

    def _record(self, value: float, fine: Stretches) -> Strange | None:
        if fine.known == 1:
            self.low = self.high = value
        low, high = self.low, self.high
        margin = RECORD * (high - low)
        self.low, self.high = min(low, value), max(high, value)
        if fine.known <= _RECORD_WARM or low - margin <= value <= high + margin:
            return None
        above = value > high
        edge = high if above else low
        spread = fine.deviation
        return Strange("record", Odd(abs(value - edge) / spread, edge, margin, above), edge)

    def _silence(self, value: float, fine: Stretches) -> Strange | None:
        if abs(value - fine.mean) > _STILL * fine.spread:
            if self.quiet >= _QUIET:
                self.longest = max(self.longest, self.quiet)
                self.ended += 1
            self.quiet, self.told = 0, False
            return None
        self.quiet += 1
        if self.told or self.ended < _OFTEN:
            return None
        if self.quiet < max(_SHORTEST, LONGER * self.longest):
            return None
        self.told = True
        odd = Odd(self.quiet / max(1, self.longest), fine.mean, fine.deviation, value > fine.mean)
        return Strange("silence", odd, float(self.longest))

    def _hours(self, value: float, fine: Stretches, room: int, *, crossed: bool) -> Strange | None:
        self.total += value
        self.part += 1
        if self.part < BLOCK:
            return None
        mean = self.total / BLOCK
        self.total, self.part = 0.0, 0
        odd = self.blocks.take(mean, min(room, _ROOM), EVEN, _LEAST * fine.deviation)
        if odd is None or odd.oddness < HOURS_BAR or crossed:
            return None
        recent = fine.known - self.last <= BLOCK * sum(EVEN)
        self.last = fine.known
        return None if recent else Strange("hours", odd, mean)
