"""`faultstream shadow`: what a candidate topology would do differently, on recorded events."""

from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Final

import click
import msgspec

from faultstream import wire
from faultstream.cli import offline
from faultstream.cli.detect import Run, in_order, last_revisions
from faultstream.cli.respond import run as respond
from faultstream.cli.respond import time_of
from faultstream.core.differences import KINDS, Change, Ran, compare
from faultstream.core.event import ErrorEvent
from faultstream.core.grouping import Grouper
from faultstream.core.policy import Topology
from faultstream.core.records import Incident, Pattern, RecoveryCommand

EXIT_DIFFERENT: Final = 1
_SHOWN: Final = 10


@click.command("shadow")
@click.argument("candidate", type=click.Path(path_type=Path, dir_okay=False))
@offline.source
@offline.topology
@click.option("--json", "as_json", is_flag=True, help="All differences as one JSON object.")
@click.option(
    "--accept", multiple=True, type=click.Choice(KINDS),
    help="A kind of difference that is meant; it does not count for the exit code. Repeatable.",
)  # fmt: skip
@click.option(
    "--show", "shown", type=click.IntRange(0, 10_000), default=_SHOWN, show_default=True,
    help="How many differences of each kind to list.",
)  # fmt: skip
def command(
    *,
    candidate: Path,
    file: IO[bytes],
    topology_file: Path | None,
    as_json: bool,
    accept: tuple[str, ...],
    shown: int,
) -> None:
    """Say what the topology CANDIDATE would do differently on the error events in FILE.

    Both topologies classify, group, detect and respond to the same events; nothing is connected
    to and nothing is commanded, so each command counts as never answered. Differences are verdicts
    that change, groups that are split or merged, patterns that only one of them opens, and
    incidents and commands that would differ. Exits with 0 when there is none but accepted ones,
    with 1 when there is, or when there were bad lines.

    \b
    Example:  faultstream shadow candidate.yaml yesterday.jsonl
              faultstream shadow new.yaml --topology now.yaml --accept verdicts < errors.jsonl
    """
    now, wanted = offline.load_topology(topology_file), offline.load_topology(candidate)
    lines = offline.Lines(file)
    events = in_order(lines)
    found = compare(ran(now, events), ran(wanted, events))
    if as_json:
        plain = {kind: [msgspec.to_builtins(one) for one in found[kind]] for kind in KINDS}
        click.echo(wire.dumps({"events": len(events), "differences": plain}))
    else:
        _print(found, len(events), accept, shown)
    lines.end()
    if any(found[kind] for kind in KINDS if kind not in accept):
        raise click.exceptions.Exit(EXIT_DIFFERENT)


def ran(topology: Topology, events: Iterable[ErrorEvent]) -> Ran:
    """What a topology makes of events in order of their time."""
    events = list(events)
    group = Grouper(topology).group
    told: list[Pattern] = list(Run(topology).patterns(events))
    incidents: dict[str, Incident] = {}
    commands: list[RecoveryCommand] = []
    for made in respond(topology, sorted(told, key=time_of)):
        if isinstance(made, Incident):
            incidents[made.incident_id] = made
        elif isinstance(made, RecoveryCommand):
            commands.append(made)
        elif isinstance(made, Pattern):
            told.append(made)
    return Ran(
        groups={event.event_id: group(event) for event in events},
        patterns=last_revisions(told),
        incidents=list(incidents.values()),
        commands=commands,
    )


def _print(
    found: dict[str, list[Change]], events: int, accept: tuple[str, ...], shown: int
) -> None:
    for kind, changes in found.items():
        state = " (accepted)" if kind in accept and changes else ""
        many = "1 difference" if len(changes) == 1 else f"{len(changes) or 'no'} differences"
        click.echo(f"{kind}: {many}{state}")
        for one in changes[:shown]:
            click.echo(f"  {one.what}" + (f" at {wire.rfc3339(one.at_ms)}" if one.at_ms else ""))
            click.echo(f"    now {_words(one.current)}; then {_words(one.candidate)}{_of(one)}")
        if len(changes) > shown:
            click.echo(f"  and {len(changes) - shown} more")
    click.echo(f"{events} events")


def _words(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {part if part != '' else '-'}" for name, part in value.items())
    if isinstance(value, list):
        return " ".join(str(part) for part in value)
    return str(value)


def _of(one: Change) -> str:
    return f"; {one.count} times, as in {one.example}" if one.example and one.count > 1 else ""
