"""Seeds: the scores of many seeds of one scenario, shared among processes if wanted."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from faultstream.core.policy import Topology
from faultstream.simulate.fleet import told
from faultstream.simulate.generate import Run
from faultstream.simulate.scenario import Scenario
from faultstream.simulate.score import Tally, play


def each(
    scenario: Scenario, topology: Topology, seeds: range, *, blind: bool = False, jobs: int = 1
) -> Iterator[tuple[int, Tally]]:
    """Every seed in order with its tally; `blind`: detection is not told of the dependencies."""
    work = partial(one, scenario, topology, blind)
    if jobs == 1 or len(seeds) == 1:
        yield from zip(seeds, map(work, seeds), strict=True)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from zip(seeds, pool.map(work, seeds), strict=True)


def one(scenario: Scenario, topology: Topology, blind: bool, seed: int) -> Tally:
    """The tally of one seed."""
    run = Run(scenario, seed)
    return play(run, topology if blind else told(topology, run.fleet.values()))
