"""`faultstream sample`: have clients send fewer events of a flood, with exact counts."""

import asyncio
from pathlib import Path
from typing import Final

import click
import msgspec

from faultstream import wire
from faultstream.cli.duration import DURATION, now_ms
from faultstream.cli.steering import who
from faultstream.cli.where import place
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.core.sampling import Sample, sampling
from faultstream.transport.wishes import publish

DEFAULT_MS: Final = 3_600_000


@click.command("sample")
@click.argument("ratio", type=click.FloatRange(0, 1), required=False)
@click.option("--service", default="", help="Only its errors; those of every service by default.")
@click.option("--type", "error_type", default="", help="Only this type; may hold * and ?.")
@click.option("--fingerprint", default="", help="Only this problem.")
@click.option("--environment", default="", help="Only this one; every environment by default.")
@click.option("--first", default=1, help="So many of each kind are sent at once. Default 1.")
@click.option("--hold", "hold_ms", type=DURATION, help="How long a count may wait. Default 10s.")
@click.option("--for", "length_ms", type=DURATION, help="30m, 2h, ...; 1h by default.")
@click.option("--reason", default="", help="Why, for those who wonder.")
@click.option("--expire", is_flag=True, help="Take back the rule for the same errors now.")
@place
def command(
    ratio: float | None,
    *,
    service: str,
    error_type: str,
    fingerprint: str,
    environment: str,
    first: int,
    hold_ms: int | None,
    length_ms: int | None,
    reason: str,
    expire: bool,
    brokers: str | None,
    file: Path | None,
) -> None:
    """Have clients send a share of RATIO (0 to 1) of their errors as events, for a while.

    What is not sent by itself is counted into the next event of its kind, so that sums over
    `count` stay exact. Errors that say they are critical or fatal are always sent.

    \b
    Example:  faultstream sample 0.01 --service orders --type '*Timeout*' --for 30m
              faultstream sample --expire --service orders --type '*Timeout*'
    """
    if (ratio is None) is not expire:
        raise click.UsageError("give a RATIO, or --expire")
    given = {"first": first, **({} if hold_ms is None else {"hold_ms": hold_ms})}
    about = {"service": service, "error_type": error_type, "fingerprint": fingerprint}
    try:
        rule = msgspec.convert({"ratio": ratio or 0.0, **about, **given}, Sample)
    except msgspec.ValidationError as exc:
        raise click.UsageError(str(exc)) from exc
    now = now_ms()
    until_ms = None if expire else now + (length_ms or DEFAULT_MS)
    record = sampling(
        rule, environment=environment, by=who(), reason=reason, now_ms=now, until_ms=until_ms
    )
    settings = Settings.from_env()
    asyncio.run(publish(brokers or settings.brokers, load(file or settings.topology), record))
    shown = ", ".join(f"{name} {value}" for name, value in about.items() if value) or "every error"
    if until_ms is None:
        click.echo(f"no longer sampled: {shown}")
    else:
        click.echo(f"sampled at {rule.ratio:g} until {wire.rfc3339(until_ms)}: {shown}")
