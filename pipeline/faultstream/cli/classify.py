"""`faultstream classify`: the classifier on a file of error events."""

from pathlib import Path
from typing import IO, Any

import click

from faultstream import wire
from faultstream.cli import offline
from faultstream.core.classify import Classifier
from faultstream.core.event import ErrorEvent
from faultstream.core.grouping import Grouper
from faultstream.core.template import template
from faultstream.formats.native import admit


@click.command("classify")
@offline.source
@offline.target
@offline.topology
@click.option("--explain", is_flag=True, help="Add what was weighed, and what decided.")
def command(
    file: IO[bytes], output: IO[bytes], topology_file: Path | None, *, explain: bool
) -> None:
    """Classify error events: JSON Lines in, one verdict a line out.

    A verdict has event_id (null where the event has none), domain, category, severity, transient,
    confidence (0..1), rule (what decided) and http_status. With --explain it has `evidence` too: in
    the order in which it counts, kind, rule, category, confidence, the name or words that say it
    (told), and whether it decided. Bad lines are told on standard
    error; then the exit code is 1.

    \b
    Example:  faultstream classify errors.jsonl | head
              echo '{"service": "a", "error_type": "KeyError"}' | faultstream classify
    """
    topology = offline.load_topology(topology_file)
    group, classifier = Grouper(topology).group, Classifier(topology)
    lines = offline.Lines(file)

    def decode(line: bytes) -> ErrorEvent:
        return admit(line, timestamp_ms=0)

    for _, event in lines.read(decode):
        verdict = group(event).verdict
        plain: dict[str, Any] = {
            "event_id": event.event_id or None,
            "domain": verdict.domain,
            "category": verdict.category,
            "severity": verdict.severity,
            "transient": verdict.transient,
            "confidence": verdict.confidence,
            "rule": verdict.rule,
            "http_status": verdict.http_status,
        }
        if explain:
            plain["evidence"] = _told(classifier, event)
        output.write(wire.dumps(plain) + b"\n")
    lines.end()


def _told(classifier: Classifier, event: ErrorEvent) -> list[dict[str, Any]]:
    chosen, seen = classifier.explain(event, template(event.message))
    return [
        {
            "kind": one.kind,
            "rule": one.spec.rule,
            "category": one.spec.category,
            "confidence": one.confidence,
            "told": one.told,
            "decided": one is chosen,
        }
        for one in seen
    ]
