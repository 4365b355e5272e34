"""Goals: what detection must reach on simulated fleets, beside what it reached."""

from collections.abc import Iterable
from typing import Any, Final

from faultstream.core.report.goal import Goal

__all__ = ["Goal", "above", "at_least", "below", "failed", "goals", "lines", "none", "within"]

RECALL: Final = 0.95
FALSE: Final = 0.05
MEDIAN_MS: Final = 30_000
CRITICAL_P95_MS: Final = 120_000
ROOTS: Final = 0.90
WITHIN_10: Final = 0.80


def at_least(name: str, figure: float | None, bound: float, *, digits: int = 3) -> Goal:
    """Met by `bound` or more."""
    met = None if figure is None else figure >= bound
    wanted = f">= {bound:.{digits}f}"
    return Goal(name=name, figure=figure, shown=_number(figure, digits), wanted=wanted, met=met)


def above(name: str, figure: float | None, bound: float, *, digits: int = 3) -> Goal:
    """Met by more than `bound`: a figure to beat."""
    met = None if figure is None else figure > bound
    wanted = f"> {bound:.{digits}f}"
    return Goal(name=name, figure=figure, shown=_number(figure, digits), wanted=wanted, met=met)


def below(name: str, figure: float | None, bound: float, *, digits: int = 3) -> Goal:
    """Met by less than `bound`."""
    met = None if figure is None else figure < bound
    wanted = f"< {bound:.{digits}f}"
    return Goal(name=name, figure=figure, shown=_number(figure, digits), wanted=wanted, met=met)


def within(name: str, figure_ms: int | None, bound_ms: int) -> Goal:
    """Met by a time shorter than `bound_ms`."""
    shown = "-" if figure_ms is None else f"{figure_ms / 1000:.1f} s"
    met = None if figure_ms is None else figure_ms < bound_ms
    return Goal(
        name=name, figure=figure_ms, shown=shown, wanted=f"< {bound_ms / 1000:g} s", met=met
    )


def none(name: str, figure: int) -> Goal:
    """Met by nothing at all."""
    return Goal(name=name, figure=figure, shown=str(figure), wanted="0", met=figure == 0)


def goals(found: dict[str, Any]) -> list[Goal]:
    """The goals of a scenario, from its figures; of one without incidents, that it opens no burst
    and no degradation."""
    if not found["incidents"]:
        opened, early = (
            found[name].get("burst", 0) + found[name].get("degradation", 0)
            for name in ("false_episodes", "false_in_first_hour")
        )
        return [
            none("bursts and degradations on ordinary days", opened),
            none("the same, after the first hour", opened - early),
        ]
    kinds = found["kinds"]
    weakest = min(kinds, key=lambda kind: (kinds[kind]["recall"], kind))
    return [
        at_least(
            f"recall, lowest of {len(kinds)} kinds ({weakest})",
            kinds[weakest]["recall"],
            RECALL,
        ),
        below("false episodes", found["false_ratio"], FALSE),
        within("time to detect, median", found["detect_median_ms"], MEDIAN_MS),
        within("critical incidents, p95", found["critical_p95_ms"], CRITICAL_P95_MS),
        at_least("root of cascades right", found["root_right_ratio"], ROOTS),
        at_least("recurring within 10 occurrences", found["recurring_within_10_ratio"], WITHIN_10),
    ]


def failed(many: Iterable[Goal]) -> bool:
    """Whether one of them was not met; what could not be measured does not count."""
    return any(one.met is False for one in many)


def lines(many: Iterable[Goal]) -> list[str]:
    """One line each."""
    words = {True: "met", False: "NOT MET", None: "-"}
    return [
        f"{words[one.met]:<8} {one.name:<48} {one.shown:>9}  {one.wanted}".rstrip() for one in many
    ]


def _number(figure: float | None, digits: int) -> str:
    return "-" if figure is None else f"{figure:.{digits}f}"
