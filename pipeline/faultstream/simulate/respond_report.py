"""Respond report: how well ways of choosing strategies recover the same faults."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from faultstream.core.policy import Topology
from faultstream.simulate.figures import percentile
from faultstream.simulate.respond_scenario import RecoveryScenario
from faultstream.simulate.respond_world import World

WAYS: Final = ("learned", "preventing", "fixed", "random", "none")
"""learned: as topology.yaml says. preventing: the same with prevention. fixed: the route's order.
random: any order. none: paused."""
_TITLES: Final = {
    "recovery_rate": "recovered, of recoverable",
    "prevented": "of these before they came",
    "lowest": "the same, worst seed",
    "median_s": "time to recovery, median s",
    "p90_s": "time to recovery, 90 % s",
    "commands_per_incident": "commands per incident",
    "needless": "commands for nothing, per 100 f.",
    "made_worse": "made worse, per 100 faults",
    "harm": "errors through harm, per fault",
    "errors": "errors, per fault",
    "handed_over": "handed to a person",
}


class Outcome(msgspec.Struct, kw_only=True):
    """One way on one seed."""

    way: str
    seed: int
    faults: int
    recoverable: int
    recovered: int
    prevented: int
    needless: int
    incidents: int
    commands: int
    worsened: int
    taken_back: int
    handed_over: int
    errors: int
    harm: float
    times_ms: list[int]


def topology_for(way: str, topology: Topology) -> Topology:
    """`topology` that chooses in that way."""
    replace, learning = msgspec.structs.replace, topology.learning
    if way == "preventing":
        return replace(topology, prevention=replace(topology.prevention, enabled=True))
    if way == "fixed":
        return replace(topology, learning=replace(learning, enabled=False))
    if way == "none":
        return replace(topology, guards=replace(topology.guards, paused=True))
    if way == "random":  # every belief is even and is forgotten at once
        even = {name: replace(one, prior=0.5) for name, one in topology.strategies.items()}
        blank = replace(learning, enabled=True, after=0, half_life_ms=1, prior_weight=2.0)
        return replace(topology, strategies=even, learning=blank)
    return topology


def play(scenario: RecoveryScenario, topology: Topology, way: str, seed: int) -> Outcome:
    """One run."""
    world = World(scenario, topology_for(way, topology), seed).run()
    recoverable = [one for one in world.faults if world.recoverable(one)]
    recovered = [one for one in recoverable if one.ended_by]
    return Outcome(
        way=way,
        seed=seed,
        faults=len(world.faults),
        recoverable=len(recoverable),
        recovered=len(recovered),
        prevented=sum(one.ends_ms == one.begins_ms for one in recovered),
        needless=world.needless,
        incidents=len(world.incidents),
        commands=sum(not one.rollback_of for one in world.commands),
        worsened=world.worsened,
        taken_back=sum(bool(one.rollback_of) for one in world.commands),
        handed_over=len(world.handed_over),
        errors=sum(one.errors for one in world.faults),
        harm=round(sum(one.harm for one in world.faults), 3),
        times_ms=[one.ends_ms - one.begins_ms for one in recovered if one.ends_ms > one.begins_ms],
    )


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What the seeds of one way come to; None where nothing was there to measure."""
    recoverable = sum(one.recoverable for one in outcomes)
    rates = [one.recovered / one.recoverable for one in outcomes if one.recoverable]
    times = [time for one in outcomes for time in one.times_ms]
    faults = sum(one.faults for one in outcomes)
    incidents = sum(one.incidents for one in outcomes)
    return {
        "seeds": len(outcomes),
        "faults": faults,
        "recoverable": recoverable,
        "recovered": sum(one.recovered for one in outcomes),
        "recovery_rate": _per(sum(one.recovered for one in outcomes), recoverable),
        "prevented": _per(sum(one.prevented for one in outcomes), recoverable),
        "needless": _per(100 * sum(one.needless for one in outcomes), faults),
        "recovery_rate_error": _error(rates),
        "lowest": round(min(rates), 4) if rates else None,
        "median_s": _seconds(percentile(times, 0.5)),
        "p90_s": _seconds(percentile(times, 0.9)),
        "commands_per_incident": _per(sum(one.commands for one in outcomes), incidents),
        "made_worse": _per(100 * sum(one.worsened for one in outcomes), faults),
        "harm": _per(sum(one.harm for one in outcomes), faults),
        "errors": _per(sum(one.errors for one in outcomes), faults),
        "handed_over": _per(sum(one.handed_over for one in outcomes), incidents),
    }


def report(scenario: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Every way's figures by its name."""
    ways = [way for way in WAYS if any(one.way == way for one in outcomes)]
    found = {way: figures([one for one in outcomes if one.way == way]) for way in ways}
    return {"scenario": scenario, "ways": found}


def text(made: dict[str, Any]) -> str:
    """The report as a table."""
    return "\n".join(_lines(made)) + "\n"


def _lines(made: dict[str, Any]) -> Iterator[str]:
    ways: dict[str, dict[str, Any]] = made["ways"]
    first = next(iter(ways.values()))
    yield (
        f"{made['scenario']}: {first['seeds']} seeds, {first['faults']} faults, "
        f"{first['recoverable']} of them recoverable without a person"
    )
    yield ""
    yield f"{'':<32}" + "".join(f"{way:>12}" for way in ways)
    for name, title in _TITLES.items():
        yield f"{title:<32}" + "".join(f"{_shown(name, one[name]):>12}" for one in ways.values())


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name in {"recovery_rate", "prevented", "lowest", "handed_over"}:
        return f"{value:.1%}"
    return f"{value:,.1f}" if name != "commands_per_incident" else f"{value:.2f}"


def _per(count: float, of: float) -> float | None:
    return round(count / of, 4) if of else None


def _seconds(value_ms: int | None) -> float | None:
    return None if value_ms is None else value_ms / 1000


def _error(rates: Sequence[float]) -> float | None:
    """The standard error of the mean over seeds."""
    if len(rates) < 2:
        return None
    mean = sum(rates) / len(rates)
    spread = sum((one - mean) ** 2 for one in rates) / (len(rates) - 1)
    return round(math.sqrt(spread / len(rates)), 4)
