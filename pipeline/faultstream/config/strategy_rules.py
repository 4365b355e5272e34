"""What must hold within strategies: workflows can be carried out, and what takes back exists."""

from collections.abc import Callable, Iterator
from typing import Final

from faultstream.config.errors import Problem, shown
from faultstream.config.shape import misfits, unknown
from faultstream.config.source import Source
from faultstream.core.policy import Topology
from faultstream.core.strategy import STRATEGIES, check
from faultstream.core.workflow import flaws

Rule = Callable[[Source, Topology], Iterator[Problem]]


def workflows(source: Source, topology: Topology) -> Iterator[Problem]:
    """The steps of a workflow are known, need each other without circles, and are few enough."""
    most = topology.guards.max_attempts
    for name, strategy in topology.strategies.items():
        for flaw in flaws(name, topology.strategies, most) if strategy.steps else ():
            path = f"strategies.{name}.steps{flaw.place}"
            yield source.problem(path, flaw.problem, bound=flaw.bound, value=flaw.value)


def workflow_parameters(source: Source, topology: Topology) -> Iterator[Problem]:
    """A workflow has none of its own; those of its steps fit their strategies."""
    for name, strategy in topology.strategies.items():
        if strategy.steps and strategy.parameters:
            mend = "Give them to its steps."
            path = f"strategies.{name}.parameters"
            yield source.problem(path, "a workflow has no parameters", mend=mend)
        for index, step in enumerate(strategy.steps):
            path = f"strategies.{name}.steps[{index}].parameters"
            kind, inner = STRATEGIES.get(step.strategy), topology.strategies.get(step.strategy)
            if kind is None or inner is None:
                continue
            found = misfits(source, kind, step.parameters, path)
            yield from found
            if not found:
                whole = {**inner.parameters, **step.parameters}
                yield from (source.problem(path, text) for text in check(step.strategy, whole))


def known_undo(source: Source, topology: Topology) -> Iterator[Problem]:
    """What takes a strategy back is a strategy, and no workflow; a workflow's steps have theirs."""
    for name, strategy in topology.strategies.items():
        path = f"strategies.{name}.undo"
        if strategy.undo is None:
            continue
        if strategy.undo not in topology.strategies:
            yield unknown(source, path, "strategy", strategy.undo, topology.strategies)
        elif strategy.steps or topology.strategies[strategy.undo].steps:
            problem = "only plain strategies are taken back, and take back"
            yield source.problem(path, problem, value=shown(strategy.undo))


STRATEGY_RULES: Final[tuple[Rule, ...]] = (workflows, workflow_parameters, known_undo)
