"""P7 periodic: a fingerprint that comes like clockwork, as the failures of a scheduled job do.

Its last gaps (between the beginnings of occurrences; events closer together than half of
`min_period_ms` are one) lie within `tolerance_ratio` of their median. With `gaps` of them all
must, and of every two more one may be out, so that a missed run does not hide the rest.
"""

from collections.abc import Iterator
from statistics import median
from typing import ClassVar

from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.detect.shapes import OfGroup
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind


class Periodic(OfGroup):
    """Confidence is the share of gaps that fit, times 0.95."""

    kind: ClassVar[PatternKind] = "periodic"
    patient: ClassVar[bool] = True

    def __init__(self, policy: DetectorsPolicy) -> None:
        super().__init__(enabled=policy.periodic.enabled)
        self._policy = policy.periodic
        self._slot_ms = policy.slot_ms

    def keys(self, ring: Ring, at: int) -> Iterator[str]:
        """Those with enough gaps."""
        traces, needed = ring.memory.traces, self._policy.gaps - 1
        for key in ring.slots[at].cells:
            trace = traces.get(key)
            if trace is not None and len(trace.gaps) >= needed:
                yield key

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:
        """Looks at the gap that ends with slots[at] and those before."""
        policy, slot = self._policy, ring.slots[at]
        cell, trace = slot.cells[key], ring.memory.traces.get(key)
        if trace is None or cell.first_ms - trace.last_ms < policy.min_period_ms // 2:
            return None
        gaps = [*trace.gaps, slot.number - trace.start][-12:]
        if len(gaps) < policy.gaps:
            return None
        period = median(gaps)
        if period * self._slot_ms < policy.min_period_ms:
            return None
        near = max(1.0, policy.tolerance_ratio * period)
        fit = sum(1 for gap in gaps if abs(gap - period) <= near)
        if len(gaps) - fit > (len(gaps) - policy.gaps) // 2:
            return None
        period_ms = int(period * self._slot_ms)
        return Finding(
            since=slot.number,
            needed=1,
            confidence=round(0.95 * fit / len(gaps), 4),
            reason=f"every {period_ms / 1000:g} s, {fit} of the last {len(gaps)} times",
            earlier=len(gaps),
            earlier_ms=(slot.number - sum(gaps)) * self._slot_ms,
            quiet_ms=int(2.5 * period_ms),
        )
