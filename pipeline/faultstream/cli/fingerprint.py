"""`faultstream fingerprint`: grouping on a file of error events or bare log messages."""

from typing import IO, Any

import click

from faultstream import wire
from faultstream.cli import offline
from faultstream.core.event import MAX_MESSAGE_CHARS, ErrorEvent
from faultstream.core.fingerprint import Fingerprint, Part, fingerprint
from faultstream.core.scrub import scrub_text
from faultstream.core.template import template
from faultstream.formats.native import admit, left_out


@click.command("fingerprint")
@offline.source
@offline.target
@click.option("--explain", is_flag=True, help="Add what the fingerprint is made of, and why.")
@click.option("--plain", is_flag=True, help="The input is bare log messages, one a line.")
def command(file: IO[bytes], output: IO[bytes], *, explain: bool, plain: bool) -> None:
    """Group error events: JSON Lines in, one fingerprint a line out.

    A line has event_id (null where the event has none), fingerprint, system_fingerprint, version
    and template. Equal fingerprints are one problem, on any machine. An explanation also says how
    many characters of which fields were too many to be looked at. Bad lines are told on standard
    error; then the exit code is 1.

    \b
    Example:  faultstream fingerprint --explain errors.jsonl
              tail -1000 app.log | faultstream fingerprint --plain
    """
    lines = offline.Lines(file)
    for _, (event, cut) in lines.read(_plain if plain else _event):
        output.write(wire.dumps(_told(event, cut, explain=explain)) + b"\n")
    lines.end()


def _event(line: bytes) -> tuple[ErrorEvent, dict[str, int]]:
    """The event, and how many characters of each field were left out."""
    event = admit(line, timestamp_ms=0)
    return event, left_out(line) if event.cut else {}


def _plain(line: bytes) -> tuple[ErrorEvent, dict[str, int]]:
    text = line.decode("utf-8", "replace")
    message = scrub_text(text[:MAX_MESSAGE_CHARS])
    cut = len(text) - MAX_MESSAGE_CHARS
    event = ErrorEvent(service="plain", error_type="log", message=message)
    return event, {"message": cut} if cut > 0 else {}


def _told(event: ErrorEvent, cut: dict[str, int], *, explain: bool) -> dict[str, Any]:
    found: Fingerprint = fingerprint(event, template(event.message))
    told: dict[str, Any] = {
        "event_id": event.event_id or None,
        "fingerprint": found.app,
        "system_fingerprint": found.system,
        "version": found.version,
        "template": found.template,
    }
    if explain:
        told["explain"] = {
            "app": [_part(part) for part in found.parts],
            "system": [_part(part) for part in found.system_parts],
        }
        if cut:
            told["explain"]["cut"] = cut
    return told


def _part(part: Part) -> dict[str, Any]:
    return {"part": part.name, "values": part.values, "counts": part.counts, "hint": part.hint}
