"""The live view: the fleet by its own words, the error rate, and what the topics say."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from faultstream.demo.process import ROLES, State
from faultstream.demo.story import Line, Tone

_BARS: Final = "▁▂▃▄▅▆▇█"
_TONES: Final[dict[Tone, str]] = {"bad": "red", "act": "yellow", "good": "green", "plain": ""}
_WORDS: Final = {
    "open": "bold red", "forced_open": "bold red", "half_open": "yellow", "on": "bold red",
}  # fmt: skip


class Mark(msgspec.Struct, frozen=True):
    """A letter below the error rate at one second."""

    second: int
    letter: str
    tone: Tone


class Scene(msgspec.Struct, kw_only=True):
    """Everything that one frame shows. `errors` has one rate per second, the last is now."""

    now_ms: int
    began_ms: int
    bound_s: int
    phase: str
    steps: Mapping[str, bool]
    states: Mapping[str, State]
    errors: Sequence[float]
    marks: Sequence[Mark]
    lines: Sequence[Line]

    @property
    def second(self) -> int:
        """Whole seconds since the start."""
        return (self.now_ms - self.began_ms) // 1000


def clock(at_ms: int, began_ms: int) -> str:
    """Seconds since the start, as `12.3`."""
    return f"{max(0, at_ms - began_ms) / 1000:5.1f}"


def spark(rates: Sequence[float], width: int) -> str:
    """One bar per second, the newest on the right; the highest bar is the highest rate."""
    shown = list(rates)[-width:]
    top = max([*shown, 1.0])
    return "".join(_BARS[round(rate / top * 7)] if rate > 0.05 else "·" for rate in shown)


class Frame:
    """A frame that fits the terminal it is drawn on; the log takes what height is left."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Exactly the height of the terminal less one line, each line cut to its width."""
        height = max(options.size.height - 1, 16)
        upper: list[RenderableType] = [
            self._head(),
            Text(),
            self._fleet(),
            Text(),
            *self._rates(options.max_width),
        ]
        rows = [row for part in upper for row in console.render_lines(part, options, pad=False)]
        rows += [[Segment("")]]
        for line in self._log(height - len(rows)):
            line.truncate(options.max_width, overflow="ellipsis")
            rows += console.render_lines(line, options, pad=False)
        for row in rows[:height]:
            yield from row
            yield Segment.line()

    def _head(self) -> Text:
        scene = self._scene
        head = Text(no_wrap=True, overflow="ellipsis")
        head.append("faultstream demo ", "bold")
        head.append(f"{scene.second:3d} s of {scene.bound_s}  ", "dim")
        head.append(scene.phase, "bold cyan")
        head.append("\n")
        for name, done in scene.steps.items():
            head.append("●" if done else "○", "green" if done else "dim")
            head.append(f"{name} ", "" if done else "dim")
        return head

    def _fleet(self) -> Table:
        table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", expand=True)
        table.add_column("process", no_wrap=True)
        for name in ("req/s", "err/s", "p95 ms"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("says of itself", ratio=1, no_wrap=True, overflow="ellipsis")
        for role in reversed(ROLES):
            state = self._scene.states.get(role)
            if state is None:
                table.add_row(role, "", "", "", Text("no answer", "dim"))
                continue
            rates = state.rates
            bad = Text(f"{rates.errors_per_s:.1f}", "red" if rates.errors_per_s >= 0.5 else "dim")
            table.add_row(role, f"{rates.rps:.0f}", bad, f"{rates.p95_ms:.0f}", _parts(state))
        return table

    def _rates(self, width: int) -> list[Text]:
        scene, room = self._scene, width - 16
        top = max([*scene.errors, 0.0])
        now = scene.errors[-1] if scene.errors else 0.0
        first = max(0, len(scene.errors) - room)
        marks = [" "] * room
        for mark in sorted(scene.marks, key=lambda mark: (mark.second, "FCVL".find(mark.letter))):
            place = mark.second - first
            while 0 <= place < room and marks[place] != " ":
                place += 1
            if 0 <= place < room:
                marks[place] = mark.letter
        below = Text(" " * 15, no_wrap=True)
        tones = {mark.letter: _TONES[mark.tone] for mark in scene.marks}
        for letter in marks:
            below.append(letter, tones.get(letter, ""))
        bars = Text("shop errors/s  ", no_wrap=True)
        bars.append(spark(scene.errors, room), "red" if now >= 0.5 else "green")
        legend = f"now {now:.1f}, most {top:.1f}   F fault on, C command, V verified, L lifted"
        return [bars, below, Text(" " * 15 + legend, "dim", no_wrap=True, overflow="ellipsis")]

    def _log(self, room: int) -> list[Text]:
        scene = self._scene
        shown = scene.lines[-room:] if room > 0 else []
        return [
            Text.assemble(
                (f"{clock(line.at_ms, scene.began_ms)} ", "dim"),
                (f"{line.kind:<9}", "bold" if line.tone != "plain" else "dim"),
                (line.text, _TONES[line.tone]),
            )
            for line in shown
        ]


def _parts(state: State) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    if state.rates.degraded_per_s >= 0.5:
        text.append(f"{state.rates.degraded_per_s:.0f}/s from memory  ", "yellow")
    for name, word in state.parts.items():
        text.append(f"{name} ", "dim").append(f"{word}  ", _WORDS.get(word, ""))
    return text
