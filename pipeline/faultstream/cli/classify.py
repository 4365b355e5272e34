"""`faultstream classify`: the classifier on a file of error events."""

from pathlib import Path
from typing import IO

import click

from faultstream import wire
from faultstream.cli import offline
from faultstream.core.event import ErrorEvent
from faultstream.core.grouping import Grouper
from faultstream.formats.native import admit


@click.command("classify")
@offline.source
@offline.target
@offline.topology
def command(file: IO[bytes], output: IO[bytes], topology_file: Path | None) -> None:
    """Classify error events: JSON Lines in, one verdict a line out.

    A verdict has event_id (null where the event has none), domain, category, severity, transient,
    confidence (0..1), rule (what decided) and http_status. Bad lines are told on standard
    error; then the exit code is 1.

    \b
    Example:  faultstream classify errors.jsonl | head
              echo '{"service": "a", "error_type": "KeyError"}' | faultstream classify
    """
    group = Grouper(offline.load_topology(topology_file)).group
    lines = offline.Lines(file)

    def decode(line: bytes) -> ErrorEvent:
        return admit(line, timestamp_ms=0)

    for _, event in lines.read(decode):
        verdict = group(event).verdict
        plain = {
            "event_id": event.event_id or None,
            "domain": verdict.domain,
            "category": verdict.category,
            "severity": verdict.severity,
            "transient": verdict.transient,
            "confidence": verdict.confidence,
            "rule": verdict.rule,
            "http_status": verdict.http_status,
        }
        output.write(wire.dumps(plain) + b"\n")
    lines.end()
