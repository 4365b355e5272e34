"""What the last calls were like: the last N of them, or those of the last N seconds."""

from collections import deque
from typing import Final, NamedTuple, Protocol

Counts = tuple[int, int, int]

FAILED: Final = 1
SLOW: Final = 2


class Snapshot(NamedTuple):
    """Counts of a window; a slow failure is in both."""

    calls: int
    failed: int
    slow: int

    @property
    def failure_ratio(self) -> float:
        """Share of failed calls, 0..1; 0 without calls."""
        return self.failed / self.calls if self.calls else 0.0

    @property
    def slow_ratio(self) -> float:
        """Share of slow calls, 0..1; 0 without calls."""
        return self.slow / self.calls if self.calls else 0.0


class Window(Protocol):
    """Takes outcomes, bits of FAILED and SLOW."""

    def record(self, outcome: int, now_s: float) -> Counts:
        """Add a call that ended now; calls, failed and slow ones that the window holds then."""

    def snapshot(self, now_s: float) -> Snapshot:
        """What the window holds."""


class CountWindow:
    """The last `size` calls. Keeps the bad ones by their number, so good ones cost nothing."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._total = 0
        self._bad: deque[int] = deque()
        """Number of the call, and its outcome in the lowest two bits."""
        self._failed = 0
        self._slow = 0

    def record(self, outcome: int, now_s: float) -> Counts:  # noqa: ARG002
        """Add a call; the oldest one leaves when it is full."""
        self._total += 1
        if outcome:
            self._bad.append(self._total << 2 | outcome)
            self._failed += outcome & FAILED
            self._slow += (outcome & SLOW) >> 1
        self._evict()
        return min(self._total, self._size), self._failed, self._slow

    def succeed(self, many: int) -> None:
        """Add so many good calls."""
        self._total += many
        self._evict()

    def snapshot(self, now_s: float) -> Snapshot:  # noqa: ARG002 - the time means nothing here
        """Counts of the last calls."""
        return Snapshot(min(self._total, self._size), self._failed, self._slow)

    def _evict(self) -> None:
        bad, gone = self._bad, (self._total - self._size + 1) << 2
        while bad and bad[0] < gone:
            outcome = bad.popleft()
            self._failed -= outcome & FAILED
            self._slow -= (outcome & SLOW) >> 1


class TimeWindow:
    """Calls of the present second and the `seconds` - 1 before it, in buckets of a second."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._buckets: deque[list[int]] = deque()
        self._totals = [0, 0, 0]

    def record(self, outcome: int, now_s: float) -> Counts:
        """Add a call to the bucket of its second."""
        second = int(now_s)
        self._evict(second)
        if not self._buckets or self._buckets[-1][0] != second:
            self._buckets.append([second, 0, 0, 0])
        bucket = self._buckets[-1]
        for place, amount in enumerate((1, outcome & FAILED, (outcome & SLOW) >> 1)):
            bucket[place + 1] += amount
            self._totals[place] += amount
        calls, failed, slow = self._totals
        return calls, failed, slow

    def snapshot(self, now_s: float) -> Snapshot:
        """Counts of the seconds in the window."""
        self._evict(int(now_s))
        return Snapshot(*self._totals)

    def _evict(self, second: int) -> None:
        while self._buckets and self._buckets[0][0] <= second - self._seconds:
            for place, amount in enumerate(self._buckets.popleft()[1:]):
                self._totals[place] -= amount
