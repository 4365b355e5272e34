"""P1 recurring: `count` of one fingerprint among the last `among` events of a service.

Order inside a slot is not known. Where the last `among` events end within an older slot, the
slot's events of the group are taken first; where the newest slot alone holds more than `among`
events, the group must have the same share of it. Events older than `within_ms` are not "last".
"""

from collections.abc import Iterable
from typing import ClassVar, Literal

from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind


class Recurring:
    """Confidence is min(cap, n / among)."""

    kind: ClassVar[PatternKind] = "recurring"
    scope: ClassVar[Literal["group", "service"]] = "group"
    keeps: ClassVar[Literal["event", "condition"]] = "event"
    patient: ClassVar[bool] = False

    def __init__(self, policy: DetectorsPolicy) -> None:
        self._policy = policy.recurring
        self._within = policy.recurring.within_ms // policy.slot_ms

    @property
    def enabled(self) -> bool:
        """Whether the topology wants it."""
        return self._policy.enabled

    @property
    def back_events(self) -> int:
        """It looks at the groups of this many events."""
        return self._policy.among

    @property
    def back_ms(self) -> int:
        """It needs no totals."""
        return 0

    def keys(self, ring: Ring, at: int) -> Iterable[str]:
        """Every group in the slot."""
        return ring.slots[at].cells

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:
        """Counts `key` among the last events up to and with slots[at]."""
        among, needed = self._policy.among, self._policy.count
        newest = ring.slots[at]
        mine, seen, since = newest.count(key), newest.total, newest.number
        if seen > among:
            if mine < needed or mine * among < needed * seen:
                return None
            share = mine / seen
        else:
            oldest = newest.number - self._within
            while seen < among and at > 0:
                at -= 1
                slot = ring.slots[at]
                if slot.number < oldest:
                    break
                found = slot.count(key)
                if found:
                    mine += min(found, among - seen)
                    since = slot.number
                seen += slot.total
            if mine < needed:
                return None
            share = mine / among
        last = min(seen, among) if newest.total <= among else seen
        return Finding(
            since=since,
            needed=needed,
            confidence=min(self._policy.confidence_cap, round(share, 4)),
            reason=f"{mine} of the last {last} errors of the service are this one",
        )
