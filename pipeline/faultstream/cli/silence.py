"""`faultstream silence`: tell nobody of what matches, for a while."""

import click

from faultstream import wire
from faultstream.cli.duration import DURATION, MOMENT, now_ms
from faultstream.cli.steering import Desk, steering, tell
from faultstream.config.shape import did_you_mean
from faultstream.core import ids
from faultstream.core.notify.matchers import LABELS, MatcherError, matcher
from faultstream.core.records import Control

DEFAULT_MS = 7_200_000


@click.command("silence")
@click.argument("matchers", nargs=-1)
@click.option("--for", "length_ms", type=DURATION, help="30m, 2h, ...; 2h by default.")
@click.option("--from", "from_ms", type=MOMENT, help="2026-01-05T22:00, or 2h from now; now.")
@click.option("--expire", is_flag=True, help="End the silence with the same matchers now.")
@click.option("--list", "listed", is_flag=True, help="Only say what is silenced now.")
@steering
def command(
    matchers: tuple[str, ...],
    *,
    length_ms: int | None,
    from_ms: int | None,
    expire: bool,
    listed: bool,
    desk: Desk,
) -> None:
    """Mute alerts that match all MATCHERS, as in Alertmanager: = != =~ !~.

    Labels are service, layer, category, severity, level, title, group, environment and
    incident_id. What still fires when the silence ends is told then. A silence with the same
    matchers replaces the one before.

    \b
    Example:  faultstream silence service=orders 'level!=critical' --for 2h --reason "new disk"
              faultstream silence service=orders --from 2026-01-05T22:00 --for 1h
              faultstream silence service=orders 'level!=critical' --expire
    """
    if listed:
        tell(desk, "silence", _matchers, "nothing is silenced")
        return
    if not matchers:
        raise click.UsageError("name what is silenced, such as service=orders")
    if expire and not (length_ms is None and from_ms is None):
        raise click.UsageError("--expire ends the silence now; leave out --from and --for")
    try:
        texts = sorted({matcher(text).text for text in matchers})
    except MatcherError as exc:
        raise click.BadParameter(str(exc), param_hint="MATCHERS") from exc
    for name in sorted({matcher(text).name for text in texts}.difference(LABELS)):
        mend = did_you_mean(name, LABELS)
        click.echo(f"warning: alerts of respond have no label {name!r}. {mend}", err=True)
    now = now_ms()
    until_ms = (from_ms or now) + (length_ms or DEFAULT_MS)
    if until_ms <= now:
        raise click.UsageError("that is over already")
    subject = "silence/" + ids.derive("silence", desk.environment, *texts)[:8]
    record = Control(
        control_id=ids.derive("control", subject, now),
        kind="silence",
        subject=subject,
        environment=desk.environment,
        active=not expire,
        by=desk.by,
        reason=desk.reason,
        set_at_ms=now,
        from_at_ms=from_ms,
        until_at_ms=None if expire else until_ms,
        parameters={"matchers": texts},
    )
    desk.publish(record)
    shown, where = ", ".join(texts), desk.where
    if expire:
        click.echo(f"silence ended in {where}: {shown}")
    else:
        since = "" if record.begun(now) else f"from {wire.rfc3339(from_ms or now)} "
        click.echo(f"silenced in {where} {since}until {wire.rfc3339(until_ms)}: {shown}")


def _matchers(silence: Control) -> str:
    matchers = silence.parameters.get("matchers")
    return ", ".join(map(str, matchers)) if isinstance(matchers, list) else ""
