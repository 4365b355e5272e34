"""What a service says of itself: requests, failures and latency over the last seconds."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

WINDOW_S: Final = 3
_MAX_LATENCIES: Final = 2_000


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Means over the last `WINDOW_S` whole seconds; the second under way is not in them."""

    rps: float = 0.0
    errors_per_s: float = 0.0
    degraded_per_s: float = 0.0
    """Answers from a fallback: right enough for the caller, not fresh."""
    p95_ms: float = 0.0
    requests: int = 0
    errors: int = 0
    degraded: int = 0
    """The last three count from the start of the process."""


class _Second:
    __slots__ = ("at", "degraded", "errors", "latencies", "requests")

    def __init__(self, at: int) -> None:
        self.at = at
        self.requests = self.errors = self.degraded = 0
        self.latencies: list[float] = []


class Meter:
    """Counts answers by whole second. Holds `WINDOW_S` + 1 seconds, 2,000 latencies each."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds: deque[_Second] = deque(maxlen=WINDOW_S + 1)
        self._total = _Second(0)

    def add(self, latency_ms: float, *, error: bool = False, degraded: bool = False) -> None:
        """One answer has been given."""
        at = int(self._clock())
        if not self._seconds or self._seconds[-1].at != at:
            self._seconds.append(_Second(at))
        for count in (self._seconds[-1], self._total):
            count.requests += 1
            count.errors += error
            count.degraded += degraded
        if len(self._seconds[-1].latencies) < _MAX_LATENCIES:
            self._seconds[-1].latencies.append(latency_ms)

    def rates(self) -> Rates:
        """What the last whole seconds say."""
        now = int(self._clock())
        seconds = [one for one in self._seconds if now - WINDOW_S <= one.at < now]
        latencies = sorted(value for one in seconds for value in one.latencies)
        return Rates(
            rps=sum(one.requests for one in seconds) / WINDOW_S,
            errors_per_s=sum(one.errors for one in seconds) / WINDOW_S,
            degraded_per_s=sum(one.degraded for one in seconds) / WINDOW_S,
            p95_ms=latencies[int(len(latencies) * 0.95)] if latencies else 0.0,
            requests=self._total.requests,
            errors=self._total.errors,
            degraded=self._total.degraded,
        )
