"""P5 high rate: more than `per_second` events a second, and more than the service's busy windows.

Until ten windows were seen, the rate alone decides. From then on the window must also hold more
than `factor` x the 95th percentile of the service's own windows (row P10), so that a service that
always has many errors is not at a high rate all day.
"""

from collections.abc import Iterable
from typing import ClassVar, Literal

from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind


class HighRate:
    """Confidence grows from 0.5 at the threshold to 0.99 far above it."""

    kind: ClassVar[PatternKind] = "high_rate"
    scope: ClassVar[Literal["group", "service"]] = "service"
    keeps: ClassVar[Literal["event", "condition"]] = "condition"
    patient: ClassVar[bool] = False

    def __init__(self, policy: DetectorsPolicy) -> None:
        self._policy = policy.high_rate
        self._slots = max(1, policy.high_rate.window_ms // policy.slot_ms)
        self._learned_slots = max(1, policy.burst.window_ms // policy.slot_ms)
        self._plain = int(policy.high_rate.per_second * self._slots * policy.slot_ms / 1000)

    @property
    def enabled(self) -> bool:
        """Whether the topology wants it."""
        return self._policy.enabled

    @property
    def back_events(self) -> int:
        """It looks at totals only."""
        return 0

    @property
    def back_ms(self) -> int:
        """It looks at the totals of one window."""
        return self._policy.window_ms

    def keys(self, ring: Ring, at: int) -> Iterable[str]:  # noqa: ARG002 (one per service)
        """The service as a whole."""
        return ("",)

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:  # noqa: ARG002 (one per service)
        """Counts the window that ends with slots[at]."""
        total, since = ring.total(at, self._slots)
        if total <= self._plain:
            return None
        window = ring.slots[at].number // self._learned_slots
        busy = ring.baseline.percentile(window, 0.95) * self._slots / self._learned_slots
        needed = max(self._plain, int(self._policy.factor * busy)) + 1
        if total < needed:
            return None
        seconds = self._slots * ring.slot_ms / 1000
        usual = f", in busy windows {busy / seconds:.1f} are usual" if busy else ""
        return Finding(
            since=since,
            needed=needed,
            confidence=min(0.99, round(1 - needed / (2 * total), 4)),
            reason=f"{total / seconds:.1f} errors a second for {seconds:g} s{usual}",
            baseline=round(busy / seconds, 4),
        )
