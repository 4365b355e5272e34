"""Fleet: the services of a scenario with their copies, both ways of their dependencies, and what
the topology should be told of them."""

from collections.abc import Iterable

import msgspec

from faultstream.core.policy import ServicePolicy, Topology
from faultstream.simulate.reading import names_of
from faultstream.simulate.scenario import Scenario, Service


class Place(msgspec.Struct, frozen=True):
    """One service that runs. `callers` depend on it directly."""

    name: str
    spec: Service
    depends_on: tuple[str, ...]
    callers: tuple[str, ...]

    @property
    def base(self) -> float:
        """Its ordinary errors a minute, the mean over a day."""
        return sum(self.spec.noise.values())


def expand(scenario: Scenario) -> dict[str, Place]:
    """Every service by name, in the order of the file."""
    needs: dict[str, tuple[str, ...]] = {}
    specs: dict[str, Service] = {}
    for name, spec in scenario.services.items():
        for index, copy in enumerate(names_of(name, spec.copies)):
            specs[copy] = spec
            others = (names_of(o, scenario.services[o].copies) for o in spec.depends_on)
            needs[copy] = tuple(names[index % len(names)] for names in others)
    callers: dict[str, list[str]] = {name: [] for name in specs}
    for name, others_of in needs.items():
        for other in others_of:
            callers[other].append(name)
    return {n: Place(n, spec, needs[n], tuple(callers[n])) for n, spec in specs.items()}


def above(fleet: dict[str, Place], name: str) -> list[tuple[str, str]]:
    """(service, the dependency through which it is reached) of everything that depends on `name`,
    nearest first."""
    found: dict[str, str] = {}
    front = [name]
    while front:
        reached = [(caller, one) for one in front for caller in fleet[one].callers]
        front = []
        for caller, through in reached:
            if caller not in found and caller != name:
                found[caller] = through
                front.append(caller)
    return list(found.items())


def told(topology: Topology, fleet: Iterable[Place]) -> Topology:
    """`topology` that knows the fleet's layers and dependencies."""
    services = dict(topology.services)
    for place in fleet:
        services[place.name] = ServicePolicy(
            layer=place.spec.layer, depends_on=place.depends_on, instances=place.spec.instances
        )
    return msgspec.structs.replace(topology, services=services)
