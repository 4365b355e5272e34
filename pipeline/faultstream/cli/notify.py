"""`faultstream notify test CHANNEL`: see whether a channel reaches people."""

import asyncio
import os
import sys
from pathlib import Path

import click

from faultstream.cli.duration import now_ms
from faultstream.config.errors import ConfigError
from faultstream.config.settings import Settings
from faultstream.config.shape import did_you_mean
from faultstream.config.topology import load
from faultstream.core import ids
from faultstream.core.policy import Topology
from faultstream.core.records import Level, Notification
from faultstream.notify import ChannelConfigError, Delivery, Notifier
from faultstream.notify.channels import make


@click.group("notify")
def command() -> None:
    """Try out the channels of topology.yaml.

    \b
    Example:  faultstream notify test mail
    """


@command.command("test")
@click.argument("channel")
@click.option(
    "--level",
    type=click.Choice(["info", "warning", "error", "critical"]),
    default="info",
    show_default=True,
)
@click.option(
    "--topology",
    "file",
    type=click.Path(path_type=Path),
    help="topology.yaml; by default FAULTSTREAM_TOPOLOGY, else the one in the package.",
)
def test(channel: str, level: Level, file: Path | None) -> None:
    """Send one message to CHANNEL from here, without Kafka; exit code 1 when it gave up.

    \b
    Example:  ALERT_MAIL='mailto://user:password@example.org' faultstream notify test mail
    """
    topology = load(file or Settings.from_env().topology)
    found = asyncio.run(_send(topology, channel, level))
    if found.status == "delivered":
        tries = "" if found.attempts == 1 else f" at attempt {found.attempts}"
        click.echo(f"{channel}: delivered{tries}")
        return
    tries = "1 attempt" if found.attempts == 1 else f"{found.attempts} attempts"
    click.echo(f"{channel}: not delivered after {tries}: {found.reason}", err=True)
    sys.exit(1)


async def _send(topology: Topology, name: str, level: Level) -> Delivery:
    policy = topology.channels.get(name)
    if policy is None:
        mend = did_you_mean(name, topology.channels)
        raise ConfigError(
            "topology.yaml", f"channels.{name}", "there is no such channel", mend=mend
        )
    try:
        notifier = Notifier({name: make(name, policy, os.environ)})
    except ChannelConfigError as exc:
        place, _, problem = str(exc).partition(": ")
        raise ConfigError("topology.yaml", place, problem) from exc
    now = now_ms()
    message = Notification(
        notification_id=ids.derive("test", name, now),
        group=f"{topology.environment}/test",
        level=level,
        title=f"faultstream: this is a test of the channel {name}",
        body="Nothing is wrong. Somebody ran `faultstream notify test`.",
        environment=topology.environment,
        reason="test",
        created_at_ms=now,
    )
    try:
        return await notifier.attempt(name, message)
    finally:
        await notifier.close()
