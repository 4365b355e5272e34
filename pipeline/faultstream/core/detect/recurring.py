"""P1 recurring: `count` of one fingerprint among the last `among` events of a service.

Order inside a slot is not known. Where the last `among` events end within an older slot, the
slot's events of the group are taken first; of a slot that alone holds more than `among` events the
group has its share, and of the newest one it must be `count` of `among`. Events older than
`within_ms` are not "last".

A fingerprint that always recurs is no news. Once the service was known for `learn_ms` before the
first of them, so many in so short a time must also be unlikely under what is known of the
fingerprint from before: its own events over the service's life, and its share of the service's
usual rate. From `history` events on, its usual share of events that come no faster than usual is
no news either. While a release goes out it takes twice the count. What has become usual ends.
While a whole fleet is new (see fleet.py) a minute of the service's past must do, and in its first
minute nothing recurs but what comes within seconds, or in a flood.
"""

from typing import ClassVar, Final

import msgspec

from faultstream.core.detect.chance import binomial_tail, events_tail
from faultstream.core.detect.memory import Sizes
from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.detect.shapes import QUIET_MOST, UNEVEN, OfGroup
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind

_LIKELY: Final = 0.01
"""A share that is more likely than this under the usual one is the usual one."""
_ONGOING: Final = 0.01
"""The same for what is still unusual in an episode that is open."""
_CLUMPED: Final = 0.03
"""So many at once are a clump as the service's errors come in, when it is more likely than this."""
_RESTART: Final = 2
_QUIET_GAPS: Final = 3


