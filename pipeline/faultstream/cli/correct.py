"""`faultstream correct`: say what an error is, against the verdict of the rules."""

import asyncio
from pathlib import Path
from typing import Any, cast

import click

from faultstream import wire
from faultstream.cli.duration import DURATION, now_ms
from faultstream.cli.steering import Desk, steering
from faultstream.cli.where import place
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.core.corrections import Correct, correct_of, correction
from faultstream.core.errors import DataError
from faultstream.core.group import CATEGORIES, Category
from faultstream.core.records import Control
from faultstream.core.severity import SEVERITIES, Severity
from faultstream.transport.wishes import standing

DEFAULT_MS = 30 * 86_400_000
DAY_MS = 86_400_000


@click.group("correct")
def command() -> None:
    """Correct the category, severity or transience of errors, by fingerprint or type.

    Corrections hold for events whose own time is not before they were set, in every detect and
    record worker; what was decided before stays. Then mend the rules, and let them expire.

    \b
    Example:  faultstream correct set --type shop.Oops --category business --severity low
              faultstream correct list
              faultstream correct remove --type shop.Oops
    """


about = click.option("--fingerprint", default="", help="This problem.")
kind = click.option("--type", "error_type", default="", help="This error type.")


@command.command("set")
@about
@kind
@click.option("--category", type=click.Choice(CATEGORIES), help="What it is.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="How bad it is.")
@click.option("--transient/--lasting", default=None, help="Whether it may pass by itself.")
@click.option("--for", "length_ms", type=DURATION, help="2h, 7d, ...; 30d by default.")
@click.option("--since", "since_ms", type=DURATION, help="Also for events of the last 2h, 1d, ...")
@steering
def set_(
    fingerprint: str,
    error_type: str,
    *,
    category: str | None,
    severity: str | None,
    transient: bool | None,
    length_ms: int | None,
    since_ms: int | None,
    desk: Desk,
) -> None:
    """Set what errors with that fingerprint or of that type are.

    \b
    Example:  faultstream correct set --type shop.Oops --category business --for 7d
    """
    right = Correct(
        fingerprint=fingerprint,
        error_type=error_type,
        category=cast("Category | None", category),
        severity=cast("Severity | None", severity),
        transient=transient,
    )
    now = now_ms()
    until_ms = now + (length_ms or DEFAULT_MS)
    desk.publish(_record(right, desk, now, until_ms=until_ms, since_ms=now - (since_ms or 0)))
    click.echo(f"corrected in {desk.where} until {wire.rfc3339(until_ms)}: {_shown(right)}")


@command.command("remove")
@about
@kind
@steering
def remove(fingerprint: str, error_type: str, *, desk: Desk) -> None:
    """Take a correction back: the rules decide again.

    \b
    Example:  faultstream correct remove --type shop.Oops
    """
    right = Correct(fingerprint=fingerprint, error_type=error_type)
    desk.publish(_record(right, desk, now_ms(), until_ms=None, active=False))
    click.echo(f"no longer corrected in {desk.where}: {right.about()}")


@command.command("list")
@place
def list_(brokers: str | None, file: Path | None) -> None:
    """List the corrections in force, one JSON object a line.

    \b
    Example:  faultstream correct list
    """
    settings = Settings.from_env()
    topology = load(file or settings.topology)
    found = standing(brokers or settings.brokers, topology, "correct", now_ms(), correct_of)
    for control in asyncio.run(found):
        plain: dict[str, Any] = {
            "subject": control.subject,
            "environment": control.environment,
            **control.parameters,
            "by": control.by,
            "reason": control.reason,
            "since": wire.rfc3339(control.set_at_ms),
            "until": None if control.until_at_ms is None else wire.rfc3339(control.until_at_ms),
        }
        click.echo(wire.dumps(plain))


def _record(
    right: Correct,
    desk: Desk,
    now: int,
    *,
    until_ms: int | None,
    since_ms: int | None = None,
    active: bool = True,
) -> Control:
    try:
        return correction(
            right,
            environment=desk.environment,
            by=desk.by,
            reason=desk.reason,
            now_ms=now,
            until_ms=until_ms,
            since_ms=since_ms,
            active=active,
        )
    except DataError as exc:
        raise click.UsageError(exc.reason) from exc


def _shown(right: Correct) -> str:
    lasting = {None: "", True: " transient", False: " lasting"}[right.transient]
    parts = [one for one in (right.category, right.severity, lasting.strip()) if one]
    return f"{right.about()} is {', '.join(parts)}"
