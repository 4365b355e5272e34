"""`faultstream experiment run FILE`: break something on purpose and grade the answer."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import click
import msgspec

from faultstream.cli.commanding import Commander, commander
from faultstream.cli.duration import DURATION, now_ms
from faultstream.cli.where import place
from faultstream.config.experiment import load as planned
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.core.experiment import Experiment, Grade, Run, order
from faultstream.core.guards import covers
from faultstream.core.ids import derive
from faultstream.core.policy import Topology
from faultstream.transport.wishes import standing

ANSWER_S: Final = 5.0


class NobodyInjectedError(click.ClickException):
    """Nothing was injected; the message says why."""

    exit_code = 1


@click.group("experiment")
def command() -> None:
    """Break something on purpose, see whether it is found and cured, and grade that.

    \b
    Example:  faultstream experiment run payments.yaml --json report.json
    """


@command.command("run")
@click.argument("plan", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="The report as JSON.")
@click.option("--timeout", "timeout_ms", type=DURATION, help="Default: what the file allows.")
@place
def run(
    plan: Path,
    *,
    json_file: Path | None,
    timeout_ms: int | None,
    brokers: str | None,
    file: Path | None,
) -> None:
    """Inject what FILE says, wait for the pipeline, and grade it.

    Detected in time? The right strategy? Recovery verified in time? Wrong commands? The service
    needs an executor with an injector that is on and has the target as a `point`, the topology
    `strategies.inject.enabled: true`; nothing is injected where recovery is paused. Everything
    carries the experiment's id, so nobody is paged. The fault ends with its duration, or with
    this command. Exit code 1 when a check did not pass.

    \b
    name: payments refuse            expect:
    service: payments                  detected_within_s: 10
    inject:                            recovered_within_s: 60
      target: db                       strategies: [circuit_break, fallback]
      error: ConnectionError           forbidden: [service_restart]
      probability: 0.8
      duration_s: 60
    """
    settings = Settings.from_env()
    file = file or settings.topology
    topology = load(file)
    experiment = planned(plan, topology, str(file or "topology.yaml of the package"))

    async def all_of_it() -> Grade:
        async with commander(brokers or settings.brokers, topology, settings) as sent:
            await _not_paused(brokers or settings.brokers, topology, experiment)
            return await conduct(sent, experiment, timeout_ms, click.echo)

    grade = asyncio.run(all_of_it())
    click.echo(shown(grade))
    if json_file is not None:
        told = {**msgspec.to_builtins(grade), "passed": grade.passed}
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")
    if not grade.passed:
        raise click.exceptions.Exit(1)


async def _not_paused(brokers: str, topology: Topology, experiment: Experiment) -> None:
    """Raises NobodyInjectedError while somebody has paused recovery there: the fault would hurt,
    and nothing would be done about it."""
    for pause in await standing(brokers, topology, "pause", now_ms()):
        here = covers(pause, experiment.environment, experiment.service)
        if here and pause.begun(now_ms()):
            by, why = f" by {pause.by}" * bool(pause.by), f": {pause.reason}" * bool(pause.reason)
            raise NobodyInjectedError(
                f"nothing was injected: recovery is paused{by}{why}. "
                "`faultstream pause --resume` takes that back"
            )


async def conduct(
    sent: Commander, experiment: Experiment, timeout_ms: int | None, say: Callable[[str], object]
) -> Grade:
    """Inject, watch until it is over or time is up, end the injection, grade."""
    begun_ms = now_ms()
    experiment_id = derive("experiment", experiment.name, begun_ms, os.getpid())
    run = Run(experiment, experiment_id, begun_ms)
    async with _injected(sent, experiment, experiment_id):
        say(f"experiment {experiment_id}: {experiment.name}")
        async for records in sent.until(time.monotonic() + ANSWER_S):
            for record in records:
                run.tell(record)
            if run.injected:
                break
        if not run.injected:
            said = "; ".join(run.refusals) or f"no executor answered within {ANSWER_S:g} s"
            raise NobodyInjectedError(f"nothing was injected into {experiment.service}: {said}")
        say(f"injected into {', '.join(run.injected)}")
        allowed_s = experiment.inject.duration_s + experiment.expect.recovered_within_s
        wait_s = timeout_ms / 1_000 if timeout_ms is not None else allowed_s
        async for records in sent.until(time.monotonic() + wait_s):
            for record in records:
                run.tell(record)
            if run.over:
                break
    return run.grade()


@asynccontextmanager
async def _injected(
    sent: Commander, experiment: Experiment, experiment_id: str
) -> AsyncIterator[None]:
    """The fault, for the length of the block, however that ends."""
    await sent.send(order(experiment, experiment_id, now_ms(), end=False))
    try:
        yield
    finally:
        await asyncio.shield(sent.send(order(experiment, experiment_id, now_ms(), end=True)))


def shown(grade: Grade) -> str:
    """The report as text."""
    lines = [
        f"{'passed' if one.passed else 'FAILED'}  {one.name}: {one.text}" for one in grade.checks
    ]
    commanded = ", ".join(grade.strategies) or "nothing"
    lines.append(
        f"commanded: {commanded}; notifications, which paged nobody: {grade.notifications}"
    )
    return "\n".join(lines)
