"""P2 burst: `count` errors of a service within `window_ms`, and more than is usual for it.

Until the service's history has `history` windows, the count alone decides. From then on the
window must also hold more than the learned threshold, so that a busy service does not burst all
day (see baseline.py); or its last quarter more than the one for a quarter, which shows sooner.
"""

from typing import ClassVar, Final

from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.detect.shapes import OfService, above
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind

_PARTS: Final = 4


class Burst(OfService):
    """Confidence grows from 0.5 at the threshold to 0.99 far above it."""

    kind: ClassVar[PatternKind] = "burst"

    def __init__(self, policy: DetectorsPolicy) -> None:
        super().__init__(enabled=policy.burst.enabled, back_ms=policy.burst.window_ms)
        self._count = policy.burst.count
        self._seconds = policy.burst.window_ms / 1000
        self._slots = max(1, policy.burst.window_ms // policy.slot_ms)

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:  # noqa: ARG002 (one per service)
        """Counts the window that ends with slots[at]."""
        total, since = ring.total(at, self._slots)
        if total < self._count:
            return None
        window, seconds = ring.slots[at].number // self._slots, self._seconds
        unusual, mean = ring.baseline.expect(window)
        needed = max(self._count, unusual)
        if total < needed:
            total, since = ring.total(at, max(1, self._slots // _PARTS))
            needed = max(self._count, ring.baseline.expect_part(window, _PARTS))
            seconds, mean = seconds / _PARTS, mean / _PARTS
            if total < needed:
                return None
        usual = f"{mean:.1f} are usual" if mean else "none are usual"
        reason = f"{total} errors in {seconds:g} s, {needed} are a burst, {usual}"
        return above(total, needed, since, reason=reason, usual=mean / seconds)
