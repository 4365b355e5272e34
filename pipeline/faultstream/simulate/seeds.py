"""Seeds: the scores of many seeds of one scenario, shared among processes if wanted."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Final

from faultstream.core.policy import Topology
from faultstream.simulate.fleet import told
from faultstream.simulate.generate import Run
from faultstream.simulate.scenario import Scenario
from faultstream.simulate.score import Tally, play

_HOUR_MS: Final = 3_600_000


def each(
    scenario: Scenario,
    topology: Topology,
    seeds: range,
    *,
    blind: bool = False,
    jobs: int = 1,
    tell: Callable[[str], None] | None = None,
) -> Iterator[tuple[int, Tally]]:
    """Every seed in order with its tally; `blind`: detection is not told of the dependencies.
    `tell` hears how far a seed is, as long as it is one process that does them all."""
    work = partial(one, scenario, topology, blind)
    if jobs == 1 or len(seeds) == 1:
        for seed in seeds:
            yield seed, work(seed, tell)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from zip(seeds, pool.map(work, seeds), strict=True)


def one(
    scenario: Scenario,
    topology: Topology,
    blind: bool,
    seed: int,
    tell: Callable[[str], None] | None = None,
) -> Tally:
    """The tally of one seed."""
    run = Run(scenario, seed)
    known = topology if blind else told(topology, run.fleet.values())
    if tell is None:
        return play(run, known)

    def at(time_ms: int) -> None:
        hour = (time_ms - run.start_ms) / _HOUR_MS
        tell(f"{scenario.name}, seed {seed}: hour {hour:.1f} of {scenario.hours:g}")

    return play(run, known, at)
