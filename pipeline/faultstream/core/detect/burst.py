"""P2 burst: `count` errors of a service within `window_ms`, and more than is usual for it.

Until the service's history has `history` windows, the count alone decides. From then on the
window must also hold more than the learned threshold, so that a busy service does not burst all
day (see baseline.py).
"""

from collections.abc import Iterable
from typing import ClassVar, Literal

from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind


class Burst:
    """Confidence grows from 0.5 at the threshold to 0.99 far above it."""

    kind: ClassVar[PatternKind] = "burst"
    scope: ClassVar[Literal["group", "service"]] = "service"
    keeps: ClassVar[Literal["event", "condition"]] = "condition"
    patient: ClassVar[bool] = False

    def __init__(self, policy: DetectorsPolicy) -> None:
        self._policy = policy.burst
        self._slots = max(1, policy.burst.window_ms // policy.slot_ms)

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
        newest = ring.slots[at].number
        unusual, mean = ring.baseline.expect(newest // self._slots)
        needed = max(self._policy.count, unusual)
        total, since = ring.total(at, self._slots)
        if total < needed:
            return None
        seconds = self._policy.window_ms / 1000
        usual = f"{mean:.1f} are usual" if mean else "none are usual"
        return Finding(
            since=since,
            needed=needed,
            confidence=min(0.99, round(1 - needed / (2 * total), 4)),
            reason=f"{total} errors in {seconds:g} s, {needed} are a burst, {usual}",
            baseline=round(mean / seconds, 4),
        )
