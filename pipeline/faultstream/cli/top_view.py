"""How things stand as rich shows it; as much of it as the terminal is high."""

from collections.abc import Sequence
from typing import Final

from rich.console import ConsoleDimensions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from faultstream.cli.show_tree import freshness, state_text
from faultstream.core.report.chart import spark
from faultstream.core.report.live import Hold, Live, LiveIncident
from faultstream.core.report.text import clean, counted, length, rough

_COLOURS: Final = {"healthy": "green", "warning": "yellow", "critical": "red"}
_MARKS: Final = {"healthy": "●", "warning": "▲", "critical": "■"}
_OUTCOMES: Final = {"cured": "green", "failed": "red", "worse": "red", "pending": "cyan",
                    "running": "cyan", "done": "cyan"}  # fmt: skip
_FIXED: Final = 14
"""Lines that are not rows of services, incidents, holds or patterns."""

_HEALTH: Final = 12
"""Columns that the health takes, with the space behind it."""
_COUNTS: Final = 32
"""Columns that the counts and the beginning of a reason take."""
_ALL_OF_IT: Final = 68


def view(live: Live, size: ConsoleDimensions) -> RenderableType:
    """All of it, or as much as there is room for: the worst services and open incidents first."""
    rows = max(8, size.height - _FIXED)
    open_ones = [one for one in live.incidents if one.is_open]
    incidents = (open_ones or live.incidents)[: max(2, rows // 3)]
    parts: list[RenderableType] = [
        _head(live),
        _rates(live, size.width),
        _services(live, rows // 2, size.width),
    ]
    if incidents:
        parts += [Text("\nincidents", "bold"), *_incidents(incidents, live.now_at_ms)]
    if live.holds:
        parts += [Text("\nin force by command", "bold")]
        parts += [_hold(one, live.now_at_ms) for one in live.holds[: max(2, rows // 6)]]
    if live.patterns:
        parts += [Text("\nopen patterns", "bold")]
        for pattern in live.patterns[: max(2, rows // 4)]:
            line = f"{pattern.kind} {pattern.error_type} in {pattern.service}"
            told = f"{line}, {counted(pattern.count, 'error')}: {pattern.reason}"
            parts.append(Text(f"  {clean(told, 200)}", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def trouble(shown: RenderableType, reason: str) -> RenderableType:
    """What was shown last, and why it is old."""
    return Group(Text(clean(f"this is old: {reason}"), "bold red"), shown)


def _head(live: Live) -> Text:
    text = Text()
    text.append(f"{_MARKS[live.status]} {live.status}", f"bold {_COLOURS[live.status]}")
    text.append(f"  {live.rule}; ")
    text.append(freshness(live.stored_at_ms, live.now_at_ms), "dim")
    return text


def _rates(live: Live, width: int) -> Text:
    told = f"  {counted(sum(live.rates), 'error')} in the last hour"
    return Text(spark(live.rates[-max(10, width - len(told) - 2) :]) + told, no_wrap=True)


def _services(live: Live, most: int, width: int) -> Table:
    """What a narrow terminal has no room for is left out; health and names stay whole."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), expand=False)
    longest = max((len(clean(one.service, 30)) for one in live.services[: max(3, most)]), default=7)
    left = width - _HEALTH - max(7, longest) - 2
    names = ["health", "service", "last 30 min", "5 min", "1 h", "why"]
    if left < _ALL_OF_IT:
        names.remove("last 30 min")
    if left < _COUNTS:
        names = ["health", "service", "why"]
    whole = {
        "health": _HEALTH - 2,
        "service": min(max(7, longest), max(7, width - _HEALTH - 2)),
        "5 min": max((len(f"{one.errors_5_min:,}") for one in live.services), default=0),
        "1 h": max((len(f"{one.errors_hour:,}") for one in live.services), default=0),
    }
    for name in names:
        table.add_column(
            name,
            no_wrap=True,
            overflow="ellipsis",
            min_width=max(len(name), whole[name]) if name in whole else None,
            justify="right" if name in {"5 min", "1 h"} else "left",
        )
    for one in live.services[: max(3, most)]:
        colour = _COLOURS[one.status]
        cells: dict[str, RenderableType] = {
            "health": Text(f"{_MARKS[one.status]} {one.status}", colour),
            "service": clean(one.service, 30),
            "last 30 min": spark(one.rates[-30:]),
            "5 min": f"{one.errors_5_min:,}",
            "1 h": f"{one.errors_hour:,}",
            "why": Text(clean(one.rule), colour if one.status != "healthy" else "dim"),
        }
        table.add_row(*(cells[name] for name in names))
    if len(live.services) > max(3, most):
        table.add_row("", Text(f"and {len(live.services) - max(3, most)} more", "dim"))
    return table


def _incidents(incidents: Sequence[LiveIncident], now_ms: int) -> list[RenderableType]:
    found: list[RenderableType] = []
    for one in incidents:
        line = Text("  ", no_wrap=True, overflow="ellipsis")
        line.append(one.incident_id[:8] + " ", "dim")
        line.append_text(state_text(one.state))
        age = rough(max(0, now_ms - one.first_error_at_ms))
        kind = ", an experiment" if one.experiment_id else ""
        line.append(
            f" {clean(one.service, 30)} {one.severity}{kind}, {age} ago: {clean(one.reason, 300)}"
        )
        found.append(line)
        if one.tries:
            tries = Text("           ", no_wrap=True, overflow="ellipsis")
            for at, each in enumerate(one.tries[-6:]):
                tries.append(f"{' > ' if at else ''}{clean(each.strategy, 60)} ")
                tries.append(each.outcome, _OUTCOMES.get(each.outcome, "yellow"))
            found.append(tries)
    return found


def _hold(one: Hold, now_ms: int) -> Text:
    whom = f" for {one.dependency}" if one.dependency else ""
    told = f"{one.strategy}{whom} in {counted(one.instances, 'instance')} of {one.service}"
    left = length(max(0, one.until_at_ms - now_ms))
    return Text(f"  {clean(told, 200)}, {left} left", no_wrap=True, overflow="ellipsis")
