"""`faultstream pause`: stop commanding recovery, or take that back."""

import click

from faultstream import wire
from faultstream.cli.duration import DURATION, MOMENT, now_ms
from faultstream.cli.steering import Desk, steering, tell
from faultstream.core.controls import paused
from faultstream.core.records import Control


@click.command("pause")
@click.option(
    "--for", "--until", "length_ms", type=DURATION, help="10m, 2h, ...; else until --resume."
)
@click.option("--from", "from_ms", type=MOMENT, help="2026-01-05T22:00, or 2h from now; now.")
@click.option("--service", default="", help="Only this one; every service by default.")
@click.option("--resume", is_flag=True, help="Take back the pause of the same place.")
@click.option("--list", "listed", is_flag=True, help="Only say what is paused now.")
@steering
def command(
    length_ms: int | None,
    *,
    from_ms: int | None,
    service: str,
    resume: bool,
    listed: bool,
    desk: Desk,
) -> None:
    """Stop or resume recovery in an environment, or of one service.

    While it is paused errors are watched and incidents opened as always, but nothing is
    commanded. Commands that are under way are carried out.

    \b
    Example:  faultstream pause --for 30m --reason "database migration"
              faultstream pause --service orders
              faultstream pause --from 2026-01-05T22:00 --for 1h
              faultstream pause --resume
    """
    now = now_ms()
    if listed:
        tell(desk, "pause", _whose, "nothing is paused")
        return
    if resume and not (length_ms is None and from_ms is None):
        raise click.UsageError("--resume takes the pause back now; leave out --from and --for")
    until_ms = None if length_ms is None else (from_ms or now) + length_ms
    if until_ms is not None and until_ms <= now:
        raise click.UsageError("that is over already")
    record = paused(
        desk.environment,
        service=service,
        active=not resume,
        reason=desk.reason,
        by=desk.by,
        now_ms=now,
        from_ms=from_ms,
        until_ms=until_ms,
    )
    desk.publish(record)
    since = "" if record.begun(now) else f"from {wire.rfc3339(from_ms or now)} "
    what = f"recovery of {service}" if service else "recovery"
    if resume:
        click.echo(f"{what} resumed in {desk.where}")
    elif record.until_at_ms is None:
        click.echo(f"{what} paused in {desk.where} {since}until it is resumed")
    else:
        until = wire.rfc3339(record.until_at_ms)
        click.echo(f"{what} paused in {desk.where} {since}until {until}")


def _whose(pause: Control) -> str:
    return str(pause.parameters.get("service") or "every service")
