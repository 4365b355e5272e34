"""What must hold within strategies: workflows can be carried out, and what takes back exists."""

from collections.abc import Callable, Iterator
from typing import Final

from faultstream.config.errors import Problem, shown
from faultstream.config.shape import misfits, unknown
from faultstream.config.source import Source
from faultstream.core.policy import Topology
from faultstream.core.strategy import BY_HAND, SCOPES, STRATEGIES, check, scopable
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


def scopes(source: Source, topology: Topology) -> Iterator[Problem]:
    """Only what clients can limit has a scope, and only one thing says what it is."""
    for name, strategy in topology.strategies.items():
        path = f"strategies.{name}.scope"
        if strategy.scope == "service":
            continue
        if strategy.steps:
            mend = "Its steps have the scopes of their strategies."
            yield source.problem(path, "a workflow has no scope", mend=mend)
        elif not scopable(name):
            known = ", ".join(one for one in STRATEGIES if scopable(one))
            mend = f"These can be limited: {known}."
            yield source.problem(path, "is always for the whole service", mend=mend)
        for scope in SCOPES:
            if scope in strategy.parameters and not strategy.steps and scopable(name):
                yield source.problem(
                    f"strategies.{name}.parameters.{scope}",
                    f"scope: {strategy.scope} takes it from the errors",
                    mend="Give one of the two.",
                )


def injection(source: Source, topology: Topology) -> Iterator[Problem]:
    """What breaks things on purpose is dangerous, and no part of recovery."""
    for name, strategy in topology.strategies.items():
        if name in BY_HAND and strategy.danger != "high":
            path = f"strategies.{name}.danger"
            yield source.problem(path, "it breaks things", bound="high", value=strategy.danger)
        for index, step in enumerate(strategy.steps):
            if step.strategy in BY_HAND:
                path = f"strategies.{name}.steps[{index}].strategy"
                yield source.problem(path, "only by hand, never a step", value=shown(step.strategy))


STRATEGY_RULES: Final[tuple[Rule, ...]] = (
    workflows,
    workflow_parameters,
    known_undo,
    scopes,
    injection,
)
