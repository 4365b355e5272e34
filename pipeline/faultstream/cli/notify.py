"""`faultstream notify`: see whether a channel reaches people, what it would say, who is on call."""

import asyncio
import os
import sys
from datetime import datetime
from pathlib import Path

import click
import msgspec

from faultstream.cli import notify_routes
from faultstream.cli.duration import now_ms
from faultstream.cli.offline import load_topology
from faultstream.cli.where import topology_option
from faultstream.config.errors import ConfigError
from faultstream.config.shape import did_you_mean
from faultstream.core import ids
from faultstream.core.notify.calendar import zone
from faultstream.core.notify.oncall import on_call
from faultstream.core.policy import ChannelPolicy, Topology
from faultstream.core.records import Level, Notification
from faultstream.core.report.text import clean
from faultstream.notify import ChannelConfigError, Delivery, Notifier
from faultstream.notify.channels import make
from faultstream.notify.notifier import templates


@click.group("notify")
def command() -> None:
    """Try out the channels and routes of topology.yaml.

    \b
    Example:  faultstream notify test mail
              faultstream notify on-call
              faultstream notify routes level=critical service=orders
    """


@command.command("test", short_help="Send one message to a channel, without Kafka.")
@click.argument("channel")
@click.option(
    "--level",
    type=click.Choice(["info", "warning", "error", "critical"]),
    default="info",
    show_default=True,
)
@click.option("--show", is_flag=True, help="Print what a message of ours would say; send nothing.")
@topology_option()
def test(channel: str, level: Level, *, show: bool, file: Path | None) -> None:
    """Send one message to CHANNEL from here, without Kafka; exit code 1 when it gave up.

    It is written by the channel's template, when it has one.

    \b
    Example:  ALERT_MAIL='mailto://user:password@example.org' faultstream notify test mail
              faultstream notify test mail --show
    """
    topology = load_topology(file)
    if show:
        _show(topology, channel, level)
        return
    found = asyncio.run(_send(topology, channel, level))
    if found.status == "delivered":
        tries = "" if found.attempts == 1 else f" at attempt {found.attempts}"
        click.echo(f"{channel}: delivered{tries}")
        return
    tries = "1 attempt" if found.attempts == 1 else f"{found.attempts} attempts"
    click.echo(f"{channel}: not delivered after {tries}: {found.reason}", err=True)
    sys.exit(1)


@command.command("on-call")
@click.option("--at", help="2026-01-05T09:00, by the clock of each schedule; now by default.")
@topology_option()
def who(at: str | None, file: Path | None) -> None:
    """Say who is on call in each schedule of topology.yaml.

    \b
    Example:  faultstream notify on-call --at 2026-12-24T18:00
    """
    policy = load_topology(file).notification
    if not policy.schedules:
        click.echo("topology.yaml has no schedules")
    for name, schedule in policy.schedules.items():
        moment = now_ms()
        if at is not None:
            try:
                local = datetime.fromisoformat(at).replace(tzinfo=zone(schedule.location))
            except ValueError as exc:
                raise click.BadParameter(f"{at!r} is no time such as 2026-01-05T09:00") from exc
            moment = int(local.timestamp() * 1000)
        people = on_call(schedule, policy.time_intervals, moment)
        reach = {person: ", ".join(policy.people[person]) for person in people}
        shown = "; ".join(f"{person} ({channels})" for person, channels in reach.items())
        click.echo(f"{name}: {shown}")


command.add_command(notify_routes.command)


def _channel(topology: Topology, name: str) -> ChannelPolicy:
    policy = topology.channels.get(name)
    if policy is None:
        mend = did_you_mean(name, topology.channels)
        raise ConfigError(
            "topology.yaml", f"channels.{name}", "there is no such channel", mend=mend
        )
    return policy


def _show(topology: Topology, name: str, level: Level) -> None:
    """Print a sample as the channel's template writes it, while it fires and when it is over."""
    _channel(topology, name)
    from faultstream.notify.template import SAMPLE  # noqa: PLC0415 - Jinja costs 60 ms

    template = templates(topology).get(name)
    over = msgspec.structs.replace(
        SAMPLE, status="resolved", title=f"resolved: {SAMPLE.title}", body="retry cured it"
    )
    for sample in (SAMPLE, over):
        message = msgspec.structs.replace(sample, level=level, environment=topology.environment)
        text = message if template is None else template.apply(message)
        click.echo(f"{message.status}\n  {clean(text.title)}")
        for line in text.body.splitlines():
            click.echo(f"    {clean(line)}")


async def _send(topology: Topology, name: str, level: Level) -> Delivery:
    policy = _channel(topology, name)
    try:
        made = {name: make(name, policy, os.environ)}
        notifier = Notifier(made, templates(topology))
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
        labels={"service": "test", "layer": "service", "category": "system", "severity": "low"},
    )
    try:
        return await notifier.attempt(name, message)
    finally:
        await notifier.close()
