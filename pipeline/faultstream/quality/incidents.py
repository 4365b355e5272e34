"""Incidents: root and reach of incidents of a multi-service product (rootcausebench).

Reach is the mean Jaccard of the services that are told to be touched beside the root, and the true
ones. Remediation is not scored: of releases, by which people told a rollback from the rest, the log
events say nothing in most incidents, and other answers (roll forward, purge the data, ...) are of
another kind than strategies.
"""

from statistics import fmean
from typing import Any, Final

from faultstream.core.report.wilson import bounds
from faultstream.quality.faults import answer, arrivals, topology_of
from faultstream.quality.section import Section, Table, Task, ratio
from faultstream.quality.spread import redrawn, span
from faultstream.simulate.goals import above

PEERS: Final = (("errors only (24 incidents)", "19/24", 0.44), ("best peer (24)", "22/24", 0.81))
_BEST_ROOTS: Final = 22 / 24
_LEVELS: Final = ("WARN", "ERROR", "FATAL")


def measure(task: Task) -> Section:
    """How many roots are right, and how well the reach is told."""
    truths = task.data.json("incidents", "truth.json")
    rows = task.data.lines("incidents", "events.jsonl.gz")
    calls = task.data.json("incidents", "topology.json")
    rights: list[bool] = []
    overlaps: list[float] = []
    weak: list[dict[str, Any]] = []
    for number, truth in enumerate(truths, 1):
        name, root = truth["incident"], truth["first_failing_service"]
        mine = [row for row in rows if row["incident"] == name]
        topology = topology_of(task.topology, calls.get(name, []), mine)
        found = answer(topology, arrivals(mine, _LEVELS))
        rights.append(found.roots[:1] == [root])
        touched, true = found.touched - set(found.roots[:1]), set(truth["blast_radius"])
        share = len(touched & true) / len(touched | true) if touched | true else 1.0
        overlaps.append(share)
        if share < 1 or found.roots[:1] != [root]:
            weak.append(
                {"incident": name, "root": root, "said": found.roots[:1], "overlap": share}
                | {"missing": sorted(true - touched), "too_many": sorted(touched - true)}
            )
        task.tell(f"incidents: {number} of {len(truths)}")
    count, right, overlap = len(truths), sum(rights), fmean(overlaps)
    spans = (bounds(right, count), redrawn(overlaps, fmean))
    return Section(
        says="Root and reach of incidents of a multi-service product.",
        figures={
            "incidents": count,
            "roots_right": right,
            "jaccard": overlap,
            "intervals": {"roots_right_ratio": spans[0], "jaccard": spans[1]},
            "peers": {name: rest for name, *rest in PEERS},
            "weak": weak,
        },
        tables=[
            Table(
                columns=("", "root", "Jaccard"),
                rows=[
                    (f"ours ({count} incidents)", f"{right}/{count}", ratio(overlap, 2)),
                    ("95 % interval", *(span(one) for one in spans)),
                    *((name, roots, ratio(one, 2)) for name, roots, one in PEERS),
                ],
            ),
            Table(
                title="not wholly right",
                columns=("incident", "root said", "missing", "too many"),
                rows=[
                    (
                        one["incident"],
                        ("right" if one["said"] == [one["root"]] else ", ".join(one["said"])),
                        ", ".join(one["missing"]),
                        ", ".join(one["too_many"]),
                    )
                    for one in weak[: task.shown]
                ],
                texts=4,
            ),
        ],
        goals=[
            above("root right", right / count, _BEST_ROOTS, digits=2),
            above("reach, Jaccard", overlap, max(one[2] for one in PEERS), digits=2),
        ],
    )
