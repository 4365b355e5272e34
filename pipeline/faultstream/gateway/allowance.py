"""Allowance: how many records each token may send, as a bucket that fills all the time."""

import time
from collections.abc import Callable
from typing import Final

MOST: Final = 10_000
"""Names that are remembered; there are as many as tokens, so this is never reached."""


class Allowance:
    """`per_s` records a second and name, `burst` at once; `per_s` 0 is no limit."""

    def __init__(
        self, per_s: float, burst: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s = per_s
        self._burst = max(1.0, burst)
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str, records: int) -> float:
        """Takes so many, when one is left; else the seconds until there is.

        The last request may take more than is left and so borrow: a batch that is larger than the
        burst still goes through, and is paid for by what comes after it.
        """
        if not self._per_s:
            return 0.0
        now = self._clock()
        left, since = self._left.get(name, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_s)
        if left < 1.0:
            self._left[name] = (left, now)
            return (1.0 - left) / self._per_s
        if len(self._left) >= MOST:
            self._left.clear()
        self._left[name] = (left - records, now)
        return 0.0
