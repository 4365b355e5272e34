"""P6 novel: a fingerprint that the service never had before, and that stays.

It must come `count` times within `fresh_ms` of its first event. A service's first `learn_ms`
teach what it has; a service silent for about an hour is new again. Where first sights are
common (more than `usual` in the last hour), they are no news. And that it never came before must
be unlikely at the rate at which it comes now. While a release goes out it takes twice the count.
"""

from collections.abc import Iterator
from typing import ClassVar, Final

from faultstream.core.detect.chance import events_tail
from faultstream.core.detect.memory import Sizes
from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.detect.shapes import OfGroup
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind
from faultstream.core.tally import FOLDED

_HOUR_MS: Final = 3_600_000
_RESTART: Final = 2
_QUIET_GAPS: Final = 3
"""An episode lasts over pauses of so many of its mean gaps, so that a slow error is one; and as
long as the error counts as new, so that it is new only once."""


class Novel(OfGroup):
    """Confidence falls from 0.95 with the number of other first sights in the hour before."""

    kind: ClassVar[PatternKind] = "novel"
    patient: ClassVar[bool] = True

    def __init__(self, policy: DetectorsPolicy) -> None:
        super().__init__(enabled=policy.novel.enabled)
        self._policy = policy.novel
        self._sizes = Sizes(policy)

    def keys(self, ring: Ring, at: int) -> Iterator[str]:
        """Those that were seen a few times so far."""
        traces, count = ring.memory.traces, _RESTART * self._policy.count
        for key in ring.slots[at].cells:
            trace = traces.get(key)
            if (trace is None or trace.count < count) and not key.startswith(FOLDED):
                yield key

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:
        """Whether slots[at] holds the event that completes the count."""
        slot, memory, policy = ring.slots[at], ring.memory, self._policy
        cell, trace = slot.cells[key], memory.traces.get(key)
        before = 0 if trace is None else trace.count
        count = policy.count * (_RESTART if memory.restarting(cell, self._sizes) else 1)
        if before + cell.count < count or before >= _RESTART * policy.count:
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
        known_ms = first_ms - memory.since_ms
        if events_tail(before + cell.count - 1, 0, age_ms / known_ms) > policy.significance:
            return None
        age = (cell.last_ms - first_ms) / 1000
        return Finding(
            since=slot.number,
            needed=max(1, count - before),
            confidence=round(0.95 - 0.4 * sights / (policy.usual + 1), 4),
            reason=f"first seen {age:.0f} s before, {before + cell.count} times since",
            earlier=before,
            earlier_ms=first_ms,
            quiet_ms=max(
                min(_QUIET_GAPS * age_ms // (before + cell.count), policy.fresh_ms // 4),
                policy.fresh_ms - age_ms,
            ),
        )
