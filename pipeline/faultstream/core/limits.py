"""Limits of measured values, learned from their own history (row P10 for metrics).

Until `points` values are known, a value is held against the static limit that came with it, if
any. Then against the 95th percentile of its history plus the distance of that from the median;
`patience` values in a row past it cross, and are learned once they turn out to be lone ones or
when more than `points` came in a row. Once WARM values are known, stretches.py decides: a value
crosses when the latest values are at least `bar` unlike everything before, on the bad side of what
was likest, or when it is strange in one of the ways of courses.py. What was odd becomes ordinary
when it stays or comes back often enough.

The bar is one for all series. It was chosen on one group of real series and held on others; see
benchmarks/quality/series.py.
"""

from typing import Final

import msgspec

from faultstream.core.courses import Courses, Strange, Way
from faultstream.core.stretches import ROOM, SPAN, Odd, Stretches

POINTS: Final = 10
HISTORY: Final = 100
PATIENCE: Final = 3
BAR: Final = 1.1
MAX_SERIES: Final = 10_000
_ALL_ROOM: Final = 256_000
_LEAST_ROOM: Final = 24
_AGAIN: Final = 2 * SPAN


class Crossing(msgspec.Struct, frozen=True):
    """A value that is past its limit. `points` is how much history the limit was learned from.

    `low` and `high` bound what was expected, as far as it was learned. `lasting` counts the
    values since this crossing began, 0 for the first; after 48 it begins anew. `oddness` is the
    unlikeness in standard deviations, 0.0 where a plain limit decided. `way` is what decided, see
    courses.py: for `record` the limit is the most extreme value so far, for `silence` the longest
    time it ever stayed at its usual value, in values, and `oddness` how many times that it is now.
    `hours` is the mean of the latest values that a crossing of that way was judged by.
    """

    value: float
    limit: float
    learned: bool
    points: int
    low: float | None = None
    high: float | None = None
    lasting: int = 0
    oddness: float = 0.0
    way: Way = "limit"
    hours: float = 0.0


class _Series(msgspec.Struct, array_like=True):
    values: list[float] = []
    past: int = 0
    waiting: list[float] = []
    stretches: Stretches = msgspec.field(default_factory=Stretches)
    began: int = -_AGAIN
    courses: Courses = msgspec.field(default_factory=Courses)


class Limits:
    """The histories of up to `max_series` series; a new one beyond them replaces the oldest.

    All of them share room for a quarter of a million stretches, at most ROOM each.
    """

    def __init__(
        self,
        *,
        points: int = POINTS,
        history: int = HISTORY,
        patience: int = PATIENCE,
        bar: float = BAR,
        max_series: int = MAX_SERIES,
    ) -> None:
        if not 2 <= points <= history:
            raise ValueError(f"points must be 2 to {history}, got {points}")
        self._points = points
        self._history = history
        self._patience = patience
        self._bar = bar
        self._max_series = max_series
        self._series: dict[str, _Series] = {}

    def judge(
        self,
        key: str,
        value: float,
        static: float | None = None,
        *,
        below: bool = False,
        either: bool = False,
    ) -> Crossing | None:
        """Learns the value; returns the crossing that it belongs to, if it does.

        With `below`, values under the limit are the bad ones; with `either`, both sides are bad
        as soon as they were learned. A static limit is taken at its word: the first value past it
        crosses.
        """
        above, below = either or not below, either or below
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= self._max_series:
                del self._series[next(iter(self._series))]
            series = self._series[key] = _Series()
        room = max(_LEAST_ROOM, min(ROOM, _ALL_ROOM // len(self._series)))
        known = series.stretches.known
        odd = series.stretches.take(value, room)
        found: Crossing | None = None
        crossed = odd is not None and odd.oddness >= self._bar
        strange = series.courses.take(value, series.stretches, crossed=crossed, room=room)
        if odd is None:
            found = self._plain(series, value, static, above=above, below=below)
        elif crossed and (above if odd.higher else below):
            found = _unlike(odd, value, known)
        elif strange is not None and (above if strange.odd.higher else below):
            found = _strange(strange, value, known)
        if found is None:
            return None
        if known - series.began >= _AGAIN:
            series.began = known
        return msgspec.structs.replace(found, lasting=known - series.began)

    def _plain(
        self, series: _Series, value: float, static: float | None, *, above: bool, below: bool
    ) -> Crossing | None:
        known = len(series.values)
        learned = known >= self._points
        low, high = _range(series.values) if learned else (static, static)
        limit: float | None = None
        if above and high is not None and value > high:
            limit = high
        elif below and (learned or not above) and low is not None and value < low:
            limit = low
        if limit is None:
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
        if not learned:
            low = high = None
        return Crossing(value, limit, learned=learned, points=known, low=low, high=high)

    def _learn(self, series: _Series, *values: float) -> None:
        series.values.extend(values)
        del series.values[: -self._history]

    def save(self) -> bytes:
        """The histories as bytes."""
        return msgspec.msgpack.encode(self._series)

    def load(self, raw: bytes) -> None:
        """Take up what `save` wrote.

        Raises:
            msgspec.DecodeError: these bytes are none of ours.
        """
        self._series = msgspec.msgpack.decode(raw, type=dict[str, _Series])


def _unlike(odd: Odd, value: float, known: int) -> Crossing:
    low, high = odd.usual - odd.spread, odd.usual + odd.spread
    return Crossing(
        value,
        high if odd.higher else low,
        learned=True,
        points=known,
        low=low,
        high=high,
        oddness=odd.oddness,
        way="stretch",
    )


def _strange(found: Strange, value: float, known: int) -> Crossing:
    odd = found.odd
    crossing = _unlike(odd, value, known)
    if found.way == "hours":
        return msgspec.structs.replace(crossing, hours=found.beyond, way="hours")
    return msgspec.structs.replace(crossing, limit=found.beyond, way=found.way)


def _range(values: list[float]) -> tuple[float, float]:
    """The 5th and 95th percentile, each moved outwards by its distance from the median."""
    ordered = sorted(values)
    last = len(ordered) - 1
    low, middle, high = ordered[round(0.05 * last)], ordered[last // 2], ordered[round(0.95 * last)]
    return low - (middle - low), high + (high - middle)
