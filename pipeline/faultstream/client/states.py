"""What a circuit breaker says of itself: its states, its counts, its refusal."""

import enum
from typing import NamedTuple


class BreakerState(enum.Enum):
    """DISABLED and METRICS_ONLY let everything pass, FORCED_OPEN nothing; they last until ended."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    DISABLED = "disabled"
    METRICS_ONLY = "metrics_only"
    FORCED_OPEN = "forced_open"


class CallNotPermittedError(RuntimeError):
    """The breaker is open; `retry_after_ms` is when it may let a call through, 0 if unknown."""

    def __init__(self, name: str, state: BreakerState, retry_after_ms: int) -> None:
        # No super().__init__: the arguments are kept when the exception is made.
        self.name = name
        self.state = state
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        return f"circuit breaker {self.name or 'unnamed'} is {self.state.value}"


class BreakerMetrics(NamedTuple):
    """`not_permitted` counts since the breaker was made; the rest is the present window."""

    state: BreakerState
    calls: int
    failed: int
    slow: int
    failure_ratio: float
    slow_ratio: float
    not_permitted: int
