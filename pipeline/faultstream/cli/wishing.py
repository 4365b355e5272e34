"""What the commands share that wish something of respond: their options, and what they say.
The wish itself goes by transport.wishes."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import Any, Final

import click

from faultstream.cli.duration import DURATION, now_ms
from faultstream.cli.steering import who
from faultstream.cli.where import place
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.core.controls import Wish, ask
from faultstream.core.errors import DataError
from faultstream.core.machine import OVER
from faultstream.core.records import Control, Incident
from faultstream.core.report.text import clean
from faultstream.transport import wishes
from faultstream.transport.wishes import Asked

MOST_SHOWN: Final = 6


def asking(function: Callable[..., None]) -> Callable[..., None]:
    """Adds --by, --reason, --wait, --no-wait, --brokers and --topology to a command, which gets
    them as `one`."""

    @click.option("--by", default="", help="Who asks; the user of the system by default.")
    @click.option("--reason", default="", help="Why, for those who read it later.")
    @click.option(
        "--wait",
        "wait_ms",
        type=DURATION,
        default="10s",
        show_default=True,
        help="How long to wait for the answer.",
    )
    @click.option("--no-wait", is_flag=True, help="Do not wait for the answer.")
    @place
    @wraps(function)
    def command(
        *arguments: Any,
        by: str,
        reason: str,
        wait_ms: int,
        no_wait: bool,
        brokers: str | None,
        file: Path | None,
        **more: Any,
    ) -> None:
        settings = Settings.from_env()
        one = Asked(
            by=by or who(),
            reason=reason,
            wait_ms=0 if no_wait else wait_ms,
            brokers=brokers or settings.brokers,
            topology=load(file or settings.topology),
        )
        function(*arguments, one=one, **more)

    return command


async def meant(one: Asked, prefix: str) -> Incident:
    """The incident that `prefix` begins the id of, or of one of its commands. Ends the command with
    1 when there is none, with 2 when there are several."""
    prefix = prefix.lower()
    if not prefix:
        _end("name an incident, or the beginning of its id", 2)
    found = await wishes.meant(one, prefix)
    if not found:
        _end(f"no incident {prefix!r} is known; `faultstream incidents --all` lists them", 1)
    if len(found) > 1:
        shown = "\n".join(told_of(each) for each in found[:MOST_SHOWN])
        _end(f"{len(found)} incidents begin with {prefix!r}:\n{shown}", 2)
    return found[0]


def told_of(incident: Incident) -> str:
    """The id of an incident, and below it how it stands, as wide as the terminal."""
    stands = f"{clean(incident.root)} {incident.state}: {clean(incident.reason)}"
    wide = max(40, get_terminal_size().columns)
    return f"{incident.incident_id}\n" + fill(
        stands, wide, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
    )


def must_be_open(incident: Incident) -> None:
    """Ends the command with 1 when the incident is over."""
    if incident.state in OVER:
        _end(f"it is over: {told_of(incident)}", 1)


def wished(one: Asked, wish: Wish, environment: str) -> Control:
    """The record of a wish, now. Ends the command with 2 when it says too little."""
    try:
        return ask(wish, environment=environment, by=one.by, reason=one.reason, now_ms=now_ms())
    except DataError as exc:
        raise click.UsageError(exc.reason) from exc


def told(one: Asked, answer: Incident | None, before: Incident | None = None) -> None:
    """Says what came of it. Ends the command with 1 when an answer was waited for in vain."""
    if answer is None:
        if not one.wait_ms:
            click.echo("published; not waited for")
            return
        waited = f"no answer within {one.wait_ms / 1000:g} s"
        _end(f"published, but {waited}: does `faultstream worker respond` run?", 1)
        return
    click.echo(told_of(answer))
    known = {each.command_id for each in before.attempts} if before else set()
    for attempt in answer.attempts:
        if attempt.command_id not in known:
            click.echo(f"  command {attempt.command_id} {attempt.strategy}: {attempt.outcome}")


def _end(message: str, code: int) -> None:
    click.echo(message, err=True)
    raise click.exceptions.Exit(code)
