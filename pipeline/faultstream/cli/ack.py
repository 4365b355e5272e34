"""`faultstream ack`: take care of an incident, so that nobody else is woken."""

import asyncio
from pathlib import Path

import click

from faultstream.cli.duration import now_ms
from faultstream.cli.pause import publish, who
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.core import ids
from faultstream.core.records import Control


@click.command("ack")
@click.argument("incident_id")
@click.option("--environment", default="", help="Where it is; every environment by default.")
@click.option("--reason", default="", help="What will be done.")
@click.option("--undo", is_flag=True, help="Take it back: the next news escalates again.")
@click.option("--brokers", help="host:port[,..]; by default FAULTSTREAM_KAFKA.")
@click.option(
    "--topology",
    "file",
    type=click.Path(path_type=Path),
    help="topology.yaml; by default FAULTSTREAM_TOPOLOGY, else the one in the package.",
)
def command(
    incident_id: str,
    environment: str,
    reason: str,
    brokers: str | None,
    file: Path | None,
    *,
    undo: bool,
) -> None:
    """Acknowledge an incident: its escalations end, and nothing about it is repeated.

    Its end is still told. INCIDENT_ID stands in every message about it.

    \b
    Example:  faultstream ack 0190b0c4-5d1e-8f2a-9c3b-0000000000b1 --reason "on it"
    """
    now, subject = now_ms(), f"acknowledge/{incident_id}"
    record = Control(
        control_id=ids.derive("control", subject, now),
        kind="acknowledge",
        subject=subject,
        environment=environment,
        active=not undo,
        by=who(),
        reason=reason,
        set_at_ms=now,
        parameters={"incident_id": incident_id},
    )
    settings = Settings.from_env()
    topology = load(file or settings.topology)
    asyncio.run(publish(brokers or settings.brokers, topology, record))
    click.echo(f"acknowledgement {'taken back' if undo else 'set'} for {incident_id}")
