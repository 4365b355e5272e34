"""What a topology may say but hardly means. A hint is one function and one line in `HINTS`."""

from collections.abc import Iterator
from typing import Final

from faultstream.config.errors import Problem
from faultstream.config.notify_hints import NOTIFY_HINTS
from faultstream.config.rules import Rule
from faultstream.config.shape import did_you_mean
from faultstream.config.source import Source
from faultstream.core.policy import RoutePolicy, Topology
from faultstream.core.strategy import BY_HAND, STRATEGIES


def hints(source: Source, topology: Topology) -> list[Problem]:
    """Everything worth a warning."""
    return [problem for hint in HINTS for problem in hint(source, topology)]


def last_route(source: Source, topology: Topology) -> Iterator[Problem]:
    """Only the last route should match everything."""
    open_routes = [index for index, route in enumerate(topology.routes) if _matches_all(route)]
    last = len(topology.routes) - 1
    if not open_routes:
        mend = "Patterns that no route matches are escalated, not recovered."
        yield source.problem(
            f"routes[{last}]", "the last route does not match everything", mend=mend
        )
    elif open_routes[0] < last:
        path = f"routes[{open_routes[0]}]"
        yield source.problem(path, "matches everything, so no route behind it is ever tried")


def unused_strategies(source: Source, topology: Topology) -> Iterator[Problem]:
    """A strategy that no route and no layer names is never tried by itself."""
    used = {name for route in topology.routes for name in route.strategies}
    used |= {name for layer in topology.layers.values() for name in layer.strategies}
    for name in topology.strategies:
        if name not in used and name not in BY_HAND and topology.strategies[name].enabled:
            yield source.problem(f"strategies.{name}", "no route and no layer names it")


def never_chosen(source: Source, topology: Topology) -> Iterator[Problem]:
    """A route passes over what is switched off, and what only a person may ask for."""
    for index, route in enumerate(topology.routes):
        for place, name in enumerate(route.strategies):
            path = f"routes[{index}].strategies[{place}]"
            if name in BY_HAND:
                mend = "Only experiments and people inject faults; take it out."
                yield source.problem(path, "no route chooses it", value=name, mend=mend)
            elif name in topology.strategies and not topology.strategies[name].enabled:
                yield source.problem(path, "is switched off", value=name)


def strategies_of_their_own(source: Source, topology: Topology) -> Iterator[Problem]:
    """A strategy that is nearly named like a built-in one is likely meant to be it."""
    for name in topology.strategies:
        mend = did_you_mean(name, STRATEGIES)
        if name not in STRATEGIES and mend.startswith("Did"):
            yield source.problem(f"strategies.{name}", "no built-in strategy", mend=mend)


def room_for_dead_letters(source: Source, topology: Topology) -> Iterator[Problem]:
    """A dead letter is the original and some headers, so it needs more room than any original."""
    dead = topology.topics.get("dead_letters")
    for role, topic in topology.topics.items():
        if dead and role != "dead_letters" and dead.max_message_bytes <= topic.max_message_bytes:
            yield source.problem(
                "topics.dead_letters.max_message_bytes",
                f"the largest records of topics.{role} would not fit",
                bound=f"more than {topic.max_message_bytes}",
                value=str(dead.max_message_bytes),
            )
            return


HINTS: Final[tuple[Rule, ...]] = (
    last_route,
    unused_strategies,
    never_chosen,
    strategies_of_their_own,
    room_for_dead_letters,
    *NOTIFY_HINTS,
)


def _matches_all(route: RoutePolicy) -> bool:
    return not any(
        (
            route.error_types,
            route.categories,
            route.severities,
            route.layers,
            route.services,
            route.environments,
            route.patterns,
        )
    )
