"""`faultstream detect`: the detectors on a file of error events."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

import click

from faultstream import wire
from faultstream.cli import offline
from faultstream.core.detect import Detect, is_withdrawn
from faultstream.core.detect.roster import Roster
from faultstream.core.event import ErrorEvent
from faultstream.core.grouping import Grouper
from faultstream.core.ids import derive
from faultstream.core.policy import Topology
from faultstream.core.records import Pattern
from faultstream.core.watermark import Watermark
from faultstream.formats.native import admit

_END: Final = 1 << 53


@click.command("detect")
@offline.source
@offline.target
@offline.topology
@click.option("--final", is_flag=True, help="Only the last revision of each pattern.")
@click.option(
    "--as-it-comes",
    is_flag=True,
    help="Take the lines in their order, in bounded memory; those that are late are not used.",
)
def command(
    file: IO[bytes],
    output: IO[bytes],
    topology_file: Path | None,
    *,
    final: bool,
    as_it_comes: bool,
) -> None:
    """Find patterns in error events: JSON Lines in, one Pattern a line out.

    Events may come in any order; they are read to the end and put in order of their time first.
    An event without a time has that of the line before it. Bad lines are told on standard error;
    then the exit code is 1.

    \b
    Example:  faultstream detect --final errors.jsonl
              zcat yesterday.gz | faultstream detect --as-it-comes -o patterns.jsonl
    """
    topology = offline.load_topology(topology_file)
    lines = offline.Lines(file)
    run = Run(topology)
    events: Iterable[ErrorEvent] = _events(lines) if as_it_comes else in_order(lines)
    patterns = run.patterns(events)
    for pattern in last_revisions(patterns) if final else patterns:
        output.write(wire.encode(pattern) + b"\n")
    if run.late:
        click.echo(f"{run.late} late events were not used", err=True)
    lines.end()


def in_order(lines: offline.Lines) -> list[ErrorEvent]:
    """All events in order of their time; those without an id get one."""
    return sorted(_events(lines), key=lambda event: (event.time, event.event_id))


def _events(lines: offline.Lines) -> Iterator[ErrorEvent]:
    """Events with ids; those without one are named after their bytes, equal lines by number."""
    time_ms = 0
    seen: Counter[str] = Counter()

    def decode(line: bytes) -> ErrorEvent:
        event = admit(line, timestamp_ms=time_ms)
        if not event.event_id:
            content = derive("line", line.decode("utf-8", "replace"))
            seen[content] += 1
            event.event_id = derive("event", content, seen[content])
        return event

    for _, event in lines.read(decode):
        time_ms = int(event.time)
        yield event


def last_revisions(patterns: Iterable[Pattern]) -> list[Pattern]:
    """The last revision of each pattern, by time; withdrawn ones are left out."""
    last = {pattern.pattern_id: pattern for pattern in patterns}
    kept = [pattern for pattern in last.values() if not is_withdrawn(pattern)]
    return sorted(kept, key=lambda one: (one.first_at_ms, one.kind, one.pattern_id))


class Run:
    """Detection over a sequence of events, with one watermark for all of them."""

    def __init__(self, topology: Topology) -> None:
        self._policy = topology.detectors
        self._detect = Detect(topology)
        self._group = Grouper(topology).group
        self._roster = Roster(self._detect, topology.detectors.max_services_per_partition)
        self.late = 0

    def patterns(self, events: Iterable[ErrorEvent]) -> Iterator[Pattern]:
        """Every revision, as it would be published; at the end all episodes are let close."""
        mark = Watermark(self._policy)
        settled = mark.value_ms
        for event in events:
            state = self._roster.of(event.environment, event.service)
            time_ms = int(event.time or 0)
            if not self._detect.observe(state, event, self._group(event), event.event_id, time_ms):
                self.late += event.count
            mark.advance(time_ms, time_ms)
            yield from self._detect.judge(state, mark.value_ms)
            if mark.value_ms - settled >= self._policy.slot_ms:
                settled = mark.value_ms
                yield from self._tick(settled)
        ahead = self._policy.quiet_ms + self._policy.allowed_lateness_ms
        for step in range(0, ahead, self._policy.update_ms):
            yield from self._tick(mark.value_ms + step)
        yield from self._tick(_END)

    def _tick(self, watermark_ms: int) -> Iterator[Pattern]:
        for name, state in self._roster.every():
            if self._detect.due(state):
                yield from self._detect.judge(state, watermark_ms)
            if self._detect.idle(state, watermark_ms):
                self._roster.drop(name)
