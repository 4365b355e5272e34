"""`faultstream topology`: the topics of the topology, created, shown, compared."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import click

from faultstream.cli.where import place
from faultstream.config.errors import ConfigError
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.core.policy import Topology
from faultstream.transport import topics

if TYPE_CHECKING:
    from faultstream.stream.stage import Stage

CONNECT_TIMEOUT_S: Final = 10.0


@click.group("topology")
def command() -> None:
    """Create the Kafka topics, or say what differs.

    \b
    Example:  faultstream topology diff --brokers kafka:9092
              faultstream topology create --brokers kafka:9092
    """


@command.command("create")
@place
@click.option("--dry-run", is_flag=True, help="Only say what would be created.")
def create(brokers: str | None, file: Path | None, *, dry_run: bool) -> None:
    """Create the topics that are missing; refuse when one differs.

    Nothing that exists is changed. Also gives the log its identity, once.

    \b
    Example:  faultstream topology create --brokers kafka:9092 --dry-run
    """
    brokers, topology = _where(brokers, file)
    if dry_run:
        found = asyncio.run(_differences(brokers, topology))
        _refuse([difference for difference in found if difference.what != "missing"])
        for difference in found:
            click.echo(f"would create {difference.topic}")
        if not found:
            _all_there(topology)
        return
    try:
        created = asyncio.run(_create(brokers, topology))
    except topics.TopicsDifferError as exc:
        _refuse(exc.differences)
        raise
    except topics.TopicRefusedError as exc:
        raise click.ClickException(f"the broker refused {exc}") from exc
    for name in created:
        click.echo(f"created {name}")
    if not created:
        _all_there(topology)


@command.command("show", short_help="Print the wanted topics; connects to nothing.")
@place
def show(brokers: str | None, file: Path | None) -> None:
    """Print the wanted topics, one JSON object a line; connects to nothing.

    \b
    Example:  faultstream topology show
    """
    _, topology = _where(brokers, file)
    for topic in topics.wanted(topology, changelogs(topology)):
        line: dict[str, Any] = {"name": topic.name, "partitions": topic.partitions}
        line |= {"replicas": topic.replicas, **topic.settings}
        click.echo(json.dumps(line))


@command.command("diff")
@place
def diff(brokers: str | None, file: Path | None) -> None:
    """Say how the topics on the brokers differ; exit code 1 when they do.

    \b
    Example:  faultstream topology diff --brokers kafka:9092
    """
    brokers, topology = _where(brokers, file)
    found = asyncio.run(_differences(brokers, topology))
    for difference in found:
        click.echo(str(difference))
    if not found:
        _all_there(topology)
    sys.exit(1 if found else 0)


def _all_there(topology: Topology) -> None:
    count = len(topics.wanted(topology, changelogs(topology)))
    click.echo(f"all {count} topics are there, as wanted")


def changelogs(topology: Topology) -> list[topics.Topic]:
    """The topics that hold the workers' state. Each worker also makes its own when it starts."""
    # They import Faust, half a second that `faultstream up` must not pay before its workers do.
    from faultstream.stream.app import changelog  # noqa: PLC0415
    from faultstream.stream.detect import DetectStage  # noqa: PLC0415
    from faultstream.stream.notify import NotifyStage  # noqa: PLC0415
    from faultstream.stream.respond import RespondStage  # noqa: PLC0415

    # Only what stands in the classes is asked for: name, inputs, keyed.
    stages = [cast("Stage", stage) for stage in (DetectStage, RespondStage, NotifyStage)]
    return [topic for stage in stages for topic in changelog(topology, stage)]


def _where(brokers: str | None, file: Path | None) -> tuple[str, Topology]:
    settings = Settings.from_env()
    return brokers or settings.brokers, load(file or settings.topology)


def _refuse(differences: "list[topics.Difference] | tuple[topics.Difference, ...]") -> None:
    if differences:
        text = "; ".join(str(difference) for difference in differences)
        raise ConfigError("topology.yaml", "topics", text)


async def _differences(brokers: str, topology: Topology) -> list[topics.Difference]:
    await topics.wait_for_broker(brokers, CONNECT_TIMEOUT_S)
    return await topics.differences(brokers, topology, changelogs(topology))


async def _create(brokers: str, topology: Topology) -> list[str]:
    await topics.wait_for_broker(brokers, CONNECT_TIMEOUT_S)
    return await topics.create(brokers, topology, changelogs(topology))
