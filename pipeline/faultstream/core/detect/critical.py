"""P8 critical: one error of a critical severity is enough."""

from collections.abc import Iterable
from typing import ClassVar, Literal

from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind


class Critical:
    """Confidence is that of the classification."""

    kind: ClassVar[PatternKind] = "critical"
    scope: ClassVar[Literal["group", "service"]] = "group"
    keeps: ClassVar[Literal["event", "condition"]] = "event"
    patient: ClassVar[bool] = False

    def __init__(self, policy: DetectorsPolicy) -> None:
        self._policy = policy.critical
        self._severities = frozenset(policy.critical.severities)

    @property
    def enabled(self) -> bool:
        """Whether the topology wants it."""
        return self._policy.enabled

    @property
    def back_events(self) -> int:
        """It looks at the slot alone."""
        return 0

    @property
    def back_ms(self) -> int:
        """It needs no totals."""
        return 0

    def keys(self, ring: Ring, at: int) -> Iterable[str]:
        """Every group in the slot."""
        return ring.slots[at].cells

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
