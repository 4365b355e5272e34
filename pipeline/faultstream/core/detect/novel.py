"""P6 novel: a fingerprint that the service never had before, and that stays.

It must come `count` times within `fresh_ms` of its first event. A service's first `learn_ms`
teach what it has; a service silent for about an hour is new again. Where first sights are
common (more than `usual` in the last hour), they are no news.
"""

from collections.abc import Iterator
from typing import ClassVar, Final, Literal

from faultstream.core.detect.memory import Sizes
from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind
from faultstream.core.tally import FOLDED

_ABSENT: Final = 7
"""At its rate it would have come this often before, had it not been new (e^-7 < 0.001)."""
_HOUR_MS: Final = 3_600_000


class Novel:
    """Confidence falls from 0.95 with the number of other first sights in the hour before."""

    kind: ClassVar[PatternKind] = "novel"
    scope: ClassVar[Literal["group", "service"]] = "group"
    keeps: ClassVar[Literal["event", "condition"]] = "event"
    patient: ClassVar[bool] = True

    def __init__(self, policy: DetectorsPolicy) -> None:
        self._policy = policy.novel
        self._sizes = Sizes(policy)

    @property
    def enabled(self) -> bool:
        """Whether the topology wants it."""
        return self._policy.enabled

    @property
    def back_events(self) -> int:
        """It remembers fingerprints itself."""
        return 0

    @property
    def back_ms(self) -> int:
        """It needs no totals."""
        return 0

    def keys(self, ring: Ring, at: int) -> Iterator[str]:
        """Those that were seen fewer than `count` times so far."""
        traces, count = ring.memory.traces, self._policy.count
        for key in ring.slots[at].cells:
            trace = traces.get(key)
            if (trace is None or trace.count < count) and not key.startswith(FOLDED):
                yield key

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:
        """Whether slots[at] holds the event that completes the count."""
        slot, memory, policy = ring.slots[at], ring.memory, self._policy
        cell, trace = slot.cells[key], memory.traces.get(key)
        before = 0 if trace is None else trace.count
        if before >= policy.count or before + cell.count < policy.count:
            return None
        first_ms = cell.first_ms if trace is None else trace.first_ms
        if not memory.since_ms or memory.silent(slot.number, self._sizes):
            return None
        if (
            first_ms - memory.since_ms < policy.learn_ms
            or cell.last_ms - first_ms > policy.fresh_ms
        ):
            return None
        sights = sum(1 for at_ms in memory.sights if at_ms > first_ms - _HOUR_MS)
        if sights > policy.usual:
            return None
        age_ms = max(cell.last_ms - first_ms, ring.slot_ms)
        if first_ms - memory.since_ms < _ABSENT * age_ms / (before + cell.count):
            return None
        age = (cell.last_ms - first_ms) / 1000
        return Finding(
            since=slot.number,
            needed=policy.count - before,
            confidence=round(0.95 - 0.4 * sights / (policy.usual + 1), 4),
            reason=f"first seen {age:.0f} s before, {before + cell.count} times since",
            earlier=before,
            earlier_ms=first_ms,
        )
