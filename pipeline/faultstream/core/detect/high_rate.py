"""P5 high rate: more than `per_second` events a second, and more than the service's busy windows.

A sixth of the window is enough when its rate is so far above that the whole window can hardly
stay below, and both of its halves are above. Until ten windows were seen, the rate alone decides.
From then on the window must also hold more than `factor` x the 95th percentile of the service's own
windows (row P10), so that a service that always has many errors is not at a high rate all day; and
more than this hour of the day reached on other days (see seasons.py).
"""

from typing import ClassVar, Final

from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.detect.shapes import SEASON, OfService, above
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind

_EARLY_PARTS: Final = 6
_EARLY_SPREADS: Final = 3.0
"""How many standard deviations (of chance) the early window must be above the rate."""


class HighRate(OfService):
    """Confidence grows from 0.5 at the threshold to 0.99 far above it."""

    kind: ClassVar[PatternKind] = "high_rate"

    def __init__(self, policy: DetectorsPolicy) -> None:
        super().__init__(enabled=policy.high_rate.enabled, back_ms=policy.high_rate.window_ms)
        self._factor = policy.high_rate.factor
        self._slots = max(1, policy.high_rate.window_ms // policy.slot_ms)
        self._learned_slots = max(1, policy.burst.window_ms // policy.slot_ms)
        self._window_ms = self._learned_slots * policy.slot_ms
        self._per_slot = policy.high_rate.per_second * policy.slot_ms / 1000
        self._plain = int(self._per_slot * self._slots)
        self._half = max(1, self._slots // _EARLY_PARTS // 2)
        early = self._per_slot * 2 * self._half
        self._early = int(early + _EARLY_SPREADS * early**0.5)

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:  # noqa: ARG002 (one per service)
        """Counts the window that ends with slots[at], and its last sixth."""
        window = ring.slots[at].number // self._learned_slots
        total, since = ring.total(at, self._slots)
        if total <= self._early:
            return None
        found = self._above(ring, window, total, since, plain=self._plain, slots=self._slots)
        if found is not None:
            return found
        total, since = ring.total(at, 2 * self._half)
        newer, _ = ring.total(at, self._half)
        if min(newer, total - newer) <= self._per_slot * self._half:
            return None
        return self._above(ring, window, total, since, plain=self._early, slots=2 * self._half)

    def _above(
        self, ring: Ring, window: int, total: int, since: int, *, plain: int, slots: int
    ) -> Finding | None:
        if total <= plain:
            return None
        part = slots / self._learned_slots
        busy = ring.baseline.percentile(window, 0.95) * part
        reached = ring.memory.seasons.usual(window, self._window_ms) * part
        needed = max(plain, int(self._factor * busy), int(SEASON * reached)) + 1
        if total < needed:
            return None
        seconds = slots * ring.slot_ms / 1000
        usual = f", in busy windows {busy / seconds:.1f} are usual" if busy else ""
        reason = f"{total / seconds:.1f} errors a second for {seconds:g} s{usual}"
        return above(total, needed, since, reason=reason, usual=busy / seconds)
