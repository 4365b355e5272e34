"""`faultstream cancel`: end what is under way, and let a person take over."""

import asyncio

import click

from faultstream.cli import wishing
from faultstream.core.controls import Cancel
from faultstream.transport import wishes


@click.command("cancel")
@click.argument("incident_id", metavar="ID")
@click.option("--rollback", is_flag=True, help="Take back what was done, too.")
@wishing.asking
def command(
    incident_id: str,
    *,
    one: wishes.Asked,
    rollback: bool,
) -> None:
    """End the recovery that is under way in an incident; a person takes over.

    ID is the beginning of the incident's id, or of one of its commands'. What executors are at
    they finish, but nothing more is commanded.

    \b
    Example:  faultstream cancel 03a54aeb --reason "I restart it by hand"
    """
    asyncio.run(_cancel(one, incident_id, rollback=rollback))


async def _cancel(one: wishes.Asked, prefix: str, *, rollback: bool) -> None:
    before = await wishing.meant(one, prefix)
    wishing.must_be_open(before)
    wish = Cancel(incident_id=before.incident_id, rollback=rollback)
    control = wishing.wished(one, wish, before.environment)
    answer = await wishes.carried(one, control, wishes.changed(before, one.by))
    wishing.told(one, answer, before)
