"""Related: whether a service that begins to rise may have to do with another that does.

Cheaper than the steps themselves (steps.py) and asked first: a fault that stands alone is decided
on without looking for a cascade. May say yes where no step is found, but says no only where this
rise begins none: finer conditions are left out.
"""

from faultstream.core.blame import may_blame
from faultstream.core.correlate import dependencies
from faultstream.core.correlation import joined
from faultstream.core.incident import EnvironmentState, Rise
from faultstream.core.policy import Topology


def related(topology: Topology, state: EnvironmentState, rise: Rise) -> bool:
    """Whether a step may lead to or from `rise`; that of a silent dependency is none."""
    policy = topology.detectors.cascade
    needs = dependencies(topology, rise.service)
    evidence, traces = frozenset(rise.evidence), frozenset(rise.traces)
    parents = frozenset(rise.parents)
    depth, declared = _depth(topology, rise), topology.services
    for one in state.rises.values():
        if one is rise or one.experiment_id != rise.experiment_id:
            continue
        apart_ms = abs(one.onset_ms - rise.onset_ms)
        if (
            one.service in needs
            or (traces and one.traces and not traces.isdisjoint(one.traces))
            or (parents and not parents.isdisjoint(one.evidence))
            or (one.parents and not evidence.isdisjoint(one.parents))
            or may_blame(rise, one)
            or may_blame(one, rise)
            or (one.service in declared and rise.service in dependencies(topology, one.service))
            or (apart_ms <= policy.layer_window_ms and _layered(depth, _depth(topology, one)))
            or (apart_ms <= policy.window_ms and _learned(topology, state, rise, one))
        ):
            return True
    return False


def _learned(topology: Topology, state: EnvironmentState, one: Rise, other: Rise) -> bool:
    first, second = one.service, other.service
    return bool(joined(topology, state, first, second) or joined(topology, state, second, first))


def _depth(topology: Topology, rise: Rise) -> int:
    layer = topology.layers.get(rise.layer)
    return -1 if layer is None else layer.depth


def _layered(one: int, other: int) -> bool:
    """Whether both layers are known, and one is deeper. An unknown one is deeper than nothing."""
    return one != other and min(one, other) >= 0
