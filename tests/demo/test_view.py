"""A frame fits the terminal, whatever happened."""

import io

import pytest
from rich.console import Console

from faultstream.demo.meter import Rates
from faultstream.demo.process import ROLES, State
from faultstream.demo.screen import PlainScreen
from faultstream.demo.story import Line
from faultstream.demo.view import Frame, Mark, Scene, spark


def _scene(lines: int = 60, seconds: int = 200) -> Scene:
    rates = Rates(rps=60.0, errors_per_s=22.5, degraded_per_s=3.0, p95_ms=1_234.0)
    parts = {"breaker": "forced_open", "pool": "10 of 10", "note": "x" * 200}
    return Scene(
        now_ms=seconds * 1_000,
        bound_s=90,
        phase="a phase with a rather long name that goes on",
        steps={"detected": True, "verified": False},
        states={role: State(role=role, rates=rates, parts=parts) for role in ROLES[1:]},
        errors=[float(number % 27) for number in range(seconds)],
        marks=[Mark(seconds - 3, "F", "bad")],
        lines=[
            Line(number * 1_000, "command", f"line {number} " + "y" * 200)
            for number in range(lines)
        ],
        began_ms=0,
    )


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 20)])
def test_a_frame_fits(width: int, height: int) -> None:
    """No line is wider than the terminal, and one line stays free; the newest line is there."""
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=False)
    with console.capture() as capture:
        console.print(Frame(_scene()))
    shown = capture.get().splitlines()
    assert len(shown) <= height - 1
    assert max(len(line) for line in shown) <= width
    assert "line 59" in shown[-1]


def test_the_sparkline_keeps_the_newest() -> None:
    """One character per second, the newest on the right, nothing shown as a dot."""
    assert spark([9.0, 0.0, 1.0, 2.0, 0.0], 4) == "·▅█·"
    assert spark([], 4) == ""


def test_plain_lines_say_each_thing_once() -> None:
    """Showing the same scene again prints nothing; what is new is printed whole."""
    console = Console(width=40, file=io.StringIO(), force_terminal=False)
    screen = PlainScreen(console)
    scene = _scene(lines=1)
    with screen, console.capture() as capture:
        screen.show(scene)
        screen.show(scene)
        screen.show(_scene(lines=2))
    shown = capture.get().splitlines()
    assert [line.split()[1] for line in shown] == ["command", "demo", "command"]
    assert shown[0].endswith("y" * 200)
