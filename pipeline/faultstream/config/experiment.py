"""Reads the file of an experiment, and says beforehand why one can come to nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from faultstream.config.errors import ConfigError, Problem
from faultstream.config.shape import misfits, unknown
from faultstream.config.source import Source
from faultstream.core.experiment import STRATEGY, Experiment
from faultstream.core.policy import StrategyPolicy, Topology

_Rule = Callable[[Source, Experiment, Topology], Iterator[Problem]]
_GONE: Final = StrategyPolicy(enabled=False)


def load(path: Path, topology: Topology, topology_file: str) -> Experiment:
    """The experiment in `path`; one that `topology` leaves no way to succeed is refused.

    `topology_file` stands in messages. Without an environment it has that of the topology.

    Raises:
        ConfigError: with every problem that was found.
    """
    source = Source.of(path)
    problems = source.problems + misfits(source, Experiment, source.value)
    if problems:
        raise ConfigError.of(sorted(problems, key=lambda problem: problem.line))
    experiment = msgspec.convert(source.value, Experiment)
    problems = [problem for rule in RULES for problem in rule(source, experiment, topology)]
    problems += _switches(topology, topology_file)
    if problems:
        raise ConfigError.of(problems)
    if not experiment.environment:
        experiment = msgspec.structs.replace(experiment, environment=topology.environment)
    return experiment


def known_strategies(
    source: Source, experiment: Experiment, topology: Topology
) -> Iterator[Problem]:
    """What is expected or forbidden is a strategy of the topology, for a name that nothing has
    proves nothing."""
    for field in ("strategies", "forbidden"):
        for index, name in enumerate(getattr(experiment.expect, field)):
            if name not in topology.strategies:
                path = f"expect.{field}[{index}]"
                yield unknown(source, path, "strategy", name, topology.strategies)


def possible_strategies(
    source: Source, experiment: Experiment, topology: Topology
) -> Iterator[Problem]:
    """One of those that are expected can be commanded."""
    expected = experiment.expect.strategies
    if not expected or any(name not in topology.strategies for name in expected):
        return
    if not any(topology.strategies[name].enabled for name in expected):
        mend = "Expect another, or switch one on in the topology."
        yield source.problem("expect.strategies", "all of them are switched off", mend=mend)
    left = set(expected) - set(experiment.expect.forbidden)
    if not left:
        yield source.problem("expect.forbidden", "forbids everything that is expected")


def _switches(topology: Topology, file: str) -> Iterator[Problem]:
    """What the topology switches off: injection itself, or every recovery."""
    if not topology.strategies.get(STRATEGY, _GONE).enabled:
        yield Problem(
            file,
            f"strategies.{STRATEGY}.enabled",
            "faults may not be injected",
            bound="true for an experiment",
            value="false",
            mend="Set it in the topology of the pipeline that the experiment is for, and name that "
            "file by --topology or FAULTSTREAM_TOPOLOGY.",
        )
    for name, why in (("paused", "recovery is paused"), ("dry_run", "recovery is a dry run")):
        if getattr(topology.guards, name):
            mend = "Nothing would be recovered; set it to false."
            yield Problem(file, f"guards.{name}", why, value="true", mend=mend)


RULES: Final[tuple[_Rule, ...]] = (known_strategies, possible_strategies)
