"""Baseline: how many errors are usual for a service, learned from its own past.

Counts per window of `window_ms`, aligned to the epoch, over the last 60 windows, empty ones
included. The threshold is the smallest count that is less likely than `significance` under a
negative binomial law with the history's mean and variance (Poisson when the variance is not
larger than the mean). Windows of one or two earlier incidents are left out. At a slot in window k
only windows up to k - 2 count, and of a long history up to k - 12, so that neither the burst
itself, nor a slow rise to it, nor an unsettled slot is its own baseline.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import exp, lgamma, log, log1p, sqrt
from statistics import NormalDist
from typing import Final

from faultstream.core.policy import BurstPolicy

MEMORY: Final = 60
_EXACT_BELOW: Final = 3_000
_SKIP: Final = 2
_SKIP_MOST: Final = 12
_SKIP_SHARE: Final = 4
"""One in so many of the windows, the latest, is left out of a history that is long enough."""
_UPPER: Final = 5
"""One in so many windows, the highest, is measured by the others."""
_APART: Final = 5
_INCIDENTS: Final = 2
"""Unusual windows so close are one stretch; so many stretches in a history are incidents."""
_UNEVEN: Final = 1.5
_DOUBT: Final = 30
"""What is believed of the dispersion before anything was seen, and how many events outweigh it."""


class Baseline:
    """The history of one service: `counts[i]` are the events of window `first + i`."""

    __slots__ = ("_cached", "_parts", "counts", "first", "policy")

    def __init__(
        self, policy: BurstPolicy, first: int = 0, counts: list[int] | None = None
    ) -> None:
        self.policy = policy
        self.first = first
        self.counts = counts or []
        self._cached: tuple[tuple[int, int, int], tuple[int, float]] | None = None
        self._parts: tuple[tuple[int, float], int] | None = None

    def add(self, window: int, count: int) -> None:
        """Counts settled events; windows come in ascending order.

        After 60 empty windows the history starts anew, so that a service that was silent for so
        long is the same as a new one.
        """
        behind = window - (self.first + len(self.counts) - 1) if self.counts else 0
        if not self.counts or behind > MEMORY:
            self.first, self.counts = window, [0]
        elif behind > 0:
            self.counts.extend([0] * behind)
            surplus = len(self.counts) - MEMORY - _SKIP
            if surplus > 0:
                del self.counts[:surplus]
                self.first += surplus
        self.counts[-1] += count

    def expect(self, window: int) -> tuple[int, float]:
        """(least count that is unusual in `window`, mean count per window); (0, 0.0) if unknown."""
        newest = self.first + len(self.counts) - 1
        open_count = self.counts[-1] if self.counts and newest <= window - _SKIP else -1
        state = (window, newest, open_count)
        if self._cached is not None and self._cached[0] == state:
            return self._cached[1]
        counts = self._before(window)
        if len(counts) < self.policy.history:
            answer = (0, 0.0)
        else:
            mean, variance = self._law(counts)
            answer = (unusual(mean, variance, self.policy.significance), mean)
        self._cached = (state, answer)
        return answer

    def expect_part(self, window: int, parts: int) -> int:
        """The same least count for one of `parts` equal parts of a window; 0 if unknown. There are
        more parts than windows, so each must be less likely."""
        whole = self.expect(window)
        if not whole[0]:
            return 0
        if self._parts is None or self._parts[0] is not whole:
            mean, variance = self._law(self._before(window))
            found = unusual(mean / parts, variance / parts, self.policy.significance / parts)
            self._parts = (whole, found)
        return self._parts[1]

    def percentile(self, window: int, share: float) -> float:
        """The count per window that `share` of the history does not exceed; 0.0 if unknown."""
        known = self._before(window)
        if len(known) < self.policy.history:
            return 0.0
        counts = sorted(self._ordinary(known))
        return float(counts[min(len(counts) - 1, int(share * len(counts)))])

    def usual(self, window: int, skip: int) -> tuple[float, float] | None:
        """(mean, variance) per window of the history up to window - `skip`; None if unknown."""
        counts = self._known(window)[: _SKIP - max(skip, _SKIP) or None]
        return self._law(counts) if len(counts) >= self.policy.history else None

    def _before(self, window: int) -> list[int]:
        """What windows near `window` are measured by."""
        counts = self._known(window)
        left_out = min(_SKIP_MOST, len(counts) // _SKIP_SHARE) - _SKIP
        return counts[:-left_out] if left_out > 0 else counts

    def _known(self, window: int) -> list[int]:
        if not self.counts or window - (self.first + len(self.counts) - 1) > MEMORY:
            return []
        known = window - _SKIP + 1 - self.first
        if known <= 0:
            return []
        counts = self.counts[:known]
        counts += [0] * (known - len(counts))
        return counts[-MEMORY:]

    def _law(self, counts: list[int]) -> tuple[float, float]:
        return law(self._ordinary(counts))

    def _ordinary(self, counts: list[int]) -> list[int]:
        """Without incidents: windows that are unusual beside the lower four fifths, in at most two
        stretches. More often, or for longer, and they belong to what is usual."""
        ordered = sorted(counts)
        lower = ordered[: len(ordered) - len(ordered) // _UPPER]
        if ordered[-1] <= max(self.policy.count, 2 * lower[-1]):
            return counts
        most = max(self.policy.count, unusual(*law(lower), self.policy.significance))
        high = [at for at, count in enumerate(counts) if count > most]
        if 1 + sum(b - a > _APART for a, b in pairwise(high)) > _INCIDENTS:
            return counts
        return [count for count in counts if count <= most]


def law(counts: Sequence[int]) -> tuple[float, float]:
    """Mean and variance that counts tell; the fewer events they are, the less they say of the
    variance, of which then something is believed beforehand."""
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / len(counts)
    total = mean * len(counts)
    return mean, (_UNEVEN * _DOUBT * mean + variance * total) / (_DOUBT + total)


def unusual(mean: float, variance: float, significance: float) -> int:
    """The smallest n with P(X >= n) < significance, X negative binomial or Poisson.

    Exact up to a few thousand, beyond that the normal law with a correction for skewness.
    """
    if mean <= 0:
        return 1
    variance = max(variance, mean)
    sd = sqrt(variance)
    z = -NormalDist().inv_cdf(significance)
    skew = (2 * variance - mean) / (mean * sd)
    near = mean + sd * (z + (z * z - 1) * skew / 6)
    if near > _EXACT_BELOW:
        return int(near) + 1
    size = mean * mean / (variance - mean) if variance > mean * (1 + 1e-9) else 0.0
    below = 0.0
    n = 0
    while 1.0 - below >= significance and n <= 4 * _EXACT_BELOW:
        below += exp(_log_probability(n, mean, size))
        n += 1
    return n


def _log_probability(n: int, mean: float, size: float) -> float:
    if not size:
        return n * log(mean) - mean - lgamma(n + 1)
    return (
        lgamma(n + size)
        - lgamma(size)
        - lgamma(n + 1)
        - size * log1p(mean / size)
        + n * log(mean / (size + mean))
    )
