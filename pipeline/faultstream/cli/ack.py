"""`faultstream ack`: take care of an incident, so that nobody else is woken."""

import click

from faultstream.cli.duration import now_ms
from faultstream.cli.steering import Desk, steering
from faultstream.core.controls import Acknowledge, ask
from faultstream.core.errors import DataError


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
    try:
        record = ask(
            Acknowledge(incident_id=incident_id),
            environment=desk.environment,
            by=desk.by,
            reason=desk.reason,
            active=not undo,
            now_ms=now_ms(),
        )
    except DataError as exc:
        raise click.UsageError(exc.reason) from exc
    desk.publish(record)
    click.echo(f"acknowledgement {'taken back' if undo else 'set'} for {incident_id}")