class Recurring(OfGroup):
    """Confidence is min(cap, n / among)."""

    kind: ClassVar[PatternKind] = "recurring"

    def __init__(self, policy: DetectorsPolicy) -> None:
        super().__init__(enabled=policy.recurring.enabled, back_events=policy.recurring.among)
        self._policy = policy.recurring
        self._sizes = Sizes(policy)
        self._within = policy.recurring.within_ms // policy.slot_ms
        self._window_slots = max(1, policy.burst.window_ms // policy.slot_ms)
        self._window_ms = self._window_slots * policy.slot_ms
        self._quick_ms = policy.cold.quick_ms
        self._flood = policy.cold.flood * policy.burst.count
        self._quiet_ms = policy.quiet_ms
        self.pause_ms = QUIET_MOST * policy.quiet_ms
        self._memo: tuple[Ring, int, str, _Known] | None = None

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:
        """Counts `key` among the last events up to and with slots[at]."""
        among, needed = self._policy.among, self._policy.count
        newest = ring.slots[at]
        cell = newest.cells[key]
        if ring.memory.restarting(cell, self._sizes):
            needed *= _RESTART
        flood = newest.total > among
        if flood and (cell.count < needed or cell.count * among < needed * newest.total):
            return None
        counted = self._count(ring, at, key)
        mine, seen, since = counted[:3]
        if mine < needed:
            return None
        cold = ring.cold(at, since)
        known = self._known(ring, newest.number, key, counted, cold=cold)
        if known is None and cold and not self._sudden(ring, at, since):
            return None
        if known is not None and self._usual(
            known, ring, newest.number, self._policy.significance / (known.mine_before + mine)
        ):
            self._memo = (ring, at, key, known)
            return None
        share = mine / (seen if flood else among)
        last = seen if flood else min(seen, among)
        gap_ms = (newest.number - since + 1) * ring.slot_ms // mine
        return Finding(
            since=since,
            needed=needed,
            confidence=min(self._policy.confidence_cap, round(share, 4)),
            reason=f"{mine} of the last {last} errors of the service are this one",
            quiet_ms=min(max(self._quiet_ms, _QUIET_GAPS * gap_ms), self.pause_ms),
        )

    def lasts(self, ring: Ring, at: int, key: str) -> bool:
        """Until what comes is no more than usual."""
        number, memo = ring.slots[at].number, self._memo
        if memo is not None and memo[0] is ring and memo[1] == at and memo[2] == key:
            known: _Known | None = memo[3]
        else:
            counted = self._count(ring, at, key)
            known = self._known(ring, number, key, counted, cold=ring.cold(at, counted[2]))
        return known is None or not self._usual(known, ring, number, _ONGOING)

    def _sudden(self, ring: Ring, at: int, since: int) -> bool:
        """Whether they came at once, or in what is a burst, in the first minute of a service in a
        new fleet."""
        if (ring.slots[at].number - since) * ring.slot_ms < self._quick_ms:
            return True
        quarter = max(1, self._window_slots // 4)
        whole, part = ring.total(at, self._window_slots)[0], ring.total(at, quarter)[0]
        return whole >= self._flood or part >= self._flood // 2

    def _count(self, ring: Ring, at: int, key: str) -> tuple[int, int, int, int, int]:
        """(events of `key` among the last events of the service, how many these are, the slot of
        the first, and as many of either as have settled)."""
        among, settled = self._policy.among, ring.memory.newest
        newest = ring.slots[at]
        mine, seen, since = newest.count(key), newest.total, newest.number
        mine_settled = seen_settled = 0
        oldest = newest.number - self._within
        while seen < among and at > 0:
            at -= 1
            slot = ring.slots[at]
            if slot.number < oldest:
                break
            cell = slot.cells.get(key)
            found = 0 if cell is None else cell.count
            if found:
                room = among - seen
                if slot.total > among:  # a flood: as many as is its share
                    mine += found * room // slot.total
                else:
                    mine += min(found, room)
                since = slot.number
            seen += slot.total
            if slot.number <= settled:
                mine_settled += found
                seen_settled += slot.total
        return mine, seen, since, mine_settled, seen_settled

    def _known(
        self,
        ring: Ring,
        number: int,
        key: str,
        counted: tuple[int, int, int, int, int],
        *,
        cold: bool,
    ) -> "_Known | None":
        """What was known before the events that were counted; None if it is too little. While all
        are new, a minute must do."""
        mine, seen, since, mine_settled, seen_settled = counted
        memory = ring.memory
        for_ms = since * ring.slot_ms - memory.since_ms
        learn_ms = min(self._window_ms, self._policy.learn_ms) if cold else self._policy.learn_ms
        if not memory.since_ms or for_ms < max(1, learn_ms):
            return None
        if memory.silent(number, self._sizes):
            return None
        trace = memory.traces.get(key)
        before = max(0, trace.count - mine_settled) if trace is not None else 0
        return _Known(
            mine=mine,
            seen=seen,
            since=since,
            mine_before=before,
            seen_before=max(before, memory.total - seen_settled),
            for_ms=for_ms,
        )

    def _usual(self, known: "_Known", ring: Ring, number: int, bar: float) -> bool:
        """Whether so many are what is usual for the fingerprint: no less likely than `bar`."""
        share = (known.mine_before + 0.5) / (known.seen_before + 1)
        length = (number - known.since + 1) * ring.slot_ms * UNEVEN / known.for_ms
        if events_tail(known.mine - 1, known.mine_before, length) >= bar:
            return True
        if known.seen_before >= self._policy.history and (
            binomial_tail(known.mine, max(known.seen, known.mine), share) > _LIKELY
            and events_tail(known.seen - 1, known.seen_before, length) > _LIKELY
        ):
            return True
        at_once = number - known.since < self._window_slots
        if at_once and ring.memory.clump(number, self._sizes) ** (known.mine - 1) > _CLUMPED:
            return True
        _, mean = ring.baseline.expect(number // self._window_slots)
        expected = known.mine_before * self._window_ms / known.for_ms
        faster = share * mean / expected if expected else 1.0
        return faster > 1 and events_tail(known.mine - 1, known.mine_before, length * faster) >= bar


class _Known(msgspec.Struct):
    """`mine` of a fingerprint among the last `seen` events, from slot `since` on; `mine_before`
    among `seen_before` came in the `for_ms` before."""

    mine: int
    seen: int
    since: int
    mine_before: int
    seen_before: int
    for_ms: int
