"""P1 recurring: `count` of one fingerprint among the last `among` events of a service.

Order inside a slot is not known. Where the last `among` events end within an older slot, the
slot's events of the group are taken first; where the newest slot alone holds more than `among`
events, the group must have the same share of it. Events older than `within_ms` are not "last".

Once the service has had `history` events, that many must also be unlikely under the share of the
service's events that the group usually has, or under its usual rate: a group that always recurs is
no news.
"""

from collections.abc import Iterable
from math import comb, erfc, exp, sqrt
from typing import ClassVar, Final, Literal

from faultstream.core.detect.memory import Sizes
from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind
from faultstream.core.tally import Slot

_EXACT: Final = 200


class Recurring:
    """Confidence is min(cap, n / among)."""

    kind: ClassVar[PatternKind] = "recurring"
    scope: ClassVar[Literal["group", "service"]] = "group"
    keeps: ClassVar[Literal["event", "condition"]] = "event"
    patient: ClassVar[bool] = False

    def __init__(self, policy: DetectorsPolicy) -> None:
        self._policy = policy.recurring
        self._sizes = Sizes(policy)
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
        if not self._unusual(ring, newest, key, mine, seen, since):
            return None
        last = min(seen, among) if newest.total <= among else seen
        return Finding(
            since=since,
            needed=needed,
            confidence=min(self._policy.confidence_cap, round(share, 4)),
            reason=f"{mine} of the last {last} errors of the service are this one",
        )

    def _unusual(  # noqa: PLR0917 (what `find` has counted)
        self, ring: Ring, newest: Slot, key: str, mine: int, seen: int, since: int
    ) -> bool:
        """Whether so many are more than the fingerprint's usual share or usual rate explains."""
        memory = ring.memory
        if memory.total < self._policy.history or memory.silent(newest.number, self._sizes):
            return True
        trace = memory.traces.get(key)
        if trace is None:
            return True
        share = trace.count / memory.total
        if binomial_tail(mine, max(seen, mine), share) < self._policy.significance:
            return True
        known_ms = max(1, memory.newest * ring.slot_ms - memory.since_ms)
        expected = trace.count / known_ms * (newest.number - since + 1) * ring.slot_ms
        return poisson_tail(mine, expected) < self._policy.significance


def binomial_tail(least: int, among: int, share: float) -> float:
    """P(X >= least) of `among` trials; beyond 200 trials by the normal law."""
    if share >= 1.0:
        return 1.0
    if among > _EXACT:
        spread = sqrt(among * share * (1 - share)) or 1.0
        return 0.5 * erfc((least - 0.5 - among * share) / spread / sqrt(2))
    return sum(
        comb(among, k) * share**k * (1 - share) ** (among - k) for k in range(least, among + 1)
    )


def poisson_tail(least: int, mean: float) -> float:
    """P(X >= least); beyond 200 by the normal law."""
    if least > _EXACT:
        return 0.5 * erfc((least - 0.5 - mean) / sqrt(2 * max(mean, 1e-9)))
    term, below = exp(-mean), 0.0
    for k in range(least):
        below += term
        term *= mean / (k + 1)
    return max(0.0, 1.0 - below)
