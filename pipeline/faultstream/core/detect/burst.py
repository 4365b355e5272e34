"""P2 burst: `count` errors of a service within `window_ms`, and more than is usual for it.

Until the service's history has `history` windows, the count alone decides, or after a long
silence what is known of its whole life. From then on the window must also hold more than the
learned threshold, so that a busy service does not burst all day (see baseline.py); or its last
quarter more than the one for a quarter, which shows sooner; or `count` of one error that seldom
comes (see rising.py). What this hour of the day reached on
other days is no burst (see seasons.py).

While a whole fleet is new (see fleet.py), the count alone does not decide: the window must be
unlike what the service did before it, or, in a service's first minute, within seconds or a flood.
"""

from math import ceil, log
from typing import ClassVar, Final

import msgspec

from faultstream.core.detect.baseline import unusual
from faultstream.core.detect.memory import Sizes
from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.detect.rising import Rising
from faultstream.core.detect.shapes import SEASON, UNEVEN, OfService, above
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind

_PARTS: Final = 4
_QUIET_GAPS: Final = 5
"""A burst of one error lasts over pauses of so many of its mean gaps, a window at most."""
_CLUMPED: Final = 1e-4
"""A clump that is less likely than this among a service's clumps is a burst."""
_OF_LIFE: Final = 0.25
"""A service is not quieter than this, beside its life, because the last hour was."""
_UNLEARNED: Final = 4
"""For so many windows after a fleet was new its history may still be too short."""


