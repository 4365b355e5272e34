"""Calibration: probabilities that come true as often as they say, learned from their outcomes.

A model's probabilities fall into bins; each bin counts how often it came true. What a bin says is
its own mean prediction, believed like PRIOR outcomes, and what was seen. The bins are made
monotone (pool adjacent violators), and what lies between their means is interpolated. Outcomes of
a step apart mostly share one crossing, so each counts WEIGHT only; old ones fade.
"""

from bisect import bisect_right
from typing import Final

import msgspec

EDGES: Final = (0.01, 0.03, 0.08, 0.2, 0.4, 0.6, 0.8)
PRIOR: Final = 8.0
WEIGHT: Final = 0.03
_MOST: Final = 40.0


class Bin(msgspec.Struct, array_like=True):
    """Weights of all outcomes and of those that came true, and the sum of the predictions."""

    seen: float = 0.0
    came: float = 0.0
    said: float = 0.0


class Calibration(msgspec.Struct, array_like=True):
    """See the module. Bins without outcomes are left out."""

    bins: dict[int, Bin] = {}

    def learn(self, raw: float, *, came: bool) -> None:
        """Takes in what came of the prediction `raw`."""
        number = bisect_right(EDGES, raw)
        found = self.bins.get(number) or Bin()
        keep = 1.0 if found.seen < _MOST else 0.5
        self.bins[number] = Bin(
            found.seen * keep + WEIGHT,
            found.came * keep + (WEIGHT if came else 0.0),
            found.said * keep + WEIGHT * raw,
        )

    def apply(self, raw: float) -> float:
        """The probability that `raw` stands for, in 0..1; grows with `raw`."""
        points = self._points()
        at = bisect_right([x for x, _ in points], raw)
        (low, below), (high, above) = points[at - 1], points[min(at, len(points) - 1)]
        if high <= low:
            return above
        return below + (above - below) * (raw - low) / (high - low)

    def _points(self) -> list[tuple[float, float]]:
        """(raw, calibrated), both ascending, from 0 to 1."""
        pools: list[tuple[float, float, float]] = []
        for number in range(len(EDGES) + 1):
            found = self.bins.get(number) or Bin()
            low = EDGES[number - 1] if number else 0.0
            high = EDGES[number] if number < len(EDGES) else 1.0
            middle = found.said / found.seen if found.seen else (low + high) / 2
            weight = found.seen + PRIOR
            pools.append((middle * weight, weight, found.came + PRIOR * middle))
            while len(pools) > 1 and _share(pools[-2]) > _share(pools[-1]):
                x, n, y = pools.pop()
                x0, n0, y0 = pools.pop()
                pools.append((x0 + x, n0 + n, y0 + y))
        inner = [(x / n, y / n) for x, n, y in pools]
        return [(0.0, 0.0), *inner, (1.0, max(1.0, inner[-1][1]))]


def _share(pool: tuple[float, float, float]) -> float:
    return pool[2] / pool[1]
