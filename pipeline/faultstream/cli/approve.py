"""`faultstream approve`: let the strategy that waits be commanded."""

import asyncio

import click

from faultstream.cli import wishing
from faultstream.core.controls import Approve
from faultstream.transport import wishes


@click.command("approve")
@click.argument("incident_id", metavar="ID")
@click.option("--strategy", default="", help="Only this one, should another one wait by now.")
@wishing.asking
def command(
    incident_id: str,
    *,
    one: wishes.Asked,
    strategy: str,
) -> None:
    """Let the strategy be commanded that waits for approval in an incident.

    ID is the beginning of the incident's id. The guards still have the last word; what came of it
    is printed.

    \b
    Example:  faultstream approve 03a54aeb --reason "replica is up to date"
    """
    asyncio.run(_approve(one, incident_id, strategy))


async def _approve(one: wishes.Asked, prefix: str, strategy: str) -> None:
    before = await wishing.meant(one, prefix)
    wishing.must_be_open(before)
    if before.state != "escalated":
        click.echo(f"nothing waits for approval: {wishing.told_of(before)}", err=True)
        raise click.exceptions.Exit(1)
    wish = Approve(incident_id=before.incident_id, strategy=strategy)
    control = wishing.wished(one, wish, before.environment)
    answer = await wishes.carried(one, control, wishes.changed(before, one.by))
    wishing.told(one, answer, before)
    if answer is not None and (answer.state, len(answer.attempts)) == (
        before.state,
        len(before.attempts),
    ):
        raise click.exceptions.Exit(1)
