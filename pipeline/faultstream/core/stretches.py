"""Stretches: how unlike the latest values of a series are to everything that it did before.

A stretch is the last SPAN values, described by nine means: the newest four one by one, then two of
two, two of four and one of eight values. Its oddness is the distance to the nearest stretch that
is remembered, root mean square, in standard deviations of the series. So a level, a spike, a drop,
a wrong rhythm and a flat line are all odd where they never were before, and none of them is once
it has become a habit; seasons need no clock, because their stretches are remembered.

A stretch is remembered SPAN values later, unless one like it is; when there is no room the one
that was not seen for longest goes. Nearest neighbours as a measure of novelty: Keogh et al.,
discords; Lu et al., DAMP.
"""

from bisect import bisect_left, insort
from math import dist, sqrt
from typing import Final

import msgspec

WIDTHS: Final = (1, 1, 1, 1, 2, 2, 4, 4, 8)
SPAN: Final = sum(WIDTHS)
_MORE: Final = 30
WARM: Final = 2 * SPAN + _MORE
"""Values before anything is odd."""
ROOM: Final = 512
_LIKE: Final = 0.2
_FLAT: Final = 1e-3
_MEMORY: Final = 10_000
"""Mean and deviation are of about so many values."""

Widths = tuple[int, ...]
Shape = tuple[float, ...]
Kept = tuple[float, Shape]
"""A stretch with the mean of its means, by which stretches are sorted."""


class Odd(msgspec.Struct, frozen=True):
    """How unlike the latest values are; `usual` is what the likest stretch had as its newest
    value, `spread` a standard deviation, `higher` whether the newest four values lie above it."""

    oddness: float
    usual: float
    spread: float
    higher: bool


class Stretches(msgspec.Struct, array_like=True):
    """What is remembered of one series: at most 2 x SPAN values and `room` stretches. `seen` is in
    the order in which they were seen last."""

    known: int = 0
    mean: float = 0.0
    squares: float = 0.0
    tail: list[float] = []
    kept: list[Kept] = []
    seen: dict[Shape, int] = {}

    def take(
        self, value: float, room: int = ROOM, widths: Widths = WIDTHS, least: float = 0.0
    ) -> Odd | None:
        """Learns the value; how odd it is with those before it. None while too few are known.

        A series has the same `widths` for ever. `least`: its deviation counts as no less.
        """
        span = SPAN if widths is WIDTHS else sum(widths)
        self.known += 1
        weight = min(self.known, _MEMORY)
        step = value - self.mean
        self.mean += step / weight
        self.squares += step * (value - self.mean)
        if weight == _MEMORY:
            self.squares *= 1 - 1 / _MEMORY
        self.tail.append(value)
        if len(self.tail) > 2 * span:
            del self.tail[0]
        if self.known < 2 * span:
            return None
        spread = max(self.deviation, least)
        self._remember(_shape(self.tail[:span], widths), _LIKE * spread, room)
        if self.known < 2 * span + _MORE:
            return None
        shape = _shape(self.tail[span:], widths)
        distance, near = self._nearest(shape)
        higher = sum(shape[:4]) > sum(near[:4])
        return Odd(distance / spread, near[0], spread, higher)

    @property
    def spread(self) -> float:
        """The standard deviation of the values."""
        return sqrt(max(0.0, self.squares) / min(max(1, self.known), _MEMORY))

    @property
    def deviation(self) -> float:
        """The same, but never nothing: a flat series has a thousandth of its level."""
        return max(self.spread, _FLAT * abs(self.mean), 1e-12)

    def _remember(self, shape: Shape, like: float, room: int) -> None:
        if self.kept:
            distance, near = self._nearest(shape)
            if distance <= like:
                del self.seen[near]
                self.seen[near] = self.known
                return
        while len(self.kept) >= room:
            oldest = next(iter(self.seen))
            del self.seen[oldest]
            del self.kept[bisect_left(self.kept, (sum(oldest) / len(oldest), oldest))]
        insort(self.kept, (sum(shape) / len(shape), shape))
        self.seen[shape] = self.known

    def _nearest(self, shape: Shape) -> tuple[float, Shape]:
        """(distance, stretch): outwards from the one with the likest mean, until the difference
        of the means alone is larger than the distance to the best so far."""
        kept = self.kept
        mean = sum(shape) / len(shape)
        up = bisect_left(kept, (mean, shape))
        down = up - 1
        reach = sqrt(len(shape))
        best, near = float("inf"), shape
        while True:
            above = kept[up][0] - mean if up < len(kept) else float("inf")
            below = mean - kept[down][0] if down >= 0 else float("inf")
            if min(above, below) * reach >= best:
                break
            if above <= below:
                one = kept[up][1]
                up += 1
            else:
                one = kept[down][1]
                down -= 1
            far = dist(shape, one)
            if far < best:
                best, near = far, one
        return best / reach, near


def _shape(values: list[float], widths: Widths) -> Shape:
    """The means of so many values each, from the newest backwards."""
    end, found = len(values), []
    for width in widths:
        found.append(sum(values[end - width : end]) / width)
        end -= width
    return tuple(found)
