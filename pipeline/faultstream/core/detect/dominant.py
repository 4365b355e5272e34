"""P5 dominant: one error type makes up most of a service's errors, and does not usually.

More than `share_ratio` of at least `count` events in `window_ms`. Once the service is known for
ten windows, the share must also be more than the type has in the long run, significantly so, so
that a service whose errors are always of one type is not told of; until then another type must
have come beside it.
"""

from typing import ClassVar, Final

from faultstream.core.detect.chance import binomial_tail
from faultstream.core.detect.memory import types_of
from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.detect.shapes import OfService
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind

_HISTORY: Final = 10
_QUIET_WINDOWS: Final = 2


class Dominant(OfService):
    """Confidence is the share, 0.99 at most."""

    kind: ClassVar[PatternKind] = "dominant"
    patient: ClassVar[bool] = True

    def __init__(self, policy: DetectorsPolicy) -> None:
        super().__init__(enabled=policy.dominant.enabled)
        self._policy = policy.dominant
        self._share_slots = max(1, policy.dominant.window_ms // 6 // policy.slot_ms)
        self._steps = max(1, policy.dominant.window_ms // policy.slot_ms // self._share_slots)
        self._learn_ms = _HISTORY * policy.dominant.window_ms

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:  # noqa: ARG002 (one per service)
        """Counts types in the window that ends with slots[at], in sixths of a window."""
        return self._above(ring, at, self._policy.count)

    def lasts(self, ring: Ring, at: int, key: str) -> bool:  # noqa: ARG002 (one per service)
        """Of half as many errors it is still the most."""
        return self._above(ring, at, self._policy.count // 2) is not None

    def _above(self, ring: Ring, at: int, least: int) -> Finding | None:
        slot, memory = ring.slots[at], ring.memory
        step = slot.number // self._share_slots
        window = list(memory.window(step, self._steps))
        total = slot.total + sum(one.total for one in window)
        if total < least:
            return None
        types = types_of(slot)
        for one in window:
            for name, count in one.types.items():
                types[name] = types.get(name, 0) + count
        name = max(sorted(types), key=types.__getitem__)
        share = types[name] / total
        if share <= self._policy.share_ratio or name.startswith("__"):
            return None
        usual = self._usual(ring, slot.number, name)
        if usual is None and (len(types) < 2 or ring.cold(at, slot.number)):
            return None
        if usual is not None and (
            usual > self._policy.share_ratio
            or binomial_tail(types[name], total, usual) >= self._policy.significance
        ):
            return None
        seconds = self._policy.window_ms / 1000
        often = f", {usual:.0%} are usual" if usual is not None else ""
        return Finding(
            since=slot.number,
            needed=1,
            confidence=min(0.99, round(share, 4)),
            reason=f"{name} is {share:.0%} of {total} errors in {seconds:g} s{often}",
            quiet_ms=_QUIET_WINDOWS * self._policy.window_ms,
            earlier=total - slot.total,
            earlier_ms=max(
                memory.since_ms, (step - self._steps + 1) * self._share_slots * ring.slot_ms
            ),
        )

    def _usual(self, ring: Ring, number: int, name: str) -> float | None:
        """The share that a type has in the long run, as far as so many events tell; None while the
        service is too new."""
        memory = ring.memory
        if not memory.usual or number * ring.slot_ms - memory.since_ms < self._learn_ms:
            return None
        return (memory.usual.get(name, 0.0) + 0.5) / (sum(memory.usual.values()) + 1)
