"""What the demo sees of the shop and the topics while it runs, drawn twice a second."""

import asyncio
import time
from typing import Final

from faultstream.demo.fleet import Fleet
from faultstream.demo.pipeline import Pipeline
from faultstream.demo.process import State
from faultstream.demo.screen import Screen
from faultstream.demo.story import Line, Story, Tone
from faultstream.demo.view import Mark, Scene

FRAME_S: Final = 0.4


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Stage:
    """Everything that is watched. `errors` is counted from the shoppers' own totals."""

    def __init__(self, fleet: Fleet, pipeline: Pipeline, screen: Screen, bound_s: int) -> None:
        self.story = Story()
        self.states: dict[str, State] = {}
        self.errors: list[float] = []
        self.phase = "starting"
        self.own: dict[str, bool] = {"ready": False, "healthy": False, "errors": False}
        self._fleet = fleet
        self._pipeline = pipeline
        self._screen = screen
        self.bound_s = bound_s
        self._began = time.monotonic()
        self._began_ms = now_ms()
        self._said: list[Line] = []
        self._lines: list[Line] = []
        self._told = 0
        self._marks: dict[str, Mark] = {}
        self._total = 0

    @property
    def second(self) -> int:
        """Whole seconds since the start."""
        return int(time.monotonic() - self._began)

    def left_s(self, keep_s: float = 0.0) -> float:
        """Seconds until the bound, less `keep_s` for what comes after."""
        return self.bound_s - keep_s - (time.monotonic() - self._began)

    def say(self, text: str) -> None:
        """One line of the demo's own in the log."""
        self._said.append(Line(now_ms(), "demo", text))

    def enter(self, phase: str) -> None:
        """What is going on now, for the first line of the view."""
        self.phase = phase

    def mark(self, letter: str, tone: Tone) -> None:
        """A letter at this second, below the error rate."""
        self._marks[letter] = Mark(self.second, letter, tone)

    async def run(self) -> None:
        """Look and draw, until cancelled.

        Raises:
            FleetError, PipelineError: a process has ended that must not.
        """
        while True:
            self._fleet.check()
            self._pipeline.check()
            self.states = await self._fleet.states()
            self._count_errors()
            for line in self._pipeline.said():
                self._said.append(Line(now_ms(), "up", line))
            self.draw()
            await asyncio.sleep(FRAME_S)

    def draw(self) -> None:
        """Show how it stands now."""
        story = self.story
        fresh = [*self._said, *story.lines[self._told :]]
        self._said, self._told = [], len(story.lines)
        # A verdict and the command that follows from it are of the same moment.
        self._lines += sorted(fresh, key=lambda line: (line.at_ms, line.kind == "command"))
        self._screen.show(
            Scene(
                now_ms=now_ms(),
                bound_s=self.bound_s,
                phase=self.phase,
                steps={**self.own, **story.reached()},
                states=self.states,
                errors=self.errors,
                marks=[*self._marks.values(), *self._told_marks()],
                lines=self._lines,
                began_ms=self._began_ms,
            )
        )

    def _told_marks(self) -> list[Mark]:
        marks = []
        for line in self.story.lines:
            second = (line.at_ms - self._began_ms) // 1000
            if line.kind == "command":
                marks.append(Mark(second, "C", "act"))
            elif line.kind == "verify" and line.tone == "good":
                marks.append(Mark(second, "V", "good"))
        return marks

    def _count_errors(self) -> None:
        """One value per whole second; seconds without a look repeat the mean over the gap."""
        shoppers = self.states.get("shoppers")
        total = self._total if shoppers is None else shoppers.rates.errors
        seconds = self.second - len(self.errors)
        if seconds > 0:
            self.errors += [(total - self._total) / seconds] * seconds
            self._total = total

    def rate(self) -> float:
        """Failed requests a second as shoppers see them, over their last 3 seconds."""
        shoppers = self.states.get("shoppers")
        return 0.0 if shoppers is None else shoppers.rates.errors_per_s
