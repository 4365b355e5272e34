"""Seasons: what each hour of the day has at its busiest, learned over the last three days.

A nightly batch is as usual as anything that always comes, though the hour before knows nothing of
it. Per hour of the day (UTC) the highest window of each of the last DAYS days is kept. What was
reached in two of them is usual in that hour; so one incident is not, however high. Bounded: 24
hours x DAYS numbers.
"""

from typing import Final

import msgspec

DAYS: Final = 3
_TWICE: Final = 2
_HOURS: Final = 24
_HOUR_MS: Final = 3_600_000


class Seasons(msgspec.Struct, array_like=True):
    """See the module. `count` events so far in `window`; `hour` since the epoch is the one that
    goes on, `peak` its highest window; `peaks` are those of the days before by hour of the day,
    the newest day last."""

    window: int = -1
    count: int = 0
    hour: int = -1
    peak: int = 0
    peaks: dict[int, list[int]] = {}

    def learn(self, window: int, window_ms: int, count: int) -> None:
        """Counts settled events; windows of `window_ms` come in ascending order."""
        if window == self.window:
            self.count += count
            return
        self.peak = max(self.peak, self.count)
        self.window, self.count = window, count
        hour = window * window_ms // _HOUR_MS
        if hour != self.hour:
            if self.hour >= 0:
                self._end(self.hour, self.peak)
                for silent in range(max(self.hour + 1, hour - DAYS * _HOURS), hour):
                    self._end(silent, 0)
            self.hour, self.peak = hour, 0

    def usual(self, window: int, window_ms: int) -> int:
        """The count that a window in this hour of the day reached on two of the days before; 0
        while that is not known."""
        days = self.peaks.get(window * window_ms // _HOUR_MS % _HOURS, ())
        return sorted(days)[-_TWICE] if len(days) >= _TWICE else 0

    def _end(self, hour: int, peak: int) -> None:
        days = self.peaks.setdefault(hour % _HOURS, [])
        days.append(peak)
        del days[:-DAYS]
