"""The five severities and their order."""

from typing import Final, Literal

Severity = Literal["low", "medium", "high", "critical", "fatal"]

SEVERITIES: Final[tuple[Severity, ...]] = ("low", "medium", "high", "critical", "fatal")

RANK: Final[dict[str, int]] = {name: rank for rank, name in enumerate(SEVERITIES)}

# What loggers and other systems call them, in lower case.
ALIASES: Final[dict[str, Severity]] = {
    **{name: name for name in SEVERITIES},
    **dict.fromkeys(("trace", "debug", "info", "information", "informational", "notice"), "low"),
    **dict.fromkeys(("minor", "ok"), "low"),
    **dict.fromkeys(("warn", "warning", "moderate"), "medium"),
    **dict.fromkeys(("err", "error", "severe", "major"), "high"),
    **dict.fromkeys(("crit", "critical", "alert", "blocker"), "critical"),
    **dict.fromkeys(("fatal", "emerg", "emergency", "panic", "disaster"), "fatal"),
}


def worst(a: Severity, b: Severity) -> Severity:
    """The graver of two severities."""
    return a if RANK[a] >= RANK[b] else b


def shifted(severity: Severity, steps: int) -> Severity:
    """The severity `steps` further up (down when negative), held at the ends of the scale."""
    return SEVERITIES[max(0, min(len(SEVERITIES) - 1, RANK[severity] + steps))]
