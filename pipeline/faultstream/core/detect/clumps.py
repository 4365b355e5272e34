"""Clumps: whether the errors of a service that seldom errs come one by one, or several at once.

Counted in windows of burst over the service's life. Windows that were a burst by number are left
out, so that incidents do not make clumps usual. Bounded: three numbers.
"""

from typing import Final

import msgspec

_SELDOM: Final = 3
"""One window in so many has errors at most; of others the law of their counts tells more."""
_BELIEVED: Final = (5, 6)
"""What is believed beforehand: so many clumps, of so many errors together."""


class Clumps(msgspec.Struct, array_like=True):
    """There was anything in `busy` windows, less than a burst in `small` of them, `events` in
    these."""

    busy: int = 0
    small: int = 0
    events: int = 0

    def learn(self, count: int, burst: int) -> None:
        """Counts a window that is over; `burst` events are one."""
        self.busy += 1
        if count < burst:
            self.small += 1
            self.events += count

    def follows(self, windows: float, history: int) -> float:
        """How likely an error of a clump is followed by another: n or more in a clump have the
        probability follows ^ (n - 1). `windows` is how long the service is known; 0.0 where that
        is less than `history`, or errors do not come seldom."""
        if windows < max(history, _SELDOM * self.busy):
            return 0.0
        clumps, events = _BELIEVED
        return 1 - (self.small + clumps) / (self.events + events)
