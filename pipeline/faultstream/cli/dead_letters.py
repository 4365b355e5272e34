"""`faultstream dead-letters`: what was refused and why, and sending it again."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from faultstream import wire
from faultstream.cli.duration import DURATION, now_ms
from faultstream.cli.where import place
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.core.policy import Topology
from faultstream.transport import dead_letters
from faultstream.transport.dead_letters import Letter, Replayer
from faultstream.transport.topics import wait_for_broker

CONNECT_TIMEOUT_S: Final = 10.0
TAIL: Final = 1_000
MAX_ATTEMPTS: Final = 3
RATE: Final = 100.0

Wants = Callable[[Letter], bool]


def _filters(function: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--topic", help="Only from this original topic."),
        click.option("--stage", help="Only refused by this stage: decode, size, validate, ..."),
        click.option("--error-type", help="Only with this type of error."),
        click.option("--contains", help="Only with this text in the reason."),
        click.option("--since", type=DURATION, help="Only from the last 30s, 10m, 2h or 7d."),
    ):
        function = option(function)
    return function


@click.group("dead-letters")
def command() -> None:
    """List, show and replay the records that were refused.

    \b
    Example:  faultstream dead-letters list --since 1h
              faultstream dead-letters show 2:17
              faultstream dead-letters replay --stage decode --dry-run
    """


@command.command("list")
@place
@_filters
@click.option("-n", "count", default=20, show_default=True, help="How many, the newest first.")
@click.option("--all", "everything", is_flag=True, help="Look through the whole topic.")
def list_letters(
    brokers: str | None, file: Path | None, count: int, *, everything: bool, **filters: Any
) -> None:
    """List letters that were not replayed, newest first.

    Looks at the last 1000 of each partition unless --all is given. One JSON object a line when
    the output is no terminal.

    \b
    Example:  faultstream dead-letters list -n 50 --topic faultstream.errors.v1
    """
    brokers, topology = _where(brokers, file)
    tail = None if everything else max(TAIL, count)
    found = asyncio.run(_waiting(brokers, topology, _wants(**filters), tail))
    if not found:
        click.echo("no such letter" if any(filters.values()) else "no letters", err=True)
    for one in reversed(found[-count:]):
        if sys.stdout.isatty():
            when = _time(one.failed_ms) or str(one.failed_ms)
            source = f"{one.topic}[{one.original_partition}]@{one.original_offset}"
            click.echo(f"{one.place:<8} {when}  {source}  {one.stage}: {one.reason}")
        else:
            click.echo(json.dumps(_summary(one)))


@command.command("show")
@place
@click.argument("place")
def show(brokers: str | None, file: Path | None, place: str) -> None:
    """Show one letter with its headers and value, as JSON. PLACE is partition:offset.

    \b
    Example:  faultstream dead-letters show 2:17
    """
    brokers, topology = _where(brokers, file)
    one = asyncio.run(_fetch(brokers, topology, place))
    if one is None:
        raise click.ClickException(f"there is no letter at {place} (partition:offset)")
    full = _summary(one)
    full["headers"] = [[name, _text(value)] for name, value in one.headers]
    full["key"] = _text(one.key)
    full["value"] = _text(one.value)
    click.echo(json.dumps(full, indent=1, ensure_ascii=False))


@command.command("replay")
@place
@_filters
@click.option("--letter", "places", multiple=True, help="partition:offset; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="Needed to replay without any filter.")
@click.option("--limit", default=1000, show_default=True, help="At most this many, oldest first.")
@click.option("--rate", default=RATE, show_default=True, help="At most this many a second.")
@click.option(
    "--max-attempts",
    default=MAX_ATTEMPTS,
    show_default=True,
    help="Not what was refused this often already.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
def replay(
    brokers: str | None,
    file: Path | None,
    places: tuple[str, ...],
    *,
    limit: int,
    rate: float,
    max_attempts: int,
    everything: bool,
    dry_run: bool,
    **filters: Any,
) -> None:
    """Send letters to their original topics again, each once.

    Never sends a command that expired. Exit code 1 when a letter was not sent.

    \b
    Example:  faultstream dead-letters replay --stage validate --since 1d --dry-run
    """
    if not everything and not places and not any(filters.values()):
        raise click.UsageError("name a filter or --letter, or say --all")
    if rate <= 0 or limit < 1 or max_attempts < 1:
        raise click.UsageError("--rate, --limit and --max-attempts must be above 0")
    brokers, topology = _where(brokers, file)
    matches = _wants(**filters)

    def wants(one: Letter) -> bool:
        return (not places or one.place in places) and matches(one)

    held = asyncio.run(
        _replay(
            brokers,
            topology,
            wants,
            limit=limit,
            rate=rate,
            max_attempts=max_attempts,
            dry_run=dry_run,
        )
    )
    sys.exit(1 if held else 0)


async def _replay(
    brokers: str,
    topology: Topology,
    wants: Wants,
    *,
    limit: int,
    rate: float,
    max_attempts: int,
    dry_run: bool,
) -> int:
    """How many were held back; prints one line for each letter."""
    found = (await _waiting(brokers, topology, wants, None))[:limit]
    sent = held = 0
    async with Replayer(brokers, topology, rate=rate) as replayer:
        for light in found:
            one = await dead_letters.fetch(brokers, topology, light.place)
            if one is None:  # retention took it meanwhile
                continue
            now = now_ms()
            why = dead_letters.refusal(one, topology, max_attempts=max_attempts, now_ms=now)
            if why:
                held += 1
                click.echo(f"{one.place} held back: {why}")
            elif dry_run:
                sent += 1
                click.echo(f"{one.place} would go to {one.topic}")
            else:
                partition, offset = await replayer.send(one, now)
                sent += 1
                click.echo(f"{one.place} sent to {one.topic}[{partition}]@{offset}")
    click.echo(f"{sent} {'would be ' if dry_run else ''}sent, {held} held back", err=True)
    return held


async def _waiting(
    brokers: str, topology: Topology, wants: Wants, tail: int | None
) -> list[Letter]:
    await wait_for_broker(brokers, CONNECT_TIMEOUT_S)
    return await dead_letters.waiting(brokers, topology, wants, tail=tail)


async def _fetch(brokers: str, topology: Topology, place: str) -> Letter | None:
    await wait_for_broker(brokers, CONNECT_TIMEOUT_S)
    return await dead_letters.fetch(brokers, topology, place)


def _where(brokers: str | None, file: Path | None) -> tuple[str, Topology]:
    settings = Settings.from_env()
    return brokers or settings.brokers, load(file or settings.topology)


def _wants(
    topic: str | None,
    stage: str | None,
    error_type: str | None,
    contains: str | None,
    since: int | None,
) -> Wants:
    earliest_ms = 0 if since is None else now_ms() - since

    def wants(one: Letter) -> bool:
        return (
            one.failed_ms >= earliest_ms
            and (topic is None or one.topic == topic)
            and (stage is None or one.stage == stage)
            and (error_type is None or one.error_type == error_type)
            and (contains is None or contains in one.reason)
        )

    return wants


def _summary(one: Letter) -> dict[str, Any]:
    return {
        "letter": one.place,
        "failed_at": _time(one.failed_ms),
        "topic": one.topic,
        "partition": one.original_partition,
        "offset": one.original_offset,
        "stage": one.stage,
        "error_type": one.error_type,
        "reason": one.reason,
        "attempt": one.attempt,
        "first_failed_at": one.first_failed_at,
        "time": _time(one.time_ms),
    }


def _time(time_ms: int) -> str | None:
    """None for a producer's time outside the years that can be written."""
    try:
        return wire.rfc3339(time_ms)
    except (ValueError, OverflowError, OSError):
        return None


def _text(value: bytes | None) -> str | None:
    """UTF-8 as it is, other bytes as \\xNN."""
    return None if value is None else value.decode("utf-8", "backslashreplace")
