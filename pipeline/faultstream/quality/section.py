"""Section: what one part of the report says, for people (tables, notes) and machines (figures)."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import msgspec

from faultstream.core.policy import Topology
from faultstream.quality.data import Data
from faultstream.quality.scores import Bin
from faultstream.simulate.goals import Goal

_BAR: Final = 40


class Table(msgspec.Struct, kw_only=True):
    """A table. The first `texts` columns are words, the others figures."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    title: str = ""
    texts: int = 1


class Section(msgspec.Struct, kw_only=True):
    """Figures by name, JSON throughout; `skipped` says why there are none."""

    says: str
    figures: dict[str, Any] = {}
    tables: list[Table] = []
    notes: list[str] = []
    goals: list[Goal] = []
    skipped: str = ""


class Task(msgspec.Struct, kw_only=True):
    """What to measure with. `tell` hears of progress; `shown` bounds the lists of what is weak;
    `jobs` processes may share long work."""

    data: Data
    topology: Topology
    seeds: range = range(1, 2)
    jobs: int = 1
    shown: int = 10
    tell: Callable[[str], None] = lambda _: None


class Measure(Protocol):
    """One section's work.

    Raises:
        Absent: its data is not there.
    """

    def __call__(self, task: Task) -> Section: ...


def ratio(value: float | None, digits: int = 3) -> str:
    """A share for a table."""
    return "-" if value is None else f"{value:.{digits}f}"


def bars(title: str, bins: list[Bin]) -> Table:
    """A reliability diagram: how often answers of about the same confidence were right."""
    return Table(
        title=f"reliability: {title}",
        columns=("sure", "right", "of", ""),
        rows=[
            (f"{one.sure:.2f}", f"{one.right:.2f}", str(one.count), _bar(one.right, one.sure))
            for one in bins
        ],
        texts=4,
    )


def _bar(right: float, sure: float) -> str:
    """The share that was right, with a mark where it should be."""
    cells = ["#" if index < round(right * _BAR) else " " for index in range(_BAR + 1)]
    cells[round(sure * _BAR)] = "|"
    return "".join(cells).rstrip()
