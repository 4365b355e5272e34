"""Grouping: fingerprints on real logs and real stack traces.

Logs: grouping accuracy (GA) and F1 of groups (FGA) by system, one fingerprint a message, nothing
learned. Stacks: FGA and F1 of pairs against bug ids. Peers' figures are those given with the data;
theirs for stacks are over the whole set.
"""

import re
from collections import Counter, defaultdict
from statistics import mean
from typing import Any, Final

from faultstream.core.event import ErrorEvent, Frame
from faultstream.core.fingerprint import Fingerprint, fingerprint
from faultstream.core.template import template
from faultstream.quality.scores import Grouped, grouped
from faultstream.quality.section import Section, Table, Task, ratio
from faultstream.simulate.goals import above

LOG_PEERS: Final = (
    ("Drain3 0.9.11, default", 0.728, 0.777),
    ("Drain3 with example masking", 0.770, 0.852),
    ("Drain3 tuned per system", 0.852, 0.802),
)
STACK_PEERS: Final = (
    ("type and top 3 frames (446)", 0.67, 0.63),
    ("type and whole stack (446)", 0.61, 0.24),
    ("type and message (446)", 0.67, 0.14),
)
_JAVA: Final = re.compile(
    r"^(?P<place>.+)\.(?P<function>[^.(]+)\((?P<file>[^:)]*)(?::(?P<line>\d+))?\)$"
)
_LONG: Final = 100


def measure(task: Task) -> Section:
    """Logs and stacks, and the true groups that were split or merged, the largest first."""
    systems: dict[str, Grouped] = {}
    worst: list[dict[str, Any]] = []
    for path in sorted(task.data.path("logs").glob("*.csv.gz")):
        system = path.name.removesuffix(".csv.gz")
        rows = task.data.table("logs", path.name)
        pairs = [_of_message(row["content"]) for row in rows]
        true = [row["event_template"] for row in rows]
        systems[system] = grouped(true, [one for one, _ in pairs])
        worst += _worst(system, true, [text for _, text in pairs])
        task.tell(f"grouping: {system}")
    worst = sorted(worst, key=lambda one: (-one["lines"], one["system"], one["template"]))
    app, whole = _stacks(task)
    logs = (mean(one.ga for one in systems.values()), mean(one.fga for one in systems.values()))
    return Section(
        says="Fingerprints on real logs (stateless) and on real stack traces.",
        figures={
            "logs": {"ga": logs[0], "fga": logs[1]},
            "systems": {
                name: {
                    "ga": one.ga,
                    "fga": one.fga,
                    "true": one.true_groups,
                    "ours": one.our_groups,
                }
                for name, one in systems.items()
            },
            "stacks": {
                name: {"fga": one.fga, "pair_f1": one.pair_f1}
                for name, one in (("app", app), ("system", whole))
            },
            "peers": {name: rest for name, *rest in (*LOG_PEERS, *STACK_PEERS)},
            "worst_groups": worst[: 10 * task.shown],
        },
        tables=[
            _systems(systems, logs),
            Table(
                title="stack traces",
                columns=("", "FGA", "pair F1"),
                rows=[
                    (f"ours, app frames ({app.items})", ratio(app.fga), ratio(app.pair_f1)),
                    (f"ours, all frames ({app.items})", ratio(whole.fga), ratio(whole.pair_f1)),
                    *((name, ratio(fga, 2), ratio(pair, 2)) for name, fga, pair in STACK_PEERS),
                ],
            ),
            Table(
                title="worst groups",
                columns=("system", "lines", "what", "template"),
                rows=[
                    (one["system"], str(one["lines"]), one["what"], one["template"])
                    for one in worst[: task.shown]
                ],
                texts=4,
            ),
        ],
        goals=[
            above("logs, grouping accuracy", logs[0], max(one[1] for one in LOG_PEERS)),
            above("logs, FGA", logs[1], max(one[2] for one in LOG_PEERS)),
            above("stacks, FGA", app.fga, max(one[1] for one in STACK_PEERS)),
            above("stacks, pair F1", app.pair_f1, max(one[2] for one in STACK_PEERS)),
        ],
    )


def _systems(systems: dict[str, Grouped], logs: tuple[float, float]) -> Table:
    rows = [
        (name, ratio(one.ga), ratio(one.fga), str(one.true_groups), str(one.our_groups))
        for name, one in systems.items()
    ]
    rows.append(("ours, mean", ratio(logs[0]), ratio(logs[1]), "", ""))
    rows += [(name, ratio(ga), ratio(fga), "", "") for name, ga, fga in LOG_PEERS]
    return Table(title="log messages", columns=("", "GA", "FGA", "true", "ours"), rows=rows)


def _of_message(message: str) -> tuple[str, str]:
    text = template(message)
    event = ErrorEvent(service="log", error_type="log", message=message)
    return fingerprint(event, text).app, text


def _worst(system: str, true: list[str], texts: list[str]) -> list[dict[str, Any]]:
    """The true groups that are not ours: split over several templates, or merged with others."""
    ours: dict[str, set[str]] = defaultdict(set)
    theirs: dict[str, set[str]] = defaultdict(set)
    for one, text in zip(true, texts, strict=True):
        ours[one].add(text)
        theirs[text].add(one)
    found = []
    for one, lines in Counter(true).items():
        others = {other for text in ours[one] for other in theirs[text]} - {one}
        words = [f"split in {len(ours[one])}"] if len(ours[one]) > 1 else []
        words += [f"merged with {len(others)}"] if others else []
        if words:
            found.append(
                {
                    "system": system,
                    "lines": lines,
                    "what": ", ".join(words),
                    "template": one[:_LONG],
                }
                | {"ours": sorted(ours[one])[:3], "others": sorted(others)[:3]}
            )
    return found


def _stacks(task: Task) -> tuple[Grouped, Grouped]:
    """By app frames, by all frames."""
    rows = task.data.lines("stacks", "events.jsonl.gz")
    prints: list[Fingerprint] = []
    for row in rows:
        event = ErrorEvent(
            service=row["project"],
            error_type=row["error_type"],
            message=row["message"],
            frames=[_frame(text) for text in reversed(row["stack"])],
        )
        prints.append(fingerprint(event, template(event.message)))
    bugs = [row["bug"] for row in rows]
    projects = [row["project"] for row in rows]
    task.tell("grouping: stacks")
    return (
        grouped(bugs, [(name, one.app) for name, one in zip(projects, prints, strict=True)]),
        grouped(bugs, [(name, one.system) for name, one in zip(projects, prints, strict=True)]),
    )


def _frame(text: str) -> Frame:
    match = _JAVA.match(text)
    if match is None:
        return Frame(function=text)
    return Frame(
        module=match["place"],
        function=match["function"],
        file=match["file"],
        line=int(match["line"] or 0),
    )