class Burst(OfService):
    """Confidence grows from 0.5 at the threshold to 0.99 far above it."""

    kind: ClassVar[PatternKind] = "burst"

    def __init__(self, policy: DetectorsPolicy) -> None:
        super().__init__(enabled=policy.burst.enabled, back_ms=policy.burst.window_ms)
        self._count = policy.burst.count
        self._seconds = policy.burst.window_ms / 1000
        self._slots = max(1, policy.burst.window_ms // policy.slot_ms)
        self._history = policy.burst.history
        self._significance = policy.burst.significance
        self._cold = policy.cold
        self._quick = policy.cold.quick_ms // policy.slot_ms
        self._sizes = Sizes(policy)
        self._rising = Rising(policy)

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:  # noqa: ARG002 (one per service)
        """Counts the window that ends with slots[at]."""
        total, since = ring.total(at, self._slots)
        if total < self._count:
            return None
        number, seconds = ring.slots[at].number, self._seconds
        window = number // self._slots
        learned, mean = ring.baseline.expect(window)
        if ring.cold(at, number if learned else number - _UNLEARNED * self._slots):
            return self._in_cold(ring, at, 1) or self._in_cold(ring, at, _PARTS)
        lately, lately_mean = bool(learned), mean
        learned, mean = self._at_least_of_life(ring, at, learned, mean)
        reached = ring.memory.seasons.usual(window, self._sizes.window_ms)
        least = max(self._count, int(reached * SEASON) + 1 if reached else 0)
        least = max(least, self._more_than_a_clump(ring, number))
        needed = max(least, learned)
        if total < needed:
            if not lately:
                return self._of_one(ring, at, least)
            part, first = ring.total(at, max(1, self._slots // _PARTS))
            needed = learned if mean > lately_mean else ring.baseline.expect_part(window, _PARTS)
            needed = max(least, needed)
            if part < needed:
                return self._of_one(ring, at, least)
            total, since = part, first
            seconds, mean = seconds / _PARTS, mean / _PARTS
        return self._finding(total, needed, since, seconds=seconds, mean=mean)

    def lasts(self, ring: Ring, at: int, key: str) -> bool:  # noqa: ARG002 (one per service)
        """While it is nearer to what is a burst than to what is usual."""
        number = ring.slots[at].number
        learned, mean = ring.baseline.expect(number // self._slots)
        if ring.cold(at, number if learned else number - _UNLEARNED * self._slots):
            return False
        learned, mean = self._at_least_of_life(ring, at, learned, mean)
        total, _ = ring.total(at, self._slots)
        return 2 * total >= max(self._count, learned) + mean

    def _more_than_a_clump(self, ring: Ring, number: int) -> int:
        """Of a service that seldom errs, how many are no clump as its errors come in."""
        follows = ring.memory.clump(number, self._sizes)
        return 1 + ceil(log(_CLUMPED) / log(follows)) if follows > 0 else 0

    def _of_one(self, ring: Ring, at: int, least: int) -> Finding | None:
        """The same for one error that is rare; what it is about begins with it."""
        found = self._rising.quick(ring, at, least, self._significance)
        if found is None:
            return None
        reason = (
            f"{found.count} of one error in {self._seconds:g} s, {found.needed} of it are a burst"
        )
        usual = found.usual / self._seconds
        made = above(found.count, found.needed, found.since, reason=reason, usual=usual)
        took_ms = (ring.slots[at].number - found.since + 1) * ring.slot_ms
        quiet_ms = min(_QUIET_GAPS * took_ms // found.count, self._slots * ring.slot_ms)
        return msgspec.structs.replace(made, quiet_ms=quiet_ms, early=True)

    def _at_least_of_life(
        self, ring: Ring, at: int, learned: int, mean: float
    ) -> tuple[int, float]:
        """(least unusual count, mean) of a window, which the last hour knows as given. Where that
        was silent the service's life tells; where it was much quieter, a part of that."""
        usual = self._over_life(ring, at)
        if learned:
            usual *= _OF_LIFE
        if mean >= usual:
            return learned, mean
        return max(learned, unusual(usual, UNEVEN * usual, self._significance)), usual

    def _over_life(self, ring: Ring, at: int) -> float:
        """The mean of a window over the life of the service; 0.0 if it is new."""
        memory, number = ring.memory, ring.slots[at].number
        windows = (number - self._slots - memory.since_ms // ring.slot_ms) / self._slots
        if not memory.since_ms or windows < self._history or memory.silent(number, self._sizes):
            return 0.0
        return (memory.total - self._inside(ring, at, self._slots)) / windows

    def _inside(self, ring: Ring, at: int, slots: int) -> int:
        """Settled events of the `slots` that end with slots[at]."""
        start, newest = ring.slots[at].number - slots, ring.memory.newest
        return sum(one.total for one in ring.slots[: at + 1] if start < one.number <= newest)

    def _in_cold(self, ring: Ring, at: int, parts: int) -> Finding | None:
        """The same for one of `parts` of a window that ends with slots[at], by what came before
        it since the service began."""
        slots = max(1, self._slots // parts)
        total, since = ring.total(at, slots)
        memory, start = ring.memory, ring.slots[at].number - slots + 1
        known_ms = start * ring.slot_ms - memory.since_ms if memory.since_ms else 0
        mean = 0.0
        if known_ms < self._slots * ring.slot_ms:
            needed = max(self._count, self._cold.flood * self._count // min(parts, 2))
            if total < needed:  # as few as ever, but within seconds
                slots, needed = self._quick, self._count
                total, since = ring.total(at, slots)
        else:
            length = slots * ring.slot_ms / known_ms
            mean = (memory.total - self._inside(ring, at, slots)) * length
            high = (mean + length) * UNEVEN
            if total <= high:
                return None
            bar = self._cold.significance / parts  # there are more parts than windows
            likely = unusual(high, UNEVEN * high * (1 + length), bar)
            needed = max(self._count, likely)
        if total < needed:
            return None
        return self._finding(total, needed, since, seconds=slots * ring.slot_ms / 1000, mean=mean)

    def _finding(
        self, total: int, needed: int, since: int, *, seconds: float, mean: float
    ) -> Finding:
        usual = f"{mean:.1f} are usual" if mean else "none are usual"
        reason = f"{total} errors in {seconds:g} s, {needed} are a burst, {usual}"
        return above(total, needed, since, reason=reason, usual=mean / seconds)
