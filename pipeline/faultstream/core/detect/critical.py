"""P8 critical: one error of a critical severity is enough; one that pauses is one episode."""

from typing import ClassVar

from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.detect.shapes import QUIET_MOST, OfGroup
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind


class Critical(OfGroup):
    """Confidence is that of the classification."""

    kind: ClassVar[PatternKind] = "critical"

    def __init__(self, policy: DetectorsPolicy) -> None:
        super().__init__(enabled=policy.critical.enabled)
        self._severities = frozenset(policy.critical.severities)
        self.pause_ms = QUIET_MOST * policy.quiet_ms

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:
        """Looks at the severity of the group in slots[at]."""
        slot = ring.slots[at]
        cell = slot.cells.get(key)
        if cell is None or cell.group.verdict.severity not in self._severities:
            return None
        verdict = cell.group.verdict
        return Finding(
            since=slot.number,
            needed=1,
            confidence=round(verdict.confidence, 4),
            reason=f"one {verdict.severity} error is enough",
        )
