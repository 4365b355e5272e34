"""Report: every section, in order, each measured or skipped with a reason."""

from collections.abc import Iterable, Iterator
from typing import Final

from faultstream.quality import (
    cascades,
    classification,
    cost,
    grouping,
    incidents,
    patterns,
    prediction,
    series,
)
from faultstream.quality.data import Absent
from faultstream.quality.section import Measure, Section, Task

SECTIONS: Final[dict[str, Measure]] = {
    "classification": classification.measure,
    "grouping": grouping.measure,
    "patterns": patterns.measure,
    "prediction": prediction.measure,
    "cascades": cascades.measure,
    "incidents": incidents.measure,
    "series": series.measure,
    "cost": cost.measure,
}
"""By name, in the order of the report; one file and one line here make a new one."""


def measured(task: Task, names: Iterable[str] | None = None) -> Iterator[tuple[str, Section]]:
    """The sections of those names, all by default, as they are done."""
    wanted = set(SECTIONS if names is None else names)
    for name, measure in SECTIONS.items():
        if name not in wanted:
            continue
        try:
            yield name, measure(task)
        except Absent as exc:
            yield name, Section(says="", skipped=str(exc))
