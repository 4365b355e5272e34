"""`faultstream ack`: take care of an incident, so that nobody else is woken."""

import asyncio

import click
import msgspec

from faultstream.cli import wishing
from faultstream.core.controls import Acknowledge
from faultstream.transport import wishes


@click.command("ack")
@click.argument("incident_id", metavar="ID")
@click.option("--undo", is_flag=True, help="Take it back: the next news escalates again.")
@wishing.asking
def command(incident_id: str, *, one: wishes.Asked, undo: bool) -> None:
    """Acknowledge an incident: its escalations end, and nothing about it is repeated.

    ID is the beginning of the incident's id, which stands in every message about it. Its end is
    still told.

    \b
    Example:  faultstream ack 0190b0c4 --reason "on it"
    """
    asyncio.run(_acknowledge(one, incident_id, undo=undo))


async def _acknowledge(one: wishes.Asked, prefix: str, *, undo: bool) -> None:
    before = await wishing.meant(one, prefix)
    wish = Acknowledge(incident_id=before.incident_id)
    control = wishing.wished(one, wish, before.environment)
    if undo:  # respond has nothing to say to it
        control = msgspec.structs.replace(control, active=False)
        await wishes.publish(one.brokers, one.topology, control)
        click.echo(f"acknowledgement taken back for {before.incident_id}")
        return
    wishing.must_be_open(before)
    answer = await wishes.carried(one, control, wishes.changed(before, one.by))
    wishing.told(one, answer, before)
