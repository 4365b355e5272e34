"""Text: times, lengths, counts and tables as people read them, in a terminal and in Markdown.

What comes from events is foreign: `clean` takes out what a terminal would obey, `escaped` what
Markdown or HTML would.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

_MARKED: Final = re.compile(r"([\\`*_\[\]<>|#~&])")
_UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"))


def moment(at_ms: int) -> str:
    """`2026-11-22 02:01:39 UTC`."""
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def day(at_ms: int) -> str:
    """`2026-11-22`."""
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d}"


def length(ms: int) -> str:
    """`0.3 s`, `16 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`; never more than two units."""
    if ms < 0:
        return f"-{length(-ms)}"
    if ms < 10_000:
        return f"{ms / 1000:.1f} s"
    if ms < 60_000:
        return f"{ms // 1000} s"
    for (unit_ms, unit), (below_ms, below) in zip(_UNITS, (*_UNITS[1:], (1000, "s")), strict=True):
        if ms >= unit_ms:
            rest = ms % unit_ms // below_ms
            return f"{ms // unit_ms} {unit}" + (f" {rest} {below}" if rest else "")
    raise AssertionError(ms)


def rough(ms: int) -> str:
    """`3 s`, `90 s`, `20 min`, `12 d`: one unit, the largest of which there are two, rounded
    down."""
    for unit_ms, unit in _UNITS:
        if ms >= 2 * unit_ms:
            return f"{ms // unit_ms} {unit}"
    return f"{ms // 1000} s"


def counted(number: int, noun: str) -> str:
    """`1 error`, `1,200 errors`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(ratio: float) -> str:
    """`67 %`; 0 and 100 only when it is exactly that."""
    shown = round(ratio * 100)
    if 0 < ratio < 1:
        shown = min(99, max(1, shown))
    return f"{shown} %"


def clean(text: str, most: int = 500) -> str:
    """One line of at most `most` characters that can be printed."""
    line = " ".join(text.split())
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return line if len(line) <= most else line[: most - 1] + "…"


def escaped(text: str, most: int = 500) -> str:
    """`clean`, and nothing in it is markup."""
    return _MARKED.sub(r"\\\1", clean(text, most))


def code(text: str, most: int = 500) -> str:
    """As inline code, which may stand in a table's cell."""
    line = clean(text, most).replace("`", "'").replace("|", "\N{BROKEN BAR}")
    return f"`{line}`" if line else ""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table. A head that begins with `>` is aligned right."""
    names = [head.lstrip(">") for head in heads]
    rules = ["---:" if head.startswith(">") else "---" for head in heads]
    lines = [names, rules, *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
