"""Workflows: strategies of several steps that need each other.

The steps are a directed graph without circles; a step may begin once all that it needs are done,
so several may be under way at once. What is taken back goes in reverse of the order of `ordered`.
"""

from collections.abc import Mapping, Sequence

import msgspec

from faultstream.core.incident import Step, Try
from faultstream.core.policy import StepPolicy, StrategyPolicy
from faultstream.core.strategy import STRATEGIES, complete


class Flaw(msgspec.Struct, frozen=True):
    """What is wrong with a workflow: at `place` in its steps, and what would be right."""

    place: str
    problem: str
    value: str = ""
    bound: str = ""


def flaws(name: str, strategies: Mapping[str, StrategyPolicy], most: int) -> list[Flaw]:
    """Everything that makes the workflow `name` unusable; `most` commands a target may have."""
    steps = strategies[name].steps
    found: list[Flaw] = []
    ids = [step.id for step in steps]
    for index, step in enumerate(steps):
        place = f"[{index}]"
        if step.id in ids[:index]:
            found.append(Flaw(f"{place}.id", "another step has this id", step.id))
        inner = strategies.get(step.strategy)
        if inner is None:
            found.append(Flaw(f"{place}.strategy", "there is no such strategy", step.strategy))
        elif inner.steps:
            found.append(Flaw(f"{place}.strategy", "a step cannot be a workflow", step.strategy))
        found += [
            Flaw(f"{place}.needs[{at}]", "there is no such step", need)
            for at, need in enumerate(step.needs)
            if need not in ids
        ]
    circle = circle_of(steps)
    if circle:
        found.append(Flaw("", "the steps need each other in a circle", " > ".join(circle)))
    if len(steps) > most:
        bound = f"at most guards.max_attempts, {most}"
        found.append(Flaw("", "has too many steps", str(len(steps)), bound))
    return found


def circle_of(steps: Sequence[StepPolicy]) -> list[str]:
    """The ids of a circle, the first one again at the end; empty when there is none."""
    needs = {step.id: step.needs for step in steps}
    done: set[str] = set()
    for start in needs:
        path: list[str] = []
        found = _follow(start, needs, path, done)
        if found:
            return found
    return []


def _follow(
    at: str, needs: Mapping[str, tuple[str, ...]], path: list[str], done: set[str]
) -> list[str]:
    if at in path:
        return [*path[path.index(at) :], at]
    if at in done or at not in needs:
        return []
    path.append(at)
    for need in needs[at]:
        found = _follow(need, needs, path, done)
        if found:
            return found
    path.pop()
    done.add(at)
    return []


def steps_of(
    name: str, strategies: Mapping[str, StrategyPolicy], changes: Mapping[str, object]
) -> tuple[Step, ...]:
    """The steps of a run of `name`, in an order in which each comes after what it needs.

    `changes` replace parameters: of a plain strategy, or of the steps of a workflow that have them.
    """
    policy = strategies[name]
    if not policy.steps:
        return (_step("", name, strategies, {**policy.parameters, **changes}),)
    return tuple(
        _step(
            step.id,
            step.strategy,
            strategies,
            {
                **strategies[step.strategy].parameters,
                **step.parameters,
                **_fitting(step.strategy, changes),
            },
            needs=step.needs,
            deadline_ms=step.deadline_ms,
        )
        for step in ordered(policy.steps)
    )


def _fitting(strategy: str, changes: Mapping[str, object]) -> dict[str, object]:
    kind = STRATEGIES.get(strategy)
    if kind is None:
        return dict(changes)
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    return {key: value for key, value in changes.items() if key in known}


def _step(
    step_id: str,
    strategy: str,
    strategies: Mapping[str, StrategyPolicy],
    parameters: dict[str, object],
    *,
    needs: tuple[str, ...] = (),
    deadline_ms: int | None = None,
) -> Step:
    policy = strategies[strategy]
    return Step(
        id=step_id,
        strategy=strategy,
        parameters=complete(strategy, parameters),
        needs=needs,
        deadline_ms=policy.deadline_ms if deadline_ms is None else deadline_ms,
        undo=policy.undo or "",
    )


def ordered(steps: Sequence[StepPolicy]) -> list[StepPolicy]:
    """The steps, each after what it needs, else as they stand. Without circles."""
    left, out = list(steps), list[StepPolicy]()
    done: set[str] = set()
    while left:
        at = next((one for one in left if done.issuperset(one.needs)), left[0])
        left.remove(at)
        out.append(at)
        done.add(at.id)
    return out


def ready(steps: Sequence[Step], tries: Mapping[str, Try]) -> list[tuple[int, Step]]:
    """The steps that may begin now, with their places: not begun, and all that they need done."""
    done = {name for name, one in tries.items() if one.outcome in {"done", "dry_run"}}
    return [
        (place, step)
        for place, step in enumerate(steps)
        if step.id not in tries and done.issuperset(step.needs)
    ]


def to_undo(steps: Sequence[Step], tries: Mapping[str, Try], *, flying: bool = False) -> list[str]:
    """The commands to take back, the first to take back first: what was done or begun in part, and
    can be taken back; with `flying` also what may be done by now."""
    begun = {"done", "partial"} | ({"pending", "running"} if flying else set())
    return [
        tries[step.id].command.command_id
        for step in reversed(steps)
        if step.undo and step.id in tries and tries[step.id].outcome in begun
    ]
