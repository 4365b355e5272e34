"""Outlook: what prediction remembers of a service, counted in steps of `step_ms`.

It learns from settled slots in ascending order, so it depends on the events alone. Per service:
the totals of the last steps, those of the fingerprints that rise, when a limit was last crossed,
and what came of earlier predictions. Bounded by WIDTH steps, GROUPS fingerprints and one waiting
prediction per step of the horizon.
"""

from math import exp
from typing import Final

import msgspec

from faultstream.core.detect.predict_calibrate import Calibration
from faultstream.core.tally import FOLDED, Slot

WIDTH: Final = 18
GROUPS: Final = 12
_COUNTED: Final = 48
_MEMORY: Final = 60
_LOAD: Final = 90.0
_NEVER: Final = -(1 << 40)


class Course(msgspec.Struct, array_like=True):
    """The last WIDTH steps of a count, the newest last, and the mean of those before them."""

    counts: list[int] = []
    slow: float = 0.0
    known: int = 0
    """How many steps `slow` is a mean of, _MEMORY at most."""

    def add(self, count: int) -> None:
        """The count of one more step."""
        self.counts = [*self.counts, count]
        if len(self.counts) > WIDTH:
            self.known = min(self.known + 1, _MEMORY)
            self.slow += (self.counts.pop(0) - self.slow) / self.known

    def last(self, steps: int) -> int:
        """Events in the last `steps` steps."""
        return sum(self.counts[-steps:])


class Outlook(msgspec.Struct, array_like=True):
    """See the module. `step` is the one that is being counted, with `total` and `groups`.

    `busy_at` is the last step in which a limit was crossed, `load` how often that was lately.
    `waiting` are (step, probability as it was before calibration) without an outcome. `chance`
    is the probability now, None while it is unknown or a limit is crossed.
    """

    step: int = _NEVER
    total: int = 0
    groups: dict[str, int] = {}
    course: Course = msgspec.field(default_factory=Course)
    rises: dict[str, Course] = {}
    busy: bool = False
    busy_at: int = _NEVER
    load: float = 0.0
    load_at: int = 0
    waiting: list[tuple[int, float]] = []
    calibration: Calibration = msgspec.field(default_factory=Calibration)
    chance: float | None = None
    lead: str = ""
    steps_to: float = 0.0

    def advance(self, step: int, horizon: int) -> bool:
        """Ends the steps before `step`; True if there were any."""
        if step <= self.step:
            return False
        if self.step == _NEVER:
            self.step = step
            return False
        gap = step - self.step
        if gap > WIDTH + _MEMORY:
            self.course, self.rises = Course(), {}
            self.course.add(0)
        else:
            self._end(self.total, self.groups)
            for _ in range(gap - 1):
                self._end(0, {})
        self.step, self.total, self.groups = step, 0, {}
        over = step - horizon
        while self.waiting and self.waiting[0][0] <= over:
            self.calibration.learn(self.waiting.pop(0)[1], came=False)
        return True

    def learn(self, slot: Slot) -> None:
        """Counts a settled slot of the present step."""
        self.total += slot.total
        groups, cells = self.groups, slot.cells
        for key in cells if len(groups) + len(cells) <= _COUNTED else sorted(cells):
            if key in groups or key in self.rises or len(groups) < _COUNTED:
                groups[key] = groups.get(key, 0) + cells[key].count

    def crossing(self, *, crossed: bool) -> bool:
        """Notes whether a limit is crossed in this step; True when that is new."""
        new = crossed and not self.busy
        if new:
            for _, raw in self.waiting:
                self.calibration.learn(raw, came=True)
            self.waiting = []
            self.load = self.recent() + 1
            self.load_at = self.step
        self.busy = crossed
        if crossed:
            self.busy_at = self.step
            self.chance = None
        return new

    def recent(self) -> float:
        """How often a limit was crossed lately; each counts less the longer it is ago."""
        return self.load * exp((self.load_at - self.step) / _LOAD) if self.load else 0.0

    def _end(self, total: int, groups: dict[str, int]) -> None:
        self.course.add(total)
        for key, course in self.rises.items():
            course.add(groups.get(key, 0))
        for key, count in groups.items():
            if key not in self.rises and not key.startswith(FOLDED):
                course = self.rises[key] = Course([0] * (WIDTH - 1), 0.0, self.course.known)
                course.add(count)
        if len(self.rises) > GROUPS:
            self._drop()

    def _drop(self) -> None:
        """Keeps the fingerprints that come most, of late above all."""
        order = sorted(
            self.rises.items(), key=lambda one: (-one[1].last(WIDTH) - one[1].slow, one[0])
        )
        self.rises = dict(order[:GROUPS])
