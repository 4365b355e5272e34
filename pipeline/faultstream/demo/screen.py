"""Where the demo is shown: a live frame on a terminal, plain lines anywhere else."""

import time
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.live import Live

from faultstream.demo.view import Frame, Scene, clock

RATE_LINE_EVERY_S: Final = 5


class Screen(Protocol):
    """Shows scene after scene, about twice a second; may be entered once."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def show(self, scene: Scene) -> None:
        """The newest state of everything."""
        ...


class LiveScreen:
    """One frame, drawn over and over; the last one stays on the terminal."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, scene: Scene) -> None:
        """Draw it now."""
        self._live.update(Frame(scene), refresh=True)


class PlainScreen:
    """Every phase, every line of the log once, and the rates every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._lines = 0
        self._rates_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def show(self, scene: Scene) -> None:
        """Print what is new in it."""
        for line in scene.lines[self._lines :]:
            self._say(line.at_ms, line.kind, line.text, scene)
        self._lines = len(scene.lines)
        if scene.phase != self._phase:
            self._phase = scene.phase
            self._say(scene.now_ms, "demo", scene.phase, scene)
        now = time.monotonic()
        if scene.states and now - self._rates_at >= RATE_LINE_EVERY_S:
            self._rates_at = now
            self._say(scene.now_ms, "rates", _rates(scene), scene)

    def _say(self, at_ms: int, kind: str, text: str, scene: Scene) -> None:
        line = f"{clock(at_ms, scene.began_ms)} {kind:<9}{text}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _rates(scene: Scene) -> str:
    parts = []
    for role in ("shoppers", "inventory", "payments"):
        if (state := scene.states.get(role)) is not None:
            own = ", ".join(f"{name} {word}" for name, word in state.parts.items())
            errors, rps = state.rates.errors_per_s, state.rates.rps
            parts.append(f"{role} {errors:.1f} of {rps:.0f}/s fail ({own})")
    return "; ".join(parts)
