"""Correlate: to which open incident a pattern belongs.

The same service with the same fingerprint, or with the same category, or as a whole; else a
service that depends, directly or not, on the service of an incident, or is in a cascade with it
as root. An incident that waits for
a person takes in only its own service's fingerprint or whole; one that is over takes nothing
in: a fault that comes back is a new incident.
"""

from faultstream.core.incident import Case, EnvironmentState, involved
from faultstream.core.policy import Topology
from faultstream.core.records import Pattern


def correlate(topology: Topology, state: EnvironmentState, pattern: Pattern) -> Case | None:
    """The open case that takes `pattern` in, the closest first; None: it is a new one.

    Experiments and real faults never share one.
    """
    best: tuple[int, str, Case] | None = None
    upstream = dependencies(topology, pattern.service)
    for own in state.own.values():
        if own.pattern.kind == "cascade" and pattern.service in involved(own.pattern):
            upstream.setdefault(own.pattern.root, 5)
    for incident_id, case in state.cases.items():
        if case.incident.experiment_id != pattern.experiment_id:
            continue
        distance = _distance(case, pattern, upstream)
        if distance is not None and (best is None or (distance, incident_id) < best[:2]):
            best = (distance, incident_id, case)
    return None if best is None else best[2]


def _distance(case: Case, pattern: Pattern, upstream: dict[str, int]) -> int | None:
    if case.service != pattern.service:
        steps = upstream.get(case.service)
        if steps is None or case.incident.state == "escalated":
            return None
        return 10 + steps
    if pattern.fingerprint and case.fingerprint == pattern.fingerprint:
        return 0
    if not pattern.fingerprint or not case.fingerprint:
        return 2
    if case.incident.state == "escalated":
        return None
    return 1 if case.category == pattern.category else None


def dependencies(topology: Topology, service: str) -> dict[str, int]:
    """What a service depends on, directly or not, with the number of steps."""
    found: dict[str, int] = {}
    front = [service]
    steps = 0
    while front:
        steps += 1
        following: list[str] = []
        for one in front:
            policy = topology.services.get(one)
            for needed in policy.depends_on if policy is not None else ():
                if needed not in found and needed != service:
                    found[needed] = steps
                    following.append(needed)
        front = following
    return found
