"""`faultstream simulate --respond`: how well recovery does on faults whose cures are hidden."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import click

from faultstream import wire
from faultstream.core.policy import Topology
from faultstream.simulate.respond_report import WAYS, Outcome, play, report, text
from faultstream.simulate.respond_scenario import RecoveryScenario, load

DEFAULT = "shop"


def run(
    scenario: str | None,
    topology: Topology,
    seeds: range,
    *,
    jobs: int,
    as_json: bool,
    min_rate: float | None,
) -> None:
    """Plays every seed in every way and says how it went.

    Raises:
        Exit: with code 1 when our own rate is below `min_rate`.
    """
    found = load(scenario or DEFAULT)
    outcomes: list[Outcome] = []
    for seed, some in zip(seeds, _each(found, topology, seeds, jobs), strict=True):
        outcomes += some
        ours = some[0]
        if len(seeds) > 1:
            click.echo(f"seed {seed}: {ours.recovered} of {ours.recoverable} recovered", err=True)
    made = report(found.name, outcomes)
    click.echo(wire.dumps(made) if as_json else text(made), nl=as_json)
    rate = made["ways"]["learned"]["recovery_rate"]
    if min_rate is not None and (rate is None or rate < min_rate):
        raise click.exceptions.Exit(1)


def _each(
    scenario: RecoveryScenario, topology: Topology, seeds: range, jobs: int
) -> Iterator[list[Outcome]]:
    work = partial(_ways, scenario, topology)
    if jobs == 1 or len(seeds) == 1:
        yield from map(work, seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, seeds)


def _ways(scenario: RecoveryScenario, topology: Topology, seed: int) -> list[Outcome]:
    return [play(scenario, topology, way, seed) for way in WAYS]
