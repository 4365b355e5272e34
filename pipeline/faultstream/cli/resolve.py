"""`faultstream resolve`: say that an incident is over."""

import asyncio

import click

from faultstream.cli import wishing
from faultstream.core.controls import Resolve
from faultstream.transport import wishes


@click.command("resolve")
@click.argument("incident_id", metavar="ID")
@click.option("--false-alarm", is_flag=True, help="Nothing was wrong; `report` counts it.")
@wishing.asking
def command(
    incident_id: str,
    *,
    false_alarm: bool,
    one: wishes.Asked,
) -> None:
    """Say that an incident is over: recovery ends, and those who were told are told so.

    ID is the beginning of the incident's id. When its errors grow again a new one is opened.

    \b
    Example:  faultstream resolve 03a54aeb --reason "rolled back by hand"
              faultstream resolve 03a54aeb --false-alarm --reason "a load test"
    """
    asyncio.run(_resolve(one, incident_id, false_alarm=false_alarm))


async def _resolve(one: wishes.Asked, prefix: str, *, false_alarm: bool) -> None:
    before = await wishing.meant(one, prefix)
    wishing.must_be_open(before)
    wish = Resolve(incident_id=before.incident_id, false_alarm=false_alarm)
    control = wishing.wished(one, wish, before.environment)
    answer = await wishes.carried(one, control, wishes.changed(before, one.by))
    wishing.told(one, answer, before)
