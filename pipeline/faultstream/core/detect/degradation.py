"""P4 degradation: the errors of the last minutes are clearly more than those of the minutes before.

Two windows of five steps each are compared, the newer one ending with the slot. More than
`factor` x the rate, significantly so (a binomial test of the two counts, widened by the service's
own dispersion), and not because of one step alone: without its busiest step, and in its two
latest, the newer window must still be above `factor`. So a spike is a burst and no degradation,
and a rise that is over ends.
"""

from collections.abc import Iterable
from math import sqrt
from statistics import NormalDist
from typing import ClassVar, Literal

from faultstream.core.detect.memory import STEPS
from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind

_HALF = STEPS // 2


class Degradation:
    """Confidence is 1 - factor / (2 x growth): 0.5 at the threshold, 0.99 at most."""

    kind: ClassVar[PatternKind] = "degradation"
    scope: ClassVar[Literal["group", "service"]] = "service"
    keeps: ClassVar[Literal["event", "condition"]] = "condition"
    patient: ClassVar[bool] = True

    def __init__(self, policy: DetectorsPolicy) -> None:
        self._policy = policy.degradation
        self._step = max(1, policy.degradation.window_ms // _HALF // policy.slot_ms)
        self._step_ms = self._step * policy.slot_ms
        self._quiet_ms = max(policy.quiet_ms, self._step_ms)
        self._history_slots = max(1, policy.burst.window_ms // policy.slot_ms)
        self._skip = policy.degradation.window_ms // policy.burst.window_ms
        self._far = -NormalDist().inv_cdf(policy.degradation.significance)

    @property
    def enabled(self) -> bool:
        """Whether the topology wants it."""
        return self._policy.enabled

    @property
    def back_events(self) -> int:
        """It remembers totals itself."""
        return 0

    @property
    def back_ms(self) -> int:
        """It remembers totals itself."""
        return 0

    def keys(self, ring: Ring, at: int) -> Iterable[str]:  # noqa: ARG002 (one per service)
        """The service as a whole."""
        return ("",)

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:  # noqa: ARG002 (one per service)
        """Compares the window that ends with slots[at] to the one before."""
        slot, steps = ring.slots[at], ring.memory.steps
        now = slot.number // self._step
        start = now - _HALF + 1
        new = steps.between(start, now + 1) + slot.total
        if new < self._policy.count or not steps.counts or steps.since > start - _HALF:
            return None
        if now - (steps.first + len(steps.counts) - 1) > STEPS:
            return None
        part = (slot.number % self._step + 1) / self._step
        length = _HALF - 1 + part
        old = steps.between(start - _HALF, start)
        usual = old / _HALF
        bar = self._policy.factor * usual
        if new <= bar * length or new - old < self._policy.count:
            return None
        each = [steps.between(step, step + 1) for step in range(start, now + 1)]
        each[-1] += slot.total
        busiest = max(each)
        rest = length - (part if each[-1] == busiest else 1)
        if new - busiest <= bar * rest or each[-1] + each[-2] <= bar * (1 + part):
            return None
        share = length / (length + _HALF)
        both = new + old
        spread = ring.baseline.dispersion(slot.number // self._history_slots, self._skip)
        if new - both * share < self._far * sqrt(both * share * (1 - share) * spread):
            return None
        growth = new / length / max(usual, 1 / _HALF)
        minutes = self._policy.window_ms / 60_000
        return Finding(
            since=slot.number,
            needed=1,
            confidence=min(0.99, round(1 - self._policy.factor / (2 * growth), 4)),
            reason=f"{new} errors in the last {minutes:g} min, {old} in the {minutes:g} min before",
            baseline=round(usual * 1000 / self._step_ms, 4),
            earlier=new - slot.total,
            earlier_ms=start * self._step_ms,
            quiet_ms=self._quiet_ms,
        )
