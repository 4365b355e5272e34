"""What must hold between the parts of a topology, beyond what each value's type says.

A rule is one function over the source (for lines) and the topology, and one line in `RULES`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from faultstream.config.errors import Problem, shown
from faultstream.config.notify_rules import NOTIFY_RULES
from faultstream.config.shape import misfits, unknown
from faultstream.config.source import Source
from faultstream.config.strategy_rules import STRATEGY_RULES
from faultstream.core.policy import TOPIC_ROLES, Topology
from faultstream.core.strategy import STRATEGIES, check

Rule = Callable[[Source, Topology], Iterator[Problem]]

MAX_TOPIC_CHARS: Final = 249
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]+")


def wrongs(source: Source, topology: Topology) -> list[Problem]:
    """Everything that makes the topology unusable."""
    return [problem for rule in RULES for problem in rule(source, topology)]


def every_topic(source: Source, topology: Topology) -> Iterator[Problem]:
    """Each role has its topic."""
    for role in TOPIC_ROLES:
        if role not in topology.topics:
            mend = f"Add `{role}: {{name: ...}}`."
            yield source.problem(f"topics.{role}", "is missing", mend=mend)


def topic_names(source: Source, topology: Topology) -> Iterator[Problem]:
    """Kafka takes the names and no two roles share one. Kafka's metrics see . and _ as one."""
    seen: dict[str, str] = {}
    for role, topic in topology.topics.items():
        path = f"topics.{role}.name"
        if not _TOPIC.fullmatch(topic.name) or len(topic.name) > MAX_TOPIC_CHARS:
            bound = f"letters, digits, '.', '_' and '-', at most {MAX_TOPIC_CHARS} of them"
            yield source.problem(path, "no name for a topic", bound=bound, value=shown(topic.name))
        folded = topic.name.replace(".", "_")
        if folded in seen:
            yield source.problem(
                path,
                f"the same as topics.{seen[folded]}.name",
                value=shown(topic.name),
                mend="Kafka does not tell . from _ in names.",
            )
        seen.setdefault(folded, role)


def same_partitions(source: Source, topology: Topology) -> Iterator[Problem]:
    """respond reads patterns and results of an environment together, so both must be cut alike."""
    patterns, results = topology.topics.get("patterns"), topology.topics.get("results")
    if patterns and results and patterns.partitions != results.partitions:
        yield source.problem(
            "topics.results.partitions",
            "respond reads patterns and results together",
            bound=f"{patterns.partitions} as topics.patterns.partitions",
            value=str(results.partitions),
        )


def cleanup(source: Source, topology: Topology) -> Iterator[Problem]:
    """control is compacted, as it is read from the start; a log of records never is."""
    for role, topic in topology.topics.items():
        wanted = "compact" if role == "control" else "delete"
        if topic.cleanup != wanted:
            why = "is read from its start" if role == "control" else "would lose records"
            path = f"topics.{role}.cleanup"
            yield source.problem(path, f"this topic {why}", bound=wanted, value=topic.cleanup)


def known_strategies(source: Source, topology: Topology) -> Iterator[Problem]:
    """Routes and layers name strategies that exist."""
    for index, route in enumerate(topology.routes):
        for place, name in enumerate(route.strategies):
            if name not in topology.strategies:
                path = f"routes[{index}].strategies[{place}]"
                yield unknown(source, path, "strategy", name, topology.strategies)
    for layer, policy in topology.layers.items():
        for place, name in enumerate(policy.strategies):
            if name not in topology.strategies:
                path = f"layers.{layer}.strategies[{place}]"
                yield unknown(source, path, "strategy", name, topology.strategies)


def strategy_parameters(source: Source, topology: Topology) -> Iterator[Problem]:
    """Built-in strategies take their own parameters; others may carry anything."""
    for name, strategy in topology.strategies.items():
        path = f"strategies.{name}.parameters"
        kind = STRATEGIES.get(name)
        found = misfits(source, kind, strategy.parameters, path) if kind else []
        yield from found
        if not found:
            yield from (source.problem(path, text) for text in check(name, strategy.parameters))


