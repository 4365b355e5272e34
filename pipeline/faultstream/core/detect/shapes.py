"""Shapes: what detectors of the same shape share; each adds its kind and its `find`."""

from collections.abc import Iterable
from typing import ClassVar, Final, Literal

from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.records import PatternKind

UNEVEN: Final = 1.5
"""Rates are taken for this much higher than they were: errors come in clumps."""

SEASON: Final = 1.25
"""More than so many times what an hour of the day reached before is no habit of that hour."""


QUIET_MOST: Final = 10
"""Where an episode lasts over pauses, these are at most so many times the quiet of the policy."""


class OfService:
    """Asked about a service as a whole; an episode lasts while the condition holds."""

    kind: ClassVar[PatternKind]
    scope: ClassVar[Literal["group", "service"]] = "service"
    patient: ClassVar[bool] = False

    def __init__(self, *, enabled: bool, back_ms: int = 0) -> None:
        self.enabled = enabled
        self.back_events = 0
        self.back_ms = back_ms
        self.pause_ms = 0

    def keys(self, ring: Ring, at: int) -> Iterable[str]:  # noqa: ARG002 (one per service)
        """The service as a whole."""
        return ("",)

    def lasts(self, ring: Ring, at: int, key: str) -> bool:  # noqa: ARG002 (the condition decides)
        """Never without the condition."""
        return False


class OfGroup:
    """Asked per fingerprint; an episode lasts while events of it come."""

    kind: ClassVar[PatternKind]
    scope: ClassVar[Literal["group", "service"]] = "group"
    patient: ClassVar[bool] = False

    def __init__(self, *, enabled: bool, back_events: int = 0) -> None:
        self.enabled = enabled
        self.back_events = back_events
        self.back_ms = 0
        self.pause_ms = 0

    def keys(self, ring: Ring, at: int) -> Iterable[str]:
        """Every group in the slot."""
        return ring.slots[at].cells

    def lasts(self, ring: Ring, at: int, key: str) -> bool:  # noqa: ARG002 (any event will do)
        """As long as events of the group come."""
        return True


def above(total: int, needed: int, since: int, *, reason: str, usual: float) -> Finding:
    """The finding for a window that holds `total` events where `needed` are too many; `usual` is
    in events a second. Confidence grows from 0.5 at the threshold to 0.99 far above it."""
    return Finding(
        since=since,
        needed=needed,
        confidence=min(0.99, round(1 - needed / (2 * total), 4)),
        reason=reason,
        baseline=round(usual, 4),
    )
