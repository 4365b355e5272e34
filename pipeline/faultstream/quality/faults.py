"""Faults: what detect and respond make of a real fault: root, services touched, who passed it on.

Each fault is replayed alone, by its own log events in order of time, with the call topology that
comes with the data.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from faultstream.core.event import ErrorEvent
from faultstream.core.policy import ServicePolicy, Topology
from faultstream.core.records import Pattern
from faultstream.quality.data import Row
from faultstream.simulate.generate import Arrival
from faultstream.simulate.replay import Replay

LEVELS: Final = {"WARN": "low", "ERROR": "", "FATAL": "critical"}
_MEASURED: Final = frozenset({"burst", "high_rate", "degradation"})
"""Kinds whose confidence says how far a service is above what is usual for it."""
_SEVERAL: Final = frozenset({"cascade", "correlation", "sequence", "recovery_loop"})


def topology_of(topology: Topology, calls: Iterable[Row], rows: Sequence[Row]) -> Topology:
    """`topology` that knows who calls whom, and takes the fleet for known: the samples are of
    minutes, and their first ones would be held back as those of a fleet that is new."""
    needs: dict[str, set[str]] = {row["service"]: set() for row in rows}
    for call in calls:
        needs.setdefault(call["caller"], set()).add(call["callee"])
        needs.setdefault(call["callee"], set())
    services = {
        name: ServicePolicy(layer="service", depends_on=tuple(sorted(others - {name})))
        for name, others in sorted(needs.items())
    }
    cold = msgspec.structs.replace(topology.detectors.cold, for_ms=0)
    detectors = msgspec.structs.replace(topology.detectors, cold=cold)
    return msgspec.structs.replace(topology, services=services, detectors=detectors)


def arrivals(rows: Iterable[Row], levels: Iterable[str]) -> list[Arrival]:
    """Log events of those levels as error events that arrive at once."""
    found = []
    for index, row in enumerate(sorted(rows, key=lambda one: float(one["ts_unix"]))):
        if row["level"] not in levels:
            continue
        time_ms = round(float(row["ts_unix"]) * 1000)
        event = ErrorEvent(
            service=row["service"],
            error_type=row["error_type"] or row.get("logger") or row["level"],
            event_id=f"{row['incident']}-{index}",
            time=time_ms,
            layer="service",
            message=row["message"] or "",
            trace_id=row.get("trace_id") or "",
            span_id=row.get("span_id") or "",
            severity=LEVELS.get(row["level"], ""),
        )
        found.append(Arrival(time_ms, time_ms, 0, event))
    return found


class Answer(msgspec.Struct):
    """What was said about one fault. `roots` best first."""

    roots: list[str]
    touched: set[str]
    pairs: set[tuple[str, str]]
    kinds: Counter[str]


def answer(topology: Topology, stream: list[Arrival], *, since_ms: int = 0) -> Answer:
    """Replays a fault; patterns that ended before `since_ms` are no part of the answer.

    Roots are those of cascades, those that began since `since_ms` before older ones, the widest
    first; then the other services, those first whose errors rose furthest above what is usual for
    them, of several the earliest. Pairs are those of all cascades, also of what ended before.
    """
    last: dict[str, Pattern] = {}
    for told in Replay(topology, 1).patterns(stream):
        known = last.get(told.pattern.pattern_id)
        if known is None or told.pattern.count:
            last[told.pattern.pattern_id] = told.pattern
    patterns = [one for one in last.values() if one.last_at_ms >= since_ms]
    cascades = sorted(
        (one for one in patterns if one.kind == "cascade"),
        key=lambda one: (
            one.first_at_ms < since_ms,
            -len(one.affected.services),
            one.first_at_ms,
        ),
    )
    first: dict[str, int] = {}
    above: dict[str, float] = {}
    for one in patterns:
        if one.kind not in _SEVERAL and not one.left:
            first[one.service] = min(first.get(one.service, one.first_at_ms), one.first_at_ms)
            if one.kind in _MEASURED:
                above[one.service] = max(above.get(one.service, 0.0), one.confidence)
    ranked = [one.root for one in cascades]
    ranked += sorted(first, key=lambda name: (-above.get(name, 0.0), first[name], name))
    return Answer(
        roots=list(dict.fromkeys(ranked)),
        touched={*first, *(name for one in cascades for name in one.affected.services)},
        pairs={
            (edge.source, edge.target)
            for one in last.values()
            if one.kind == "cascade"
            for edge in one.edges
        },
        kinds=Counter(str(one.kind) for one in patterns),
    )
