"""P11 predicted: the service will probably cross a limit within `horizon_ms`.

A limit is crossed when a burst, high rate, degradation or critical pattern opens for a service; not
yet when one error alone shows a burst or degradation (see rising.py), until the service does.
Every `step_ms` of event time the chance of that is computed from the outlook (predict_state.py,
predict_model.py) and calibrated by what came of earlier ones. Above `probability` an episode
opens. It closes as come true when a limit is crossed, or as not when its time is over.
"""

from typing import ClassVar, Final

from faultstream.core.detect.baseline import Baseline
from faultstream.core.detect.predict_model import features, probability
from faultstream.core.detect.predict_state import Outlook
from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.detect.shapes import OfService
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind
from faultstream.core.tally import Slot

LIMITS: Final[tuple[PatternKind, ...]] = ("burst", "high_rate", "degradation", "critical")
"""Kinds of pattern that open when a limit is crossed."""
_LEARN: Final = 60
"""Steps without a prediction when a service is new: the weights were fitted from there on."""


class Predicted(OfService):
    """Confidence is the calibrated probability."""

    kind: ClassVar[PatternKind] = "predicted"
    patient: ClassVar[bool] = True

    def __init__(self, policy: DetectorsPolicy) -> None:
        super().__init__(enabled=policy.predicted.enabled)
        self._bar = policy.predicted.probability
        self._horizon_ms = policy.predicted.horizon_ms
        self._step_ms = _step(policy) * policy.slot_ms

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:  # noqa: ARG002 (one per service)
        """Whether the chance as of the last full step is above the bar."""
        outlook = ring.memory.outlook
        if outlook.chance is None or outlook.chance < self._bar:
            return None
        number = ring.slots[at].number
        begun_ms = outlook.step * self._step_ms
        soon_ms = min(self._horizon_ms, int(min(outlook.steps_to, 1e6) * self._step_ms))
        return Finding(
            since=number,
            needed=1,
            confidence=round(outlook.chance, 4),
            reason=self._reason(outlook),
            baseline=round(outlook.course.slow * 1000 / self._step_ms, 4),
            expected_ms=max(begun_ms + soon_ms, (number + 1) * ring.slot_ms),
            due_ms=begun_ms + max(self._horizon_ms, 2 * self._step_ms),
        )

    def _reason(self, outlook: Outlook) -> str:
        minutes = self._horizon_ms / 60_000
        said = f"{outlook.chance:.0%} likely to cross a limit within {minutes:g} min"
        rising = outlook.rises.get(outlook.lead)
        if rising is not None:
            third = len(rising.counts) // 3
            counts = [str(sum(rising.counts[n : n + third])) for n in range(0, 3 * third, third)]
            each = third * self._step_ms / 60_000
            said += f": {outlook.lead} came {', '.join(counts)} times in {each:g} min each"
        if outlook.recent() >= 0.5:
            said += f"; {outlook.recent():.1f} crossings lately"
        return said


class Foresight:
    """Keeps outlooks up to date."""

    def __init__(self, policy: DetectorsPolicy) -> None:
        self.enabled = policy.predicted.enabled
        self._step = _step(policy)
        self._horizon = max(1, policy.predicted.horizon_ms // policy.slot_ms // self._step)
        self._count = policy.burst.count
        self._burst_slots = max(1, policy.burst.window_ms // policy.slot_ms)

    def before(self, outlook: Outlook, baseline: Baseline, slot: Slot) -> None:
        """Once the slots before `slot` are known: the chance, if a step has ended."""
        if not outlook.advance(slot.number // self._step, self._horizon):
            return
        outlook.chance = None
        if outlook.busy or outlook.course.known + len(outlook.course.counts) < _LEARN:
            return
        unusual, _ = baseline.expect(slot.number // self._burst_slots)
        limit = max(self._count, unusual) * self._step / self._burst_slots
        values, outlook.lead, outlook.steps_to = features(outlook, limit)
        raw = probability(values)
        outlook.chance = outlook.calibration.apply(raw)
        outlook.waiting.append((outlook.step, raw))

    def after(self, outlook: Outlook, slot: Slot, *, crossed: bool) -> bool:
        """Once detectors have judged `slot`: counts it; True if a limit was newly crossed."""
        new = outlook.crossing(crossed=crossed)
        outlook.learn(slot)
        return new


def _step(policy: DetectorsPolicy) -> int:
    """The length of a step in slots."""
    return max(1, policy.predicted.step_ms // policy.slot_ms)
