"""P11 predicted: the service will probably cross a limit within `horizon_ms`.

A limit is crossed when a burst, high rate, degradation or critical pattern of the service opens.
Once a minute of event time the chance of that is computed from the outlook (predict_state.py,
predict_model.py) and calibrated by what came of earlier ones. Above `probability` an episode
opens. It closes as come true when a limit is crossed, or as not when its time is over.
"""

from typing import ClassVar, Final

from faultstream.core.detect.baseline import Baseline
from faultstream.core.detect.predict_model import features, probability
from faultstream.core.detect.predict_state import STEP_MS, Outlook
from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.detect.shapes import OfService
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind
from faultstream.core.tally import Slot

LIMITS: Final[tuple[PatternKind, ...]] = ("burst", "high_rate", "degradation", "critical")
"""Kinds of pattern that open when a limit is crossed."""
_LEARN: Final = 12
"""Steps without a prediction when a service is new."""


class Predicted(OfService):
    """Confidence is the calibrated probability."""

    kind: ClassVar[PatternKind] = "predicted"
    patient: ClassVar[bool] = True

    def __init__(self, policy: DetectorsPolicy) -> None:
        super().__init__(enabled=policy.predicted.enabled)
        self._bar = policy.predicted.probability
        self._horizon_ms = policy.predicted.horizon_ms

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:  # noqa: ARG002 (one per service)
        """Whether the chance as of the last full minute is above the bar."""
        outlook = ring.memory.outlook
        if outlook.chance is None or outlook.chance < self._bar:
            return None
        slot = ring.slots[at]
        begun_ms = outlook.step * STEP_MS
        expected_ms = begun_ms + min(self._horizon_ms, int(outlook.steps_to * STEP_MS))
        return Finding(
            since=slot.number,
            needed=1,
            confidence=round(outlook.chance, 4),
            reason=_reason(outlook, self._horizon_ms),
            baseline=round(outlook.course.slow * 1000 / STEP_MS, 4),
            expected_ms=max(expected_ms, slot.number * ring.slot_ms + 1),
            due_ms=begun_ms + self._horizon_ms,
        )


def _reason(outlook: Outlook, horizon_ms: int) -> str:
    said = f"{outlook.chance:.0%} likely to cross a limit within {horizon_ms / 60_000:g} min"
    rising = outlook.rises.get(outlook.lead)
    if rising is not None:
        third = len(rising.counts) // 3
        steps = [sum(rising.counts[n : n + third]) for n in range(0, 3 * third, third)]
        said += f": {outlook.lead} came {steps[0]}, {steps[1]}, {steps[2]} times in {third} min each"
    often = outlook.recent()
    if often >= 0.5:
        said += f"; {often:.1f} crossings lately"
    return said


class Foresight:
    """Keeps outlooks up to date, whether or not predictions are told."""

    def __init__(self, policy: DetectorsPolicy) -> None:
        self.enabled = policy.predicted.enabled
        self._step = max(1, STEP_MS // policy.slot_ms)
        self._horizon = max(1, policy.predicted.horizon_ms // STEP_MS)
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
