"""`faultstream ack`: take care of an incident, so that nobody else is woken."""

import click

from faultstream.cli.duration import now_ms
from faultstream.cli.steering import Desk, steering
from faultstream.core import ids
from faultstream.core.records import Control


@click.command("ack")
@click.argument("incident_id")
@click.option("--undo", is_flag=True, help="Take it back: the next news escalates again.")
@steering
def command(incident_id: str, *, undo: bool, desk: Desk) -> None:
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
        environment=desk.environment,
        active=not undo,
        by=desk.by,
        reason=desk.reason,
        set_at_ms=now,
        parameters={"incident_id": incident_id},
    )
    desk.publish(record)
    click.echo(f"acknowledgement {'taken back' if undo else 'set'} for {incident_id}")
