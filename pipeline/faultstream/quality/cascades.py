"""Cascades: root and way of real faults, injected into a shop of 40 services (Nezha).

Only errors are used, no warnings. Peers' figures are those given with the data, over 45 faults.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from faultstream.core.report.wilson import bounds
from faultstream.quality.faults import answer, arrivals, topology_of
from faultstream.quality.scores import f1
from faultstream.quality.section import Section, Table, Task, ratio
from faultstream.quality.spread import redrawn, span
from faultstream.simulate.goals import above

PEERS: Final[tuple[tuple[str, float | None, float | None, float | None], ...]] = (
    ("logs only (45 faults)", 0.18, 0.24, None),
    ("most frequent service (45)", 0.20, 0.47, None),
    ("rarity-weighted counts (45)", 0.33, 0.44, None),
    ("pairs without trace ids (45)", None, None, 0.47),
)
_LEVELS: Final = ("ERROR", "FATAL")


def _best(place: int) -> float:
    """The best figure of a peer in that place."""
    return max(figure for one in PEERS if isinstance(figure := one[place], float))


class _Fault(msgspec.Struct, frozen=True):
    """One fault: whether its root came first, or among three, and pairs right, said and true."""

    first: bool
    three: bool
    right: int = 0
    said: int = 0
    true: int = 0


def _first(faults: Sequence[_Fault]) -> float:
    return sum(one.first for one in faults) / len(faults)


def _three(faults: Sequence[_Fault]) -> float:
    return sum(one.three for one in faults) / len(faults)


def _pairs(faults: Sequence[_Fault]) -> float:
    return f1(
        sum(one.right for one in faults),
        sum(one.said for one in faults),
        sum(one.true for one in faults),
    )


def measure(task: Task) -> Section:
    """How often the root is named first or among three, and the F1 of pairs (cause, effect)."""
    truths = task.data.json("cascades", "truth.json")
    rows = task.data.lines("cascades", "events.jsonl.gz")
    topology = topology_of(task.topology, task.data.json("cascades", "topology.json"), rows)
    faults: list[_Fault] = []
    misses: list[dict[str, Any]] = []
    for number, truth in enumerate(truths, 1):
        name, root = truth["incident"], truth["root_service"]
        mine = [row for row in rows if row["incident"] == name]
        found = answer(
            topology, arrivals(mine, _LEVELS), since_ms=round(truth["inject_unix"] * 1000)
        )
        pairs = {tuple(pair) for one in truth["trace_cascades"] for pair in one["pairs"]}
        counts = (len(pairs & found.pairs), len(found.pairs), len(pairs)) if pairs else ()
        faults.append(_Fault(root in found.roots[:1], root in found.roots[:3], *counts))
        if root not in found.roots[:1]:
            misses.append({"fault": name, "root": root, "said": found.roots[:3]})
        task.tell(f"cascades: {number} of {len(truths)}")
    count = len(truths)
    figures = (_first, _three, _pairs)
    ours = tuple(figure(faults) for figure in figures)
    spans = (
        bounds(sum(one.first for one in faults), count),
        bounds(sum(one.three for one in faults), count),
        redrawn(faults, _pairs),
    )
    return Section(
        says="Root and way of real faults in a shop of 40 services.",
        figures={
            "faults": count,
            "root_first_ratio": ours[0],
            "root_in_three_ratio": ours[1],
            "pairs_f1": ours[2],
            "intervals": dict(zip(("root_first", "root_in_three", "pairs_f1"), spans, strict=True)),
            "peers": {name: rest for name, *rest in PEERS},
            "misses": misses,
        },
        tables=[
            Table(
                columns=("", "root 1st", "in top 3", "pairs F1"),
                rows=[
                    (f"ours ({count} faults)", *(ratio(one, 2) for one in ours)),
                    ("95 % interval", *(span(one) for one in spans)),
                    *((name, *(ratio(one, 2) for one in rest)) for name, *rest in PEERS),
                ],
            ),
            Table(
                title="root not named first",
                columns=("fault", "root", "said"),
                rows=[
                    (one["fault"], one["root"], ", ".join(one["said"]) or "nothing")
                    for one in misses[: task.shown]
                ],
                texts=3,
            ),
        ],
        goals=[
            above("root named first", ours[0], _best(1), digits=2),
            above("root among three", ours[1], _best(2), digits=2),
            above("pairs (cause, effect), F1", ours[2], _best(3), digits=2),
        ],
    )
