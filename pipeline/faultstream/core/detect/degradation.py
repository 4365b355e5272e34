"""P4 degradation: the errors of the last minutes are clearly more than those of the minutes before.

Two windows of five steps each are compared, the newer one ending with the slot. More than
`factor` x the rate, and not because of one step alone: without its busiest step, and in its two
latest, the newer window must still be above `factor`. So a spike is a burst and no degradation,
and a rise that is over ends.

And significantly so, by a binomial test of the two counts, widened by how uneven the service's
minutes are; or beyond what the hour before both windows tells (see baseline.py; its level may drift
by a quarter), and hardly by chance against the older window.

One error that seldom came says it sooner (see rising.py): more than `factor` x its own rate before,
in most steps of the window, while the service has more than `factor` x what the hour before had.
Such a rise lasts until the error is no longer so unusual, or the service no longer so high.
"""

from math import ceil, sqrt
from statistics import NormalDist
from typing import ClassVar, Final

from faultstream.core.detect.baseline import unusual
from faultstream.core.detect.memory import STEPS
from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.detect.rising import Rising
from faultstream.core.detect.shapes import OfService
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind

_HALF = STEPS // 2
_HARDLY: Final = 2.0
"""Standard deviations that the newer count is above the older one's share."""
_DRIFT: Final = 0.25
_ONGOING: Final = 0.01
"""An episode goes on while an error is less likely than this."""


class Degradation(OfService):
    """Confidence is 1 - factor / (2 x growth): 0.5 at the threshold, 0.99 at most."""

    kind: ClassVar[PatternKind] = "degradation"
    patient: ClassVar[bool] = True

    def __init__(self, policy: DetectorsPolicy) -> None:
        super().__init__(enabled=policy.degradation.enabled)
        self._policy = policy.degradation
        self._step = max(1, policy.degradation.window_ms // _HALF // policy.slot_ms)
        self._step_ms = self._step * policy.slot_ms
        self._quiet_ms = max(policy.quiet_ms, self._step_ms)
        self._history_slots = max(1, policy.burst.window_ms // policy.slot_ms)
        self._windows = policy.degradation.window_ms / policy.burst.window_ms
        self._rising = Rising(policy)
        self._far = -NormalDist().inv_cdf(policy.degradation.significance)

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:  # noqa: ARG002 (one per service)
        """Compares the window that ends with slots[at] to the one before."""
        policy = self._policy
        return self._of_all(ring, at) or self._of_one(ring, at, policy.factor, policy.significance)

    def lasts(self, ring: Ring, at: int, key: str) -> bool:  # noqa: ARG002 (one per service)
        """As long as an error that rose is as frequent."""
        return self._of_one(ring, at, 0.0, _ONGOING) is not None

    def _of_one(self, ring: Ring, at: int, factor: float, bar: float) -> Finding | None:
        """One error rises by `factor`, less likely than `bar`, and with it the service."""
        policy, number, steps = self._policy, ring.slots[at].number, ring.memory.steps
        now = number // self._step
        new = steps.between(now - _HALF + 1, now + 1) + ring.slots[at].total
        if new < policy.count // 2:
            return None
        law = ring.baseline.usual(number // self._history_slots, ceil(2 * self._windows))
        length = 1 - (1 - (number % self._step + 1) / self._step) / _HALF
        if law is None or new <= policy.factor * law[0] * self._windows * length:
            return None
        found = self._rising.slow(ring, at, policy.count // 2, factor, bar)
        if found is None:
            return None
        growth = new / length / max(law[0] * self._windows, 1)
        minutes = policy.window_ms / 60_000
        return Finding(
            since=number,
            needed=1,
            confidence=min(0.99, round(1 - policy.factor / (2 * growth), 4)),
            reason=f"{found.count} of one error in the last {minutes:g} min, "
            f"{found.earlier} in the {minutes:g} min before, hardly any before that",
            baseline=round(law[0] * 1000 / (self._history_slots * ring.slot_ms), 4),
            earlier=new - ring.slots[at].total,
            earlier_ms=(now - _HALF + 1) * self._step_ms,
            quiet_ms=self._quiet_ms,
            early=True,
        )

    def _of_all(self, ring: Ring, at: int) -> Finding | None:
        """The errors of the service together."""
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
        each = [steps.between(step, step + 1) for step in range(start, now + 1)]
        each[-1] += slot.total
        busiest = max(each)
        rest = length - (part if each[-1] == busiest else 1)
        steady = new - busiest > bar * rest and each[-1] + each[-2] > bar * (1 + part)
        if new <= bar * length or not steady:
            return None
        if not self._significant(ring, slot.number, new, old, length):
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

    def _significant(self, ring: Ring, number: int, new: int, old: int, length: float) -> bool:
        """Whether `new` events in `length` steps are hardly chance, after `old` in the window
        before and what was usual before that."""
        share = length / (length + _HALF)
        both = new + old
        beyond = new - both * share
        spread = sqrt(both * share * (1 - share))
        law = ring.baseline.usual(number // self._history_slots, ceil(2 * self._windows))
        if law is None:
            return new - old >= self._policy.count and beyond >= self._far * spread
        windows = self._windows * length / _HALF
        mean, variance = law[0] * windows, law[1] * windows
        if new - min(old, mean) < self._policy.count or beyond < _HARDLY * spread:
            return False
        if mean and beyond >= self._far * spread * sqrt(max(1.0, variance / mean)):
            return True
        return new >= unusual(mean, variance + (_DRIFT * mean) ** 2, self._policy.significance)
