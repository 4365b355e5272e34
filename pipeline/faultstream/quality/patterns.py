"""Patterns: what detection finds of planted incidents, and what it opens on an ordinary day.

The data is simulated: it shows that the detectors do what they say, not how often such incidents
happen.
"""

from collections import Counter
from typing import Any

import msgspec

from faultstream.quality.section import Section, Table, Task
from faultstream.simulate.figures import figures
from faultstream.simulate.goals import goals
from faultstream.simulate.reading import load
from faultstream.simulate.score import Tally
from faultstream.simulate.seeds import each

ZOO = "zoo"
DAY = "busy-day"


def measure(task: Task) -> Section:
    """Recall by kind of incident, time to detect, roots, and what is false; an ordinary day of the
    first seed beside."""
    zoo = _played(task, ZOO, task.seeds)
    day = _played(task, DAY, task.seeds[:1])
    found, quiet = figures(zoo), figures(day)
    return Section(
        says=f"Planted incidents ({ZOO}, seeds {_named(task.seeds)}) and an ordinary day ({DAY}).",
        figures={
            ZOO: found,
            DAY: quiet,
            "missed": [
                {**msgspec.to_builtins(hit), "missing": hit.missing}
                for hit in zoo.hits
                if hit.missing
            ],
            "false": msgspec.to_builtins([*zoo.wrong, *day.wrong]),
        },
        tables=[
            _recall(found),
            _opened(found, quiet),
            _missed(zoo, task.shown),
            _false(zoo, day, task.shown),
        ],
        goals=[*goals(found), *goals(quiet)],
    )


def _played(task: Task, name: str, seeds: range) -> Tally:
    tally = Tally()
    for seed, one in each(load(name), task.topology, seeds, jobs=task.jobs, tell=task.tell):
        tally.add(one)
        task.tell(f"patterns: {name}, seed {seed}")
    return tally


def _named(seeds: range) -> str:
    return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"


def _recall(found: dict[str, Any]) -> Table:
    return Table(
        title="incidents found",
        columns=("incident", "must be found", "found", "median", "p95"),
        rows=[
            (
                kind,
                ", ".join(one["must"]),
                f"{one['found']}/{one['planted']}",
                _time(one["median_ms"]),
                _time(one["p95_ms"]),
            )
            for kind, one in found["kinds"].items()
        ],
        texts=2,
    )


def _opened(found: dict[str, Any], quiet: dict[str, Any]) -> Table:
    kinds = sorted({*found["episodes"], *quiet["episodes"]})
    return Table(
        title="patterns opened, and those without an incident",
        columns=("pattern", ZOO, "false", DAY, "false", "1st hour"),
        rows=[
            (
                kind,
                str(found["episodes"].get(kind, 0)),
                str(found["false_episodes"].get(kind, 0)),
                str(quiet["episodes"].get(kind, 0)),
                str(quiet["false_episodes"].get(kind, 0)),
                str(quiet["false_in_first_hour"].get(kind, 0)),
            )
            for kind in kinds
        ],
    )


def _missed(tally: Tally, shown: int) -> Table:
    return Table(
        title="missed incidents",
        columns=("incident", "seed", "service", "missing", "found"),
        rows=[
            (
                hit.truth.incident,
                str(hit.seed),
                hit.truth.services[0],
                ", ".join(hit.missing),
                ", ".join(hit.found) or "nothing",
            )
            for hit in tally.hits
            if hit.missing
        ][:shown],
        texts=5,
    )


def _false(zoo: Tally, day: Tally, shown: int) -> Table:
    """The surest first, of each kind in turn."""
    places: Counter[str] = Counter()
    ordered = []
    for name, tally in ((ZOO, zoo), (DAY, day)):
        for one in sorted(tally.wrong, key=lambda one: (-one.confidence, one.at_ms, one.service)):
            places[one.kind] += 1
            ordered.append((places[one.kind], one.kind, name, one))
    ordered.sort(key=lambda row: row[:3])
    return Table(
        title="false patterns",
        columns=("pattern", "where", "service", "hour", "why"),
        rows=[
            (kind, name, one.service, f"{one.into_ms / 3_600_000:.1f}", one.reason)
            for _, kind, name, one in ordered[:shown]
        ],
        texts=5,
    )


def _time(value_ms: int | None) -> str:
    return "-" if value_ms is None else f"{value_ms / 1000:.1f} s"
