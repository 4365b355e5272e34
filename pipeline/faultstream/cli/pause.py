"""`faultstream pause`: stop commanding recovery, or take that back."""

import asyncio
import getpass
from pathlib import Path
from typing import Final

import click
from aiokafka import AIOKafkaProducer

from faultstream import wire
from faultstream.cli.duration import DURATION, now_ms
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.core import ids
from faultstream.core.policy import Topology
from faultstream.core.records import Control
from faultstream.transport.topics import wait_for_broker

CONNECT_TIMEOUT_S: Final = 10.0


@click.command("pause")
@click.option("--environment", default="", help="Only this one; every environment by default.")
@click.option("--until", "length_ms", type=DURATION, help="For 10m, 2h, ...; else until --resume.")
@click.option("--reason", default="", help="Why, for those who find it paused.")
@click.option("--resume", is_flag=True, help="Take back the pause of the same --environment.")
@click.option("--brokers", help="host:port[,..]; by default FAULTSTREAM_KAFKA.")
@click.option(
    "--topology",
    "file",
    type=click.Path(path_type=Path),
    help="topology.yaml; by default FAULTSTREAM_TOPOLOGY, else the one in the package.",
)
def command(
    environment: str,
    length_ms: int | None,
    reason: str,
    brokers: str | None,
    file: Path | None,
    *,
    resume: bool,
) -> None:
    """Stop or resume recovery in an environment.

    While it is paused errors are watched and incidents opened as always, but nothing is
    commanded. Commands that are under way are carried out.

    \b
    Example:  faultstream pause --until 30m --reason "database migration"
              faultstream pause --resume
    """
    if resume and length_ms is not None:
        raise click.UsageError("--resume takes the pause back now; leave out --until")
    settings = Settings.from_env()
    topology = load(file or settings.topology)
    now = now_ms()
    record = control(
        environment,
        active=not resume,
        reason=reason,
        by=who(),
        now=now,
        until_ms=None if length_ms is None else now + length_ms,
    )
    asyncio.run(publish(brokers or settings.brokers, topology, record))
    where = environment or "every environment"
    if resume:
        click.echo(f"recovery resumed in {where}")
    elif record.until_at_ms is None:
        click.echo(f"recovery paused in {where} until it is resumed")
    else:
        click.echo(f"recovery paused in {where} until {wire.rfc3339(record.until_at_ms)}")


def control(
    environment: str, *, active: bool, reason: str, by: str, now: int, until_ms: int | None
) -> Control:
    """The record that pauses (`active`) or resumes; `environment` "" is every one."""
    subject = f"pause/{environment or '*'}"
    return Control(
        control_id=ids.derive("control", subject, now),
        kind="pause",
        subject=subject,
        environment=environment,
        active=active,
        by=by,
        reason=reason,
        set_at_ms=now,
        until_at_ms=until_ms,
    )


async def publish(brokers: str, topology: Topology, record: Control) -> None:
    """Write a control to the control topic and wait until it is there.

    Raises:
        KafkaError: it was not written.
    """
    await wait_for_broker(brokers, CONNECT_TIMEOUT_S)
    async with AIOKafkaProducer(bootstrap_servers=brokers, acks="all") as producer:
        await producer.send_and_wait(
            topology.topic("control"),
            wire.encode(record),
            key=record.subject.encode(),
            headers=wire.headers(record, record.control_id, record.set_at_ms),
        )


def who() -> str:
    """The user who runs this, "" when the system does not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
