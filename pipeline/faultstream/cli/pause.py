"""`faultstream pause`: stop commanding recovery, or take that back."""

import click

from faultstream import wire
from faultstream.cli.duration import DURATION, now_ms
from faultstream.cli.steering import Desk, steering
from faultstream.core import ids
from faultstream.core.records import Control


@click.command("pause")
@click.option("--until", "length_ms", type=DURATION, help="For 10m, 2h, ...; else until --resume.")
@click.option("--resume", is_flag=True, help="Take back the pause of the same --environment.")
@steering
def command(length_ms: int | None, *, resume: bool, desk: Desk) -> None:
    """Stop or resume recovery in an environment.

    While it is paused errors are watched and incidents opened as always, but nothing is
    commanded. Commands that are under way are carried out.

    \b
    Example:  faultstream pause --until 30m --reason "database migration"
              faultstream pause --resume
    """
    if resume and length_ms is not None:
        raise click.UsageError("--resume takes the pause back now; leave out --until")
    now = now_ms()
    record = control(
        desk.environment,
        active=not resume,
        reason=desk.reason,
        by=desk.by,
        now=now,
        until_ms=None if length_ms is None else now + length_ms,
    )
    desk.publish(record)
    where = desk.where
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