def known_layers(source: Source, topology: Topology) -> Iterator[Problem]:
    """Services and routes name layers that exist."""
    for service, policy in topology.services.items():
        if policy.layer not in topology.layers:
            path = f"services.{service}.layer"
            yield unknown(source, path, "layer", policy.layer, topology.layers)
    for index, route in enumerate(topology.routes):
        for place, name in enumerate(route.layers):
            if name not in topology.layers:
                path = f"routes[{index}].layers[{place}]"
                yield unknown(source, path, "layer", name, topology.layers)


def known_dependencies(source: Source, topology: Topology) -> Iterator[Problem]:
    """A service depends on services that are listed, and not on itself."""
    for service, policy in topology.services.items():
        for place, name in enumerate(policy.depends_on):
            path = f"services.{service}.depends_on[{place}]"
            if name == service:
                yield source.problem(path, "a service cannot depend on itself")
            elif name not in topology.services:
                yield unknown(source, path, "service", name, topology.services)


def routes(source: Source, topology: Topology) -> Iterator[Problem]:
    """Routes have names of their own and at least one strategy."""
    seen: set[str] = set()
    if not topology.routes:
        yield source.problem("routes", "no route", bound="at least one")
    for index, route in enumerate(topology.routes):
        if route.name in seen:
            path = f"routes[{index}].name"
            yield source.problem(path, "another route has this name", value=shown(route.name))
        seen.add(route.name)
        if not route.strategies:
            path = f"routes[{index}].strategies"
            yield source.problem(path, "no strategy", bound="at least one")


def detectors(source: Source, topology: Topology) -> Iterator[Problem]:
    """Numbers of the detectors that bound each other."""
    recurring, slot_ms = topology.detectors.recurring, topology.detectors.slot_ms
    if recurring.count > recurring.among:
        yield source.problem(
            "detectors.recurring.count",
            "can never be reached",
            bound=f"at most detectors.recurring.among, {recurring.among}",
            value=str(recurring.count),
        )
    windows = {
        "detectors.burst.window_ms": topology.detectors.burst.window_ms,
        "detectors.rate_window_ms": topology.detectors.rate_window_ms,
    }
    for path, window_ms in windows.items():
        if window_ms < slot_ms:
            bound = f"at least detectors.slot_ms, {slot_ms}"
            yield source.problem(path, "shorter than a slot", bound=bound, value=str(window_ms))


def verification(source: Source, topology: Topology) -> Iterator[Problem]:
    """Verification has time to settle and to watch before it gives up."""
    verify = topology.verify
    needed = verify.settle_ms + verify.watch_ms
    if verify.timeout_ms < needed:
        yield source.problem(
            "verify.timeout_ms",
            "ends before anything can be seen",
            bound=f"at least verify.settle_ms + verify.watch_ms, {needed}",
            value=str(verify.timeout_ms),
        )


def channels(source: Source, topology: Topology) -> Iterator[Problem]:
    """A channel says which variable holds its address, as addresses are often secret."""
    for name, channel in topology.channels.items():
        if channel.kind != "log" and not channel.url_env:
            mend = "Name the environment variable that holds the address, not the address."
            yield source.problem(f"channels.{name}.url_env", "is missing", mend=mend)
        elif "://" in channel.url_env:
            mend = "Name the environment variable that holds the address, not the address."
            yield source.problem(f"channels.{name}.url_env", "is an address", mend=mend)
        if channel.secret_env and channel.kind != "webhook":
            mend = "Only a webhook is signed; leave it out."
            yield source.problem(f"channels.{name}.secret_env", "is of no use", mend=mend)


RULES: Final[tuple[Rule, ...]] = (
    every_topic,
    topic_names,
    same_partitions,
    cleanup,
    known_strategies,
    strategy_parameters,
    known_layers,
    known_dependencies,
    routes,
    detectors,
    verification,
    channels,
    *STRATEGY_RULES,
    *NOTIFY_RULES,
)
