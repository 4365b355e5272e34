"""Limits of measured values, learned from their own history (row P10 for metrics).

Until `points` values are known, a value is held against the static limit that came with it, if
any. From then on against the 95th percentile of its history plus the distance of that from the
median, so that the ordinary spread of a value does not cross it. Crossing means `patience` values
in a row past the limit; it lasts as long as they stay there. Values past the limit are learned
once they turn out to be lone ones, or when more than `points` came in a row: a level that stays
becomes the ordinary one.
"""

from typing import Final

import msgspec

POINTS: Final = 10
HISTORY: Final = 500
PATIENCE: Final = 3
MAX_SERIES: Final = 10_000


class Crossing(msgspec.Struct, frozen=True):
    """A value that is past its limit. `points` is how much history the limit was learned from."""

    value: float
    limit: float
    learned: bool
    points: int


class _Series(msgspec.Struct, array_like=True):
    values: list[float]
    past: int = 0
    waiting: list[float] = []


class Limits:
    """The histories of up to `max_series` series; a new one beyond them replaces the oldest."""

    def __init__(
        self,
        *,
        points: int = POINTS,
        history: int = HISTORY,
        patience: int = PATIENCE,
        max_series: int = MAX_SERIES,
    ) -> None:
        if not 2 <= points <= history:
            raise ValueError(f"points must be 2 to {history}, got {points}")
        self._points = points
        self._history = history
        self._patience = patience
        self._max_series = max_series
        self._series: dict[str, _Series] = {}

    def judge(
        self, key: str, value: float, static: float | None = None, *, below: bool = False
    ) -> Crossing | None:
        """Learns the value; returns the crossing that it belongs to, if it does.

        With `below`, values under the limit are the bad ones. A static limit is taken at its
        word: the first value past it crosses.
        """
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= self._max_series:
                del self._series[next(iter(self._series))]
            series = self._series[key] = _Series([])
        known = len(series.values)
        learned = known >= self._points
        limit = _limit(series.values, below=below) if learned else static
        if limit is None or not (value < limit if below else value > limit):
            if series.past < self._patience:
                self._learn(series, *series.waiting)
            self._learn(series, value)
            series.past, series.waiting = 0, []
            return None
        series.past += 1
        if not learned:
            self._learn(series, value)
        else:
            series.waiting.append(value)
            if len(series.waiting) > self._points:
                self._learn(series, series.waiting.pop(0))
            if series.past < self._patience:
                return None
        return Crossing(value, limit, learned, known)

    def _learn(self, series: _Series, *values: float) -> None:
        series.values.extend(values)
        del series.values[: -self._history]

    def save(self) -> bytes:
        """The histories as bytes."""
        return msgspec.msgpack.encode(self._series)

    def load(self, raw: bytes) -> None:
        """Take up what `save` wrote."""
        self._series = msgspec.msgpack.decode(raw, type=dict[str, _Series])


def _limit(values: list[float], *, below: bool) -> float:
    ordered = sorted(values, reverse=below)
    last = len(ordered) - 1
    outer, middle = ordered[round(0.95 * last)], ordered[last // 2]
    return outer + (outer - middle)
