"""The demo's steps: all up, healthy, fault on, recovery, fault off, closed, in ClickHouse.

The fault is lifted only when the topics show every incident verified and the shoppers see that
the errors have fallen.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from faultstream.config.topology import load
from faultstream.demo.epilogue import verdict
from faultstream.demo.fault import FAULTS, HEALTHY
from faultstream.demo.fleet import Fleet
from faultstream.demo.listen import listen
from faultstream.demo.pipeline import Pipeline
from faultstream.demo.process import ROLES
from faultstream.demo.stage import Stage

RATE: Final = 60.0
READY_S: Final = 45.0
"""How long the pipeline may take to be ready, at least; with more seconds in all, half of them."""
HEALTHY_S: Final = 5
"""Seconds of traffic without an error before the fault is switched on."""
SHOWN_S: Final = 3.0
"""How long it is seen to be healthy once all is ready."""
FALLEN_RATIO: Final = 0.2
"""The shop's error rate has fallen when it is at most this share of its highest."""
TABLES_S: Final = 6.0
"""What is kept of the bound for ClickHouse to have the rest and for the tables."""


class NotReachedError(RuntimeError):
    """A step did not happen within the bound; says which."""


class Play:
    """Plays once. `ready` says whether it came as far as a running pipeline."""

    def __init__(self, fault: str, pipeline: Pipeline, fleet: Fleet, stage: Stage) -> None:
        self._fault = fault
        self._pipeline = pipeline
        self._fleet = fleet
        self._stage = stage
        self._story = stage.story
        self._tasks: list[asyncio.Task[None]] = []
        self.ready = False

    @property
    def clickhouse(self) -> str:
        """Address of the engine."""
        return self._pipeline.clickhouse

    @property
    def second(self) -> int:
        """Whole seconds since the start."""
        return self._stage.second

    async def run(self) -> None:
        """Every step in order.

        Raises:
            NotReachedError: a step did not happen in time, or can no longer happen.
            FleetError, PipelineError: a process did not start, or ended.
            AskError: ClickHouse does not answer.
        """
        try:
            await self._start()
            await self._break()
            await self._recover()
            await self._finish()
        finally:
            self._stage.draw()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _start(self) -> None:
        stage = self._stage
        stage.enter("starting broker, engine, workers and shop")
        self._pipeline.start()
        self._fleet.start(ROLES[:-1])
        self._tasks.append(asyncio.create_task(stage.run()))
        await self._fleet.ready()
        self._fleet.start(ROLES[-1:])  # what happens while the rest starts counts as healthy too
        await self._pipeline.ready(timeout_s=max(READY_S, stage.bound_s / 2))
        topology = load(self._pipeline.topology)
        listening = listen(self._pipeline.brokers, topology, self._story)
        self._tasks.append(asyncio.create_task(listening))
        self.ready = stage.own["ready"] = True

        stage.enter("healthy traffic")
        seen = time.monotonic() + SHOWN_S
        await self._until(lambda: time.monotonic() > seen and self._is_healthy(), "healthy")
        stage.own["healthy"] = True

    async def _break(self) -> None:
        stage, fault = self._stage, FAULTS[self._fault]
        stage.enter(f"the fault is on: {self._fault}")
        limit = f"at most {fault.connections_per_user} connections a user"
        stage.say(f"fault on: the database takes {fault.latency_ms} ms a question, {limit}")
        await self._fleet.set_fault(fault)
        stage.mark("F", "bad")
        await self._until(lambda: stage.rate() > 0, "errors rise")
        stage.own["errors"] = True

    async def _recover(self) -> None:
        stage, story = self._stage, self._story
        await self._until(lambda: story.reached()["detected"], "detected")
        await self._until(lambda: story.reached()["commanded"], "commanded")
        await self._until(lambda: story.reached()["carried out"], "carried out")
        stage.enter("the fault is still on; do the commands help?")
        await self._until(self._is_recovered, "verified")
        stage.say("fault off, now that the recovery is verified")
        await self._fleet.set_fault(HEALTHY)
        stage.mark("L", "good")

    async def _finish(self) -> None:
        self._stage.enter("the fault is off; back to normal")
        await self._until(self._is_normal, "back to normal")
        await self._until(lambda: self._story.reached()["closed"], "closed")
        self._stage.enter("asking ClickHouse")
        await self._recorded()
        self._stage.enter("done")

    def _is_healthy(self) -> bool:
        shoppers = self._stage.states.get("shoppers")
        return (
            shoppers is not None
            and shoppers.rates.requests >= RATE * HEALTHY_S
            and shoppers.rates.rps >= RATE * 0.8
            and shoppers.rates.errors_per_s == 0
        )

    def _is_recovered(self) -> bool:
        if why := self._story.failed():
            raise NotReachedError(f"not reached: verified; {why}")
        fallen = self._stage.rate() <= FALLEN_RATIO * max(self._stage.errors)
        return self._story.reached()["verified"] and fallen

    def _is_normal(self) -> bool:
        parts = [state.parts for state in self._stage.states.values()]
        breakers = {part["breaker"] for part in parts if "breaker" in part}
        return breakers <= {"closed"} and self._stage.rate() == 0

    async def _recorded(self) -> None:
        """Wait until ClickHouse shows every cure that the topics showed, and nothing uncured."""
        cures = set(self._story.cures())
        while True:
            found = await verdict(self.clickhouse)
            shown = {name for name, cured in found.cured.items() if cured}
            if shown >= cures and not found.problems:
                return
            if self._stage.left_s() < 0:
                why = "; ".join(found.problems) or "an incident of the topics is missing"
                raise NotReachedError(f"not reached: in ClickHouse; {why}")
            await asyncio.sleep(0.2)

    async def settle(self, timeout_s: float = 3.0) -> None:
        """After a failure: give the recorder a moment for what the topics showed.

        Raises:
            AskError: ClickHouse does not answer.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if len((await verdict(self.clickhouse)).cured) >= len(self._story.incidents):
                return
            await asyncio.sleep(0.2)

    async def _until(self, holds: Callable[[], bool], step: str) -> None:
        while not holds():
            for task in self._tasks:
                if task.done():
                    task.result()
            if self._stage.left_s(TABLES_S) < 0:
                raise NotReachedError(f"not reached within {self._stage.bound_s} s: {step}")
            await asyncio.sleep(0.1)
