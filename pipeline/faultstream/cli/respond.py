"""`faultstream respond`: what would be commanded, from files of patterns and results."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import click

from faultstream import wire
from faultstream.cli import offline
from faultstream.core.errors import DataError
from faultstream.core.policy import Topology
from faultstream.core.records import (
    Control,
    Incident,
    Pattern,
    Record,
    RecoveryCommand,
    RecoveryResult,
)
from faultstream.core.respond import EnvironmentState, Output, Respond, Tick

TICK_MS: Final = 1_000
_MAX_TICKS: Final = 3_600

Given = Pattern | RecoveryResult | Control


@click.command("respond")
@offline.source
@offline.target
@offline.topology
def command(file: IO[bytes], output: IO[bytes], topology_file: Path | None) -> None:
    """Say what would be commanded: Patterns and RecoveryResults in, one object a line out.

    Each output has a `type`: incident, command, pattern or notification. The clock is that of the
    records, which are put in order of their time; deadlines pass once a second between them.
    Nothing is sent anywhere. Bad lines are told on standard error; then the exit code is 1.

    \b
    Example:  faultstream detect errors.jsonl | faultstream respond
    """
    topology = offline.load_topology(topology_file)
    lines = offline.Lines(file)
    given = [one for _, one in lines.read(decode)]
    for made in run(topology, sorted(given, key=time_of)):
        output.write(wire.dumps({"type": type_of(made), **wire.to_dict(made)}) + b"\n")
    lines.end()


def decode(line: bytes) -> Given:
    """The Pattern, RecoveryResult or Control in a line, told apart by the id it has.

    Raises:
        DataError: it is none of them.
    """
    try:
        plain: Any = wire.loads(line)
    except ValueError as exc:
        raise DataError("decode", f"not JSON: {exc}") from exc
    if not isinstance(plain, dict):
        raise DataError("decode", f"expected a JSON object, got {type(plain).__name__}")
    kinds: dict[str, type[Given]] = {
        "pattern_id": Pattern,
        "result_id": RecoveryResult,
        "control_id": Control,
    }
    for name, kind in kinds.items():
        if name in plain:
            return wire.from_dict(kind, plain)
    raise DataError("validate", "expected a pattern_id, a result_id or a control_id")


def time_of(one: Given) -> int:
    """When a record was said, in its own time."""
    if isinstance(one, Pattern):
        if one.closed_at_ms is not None:
            return one.closed_at_ms
        return one.detected_at_ms if one.state == "open" else one.last_at_ms
    return one.finished_at_ms if isinstance(one, RecoveryResult) else one.set_at_ms


def type_of(made: Record) -> str:
    """The `type` of an output."""
    if isinstance(made, Incident):
        return "incident"
    if isinstance(made, Pattern):
        return "pattern"
    return "command" if isinstance(made, RecoveryCommand) else "notification"


def run(topology: Topology, given: Iterable[Given]) -> Iterator[Output]:
    """Everything that follows from records in order of their time."""
    respond = Respond(topology)
    states: dict[str, EnvironmentState] = {}
    controls: list[Control] = []
    now = 0
    for one in given:
        until = time_of(one)
        yield from _wait(respond, states, now, until)
        now = max(now, until)
        if isinstance(one, Control) and not one.environment:
            controls.append(one)
            for state in states.values():
                yield from respond.step(state, one, now)
            continue
        environment = one.environment or topology.environment
        if environment not in states:
            states[environment] = respond.new(environment)
            for control in controls:
                yield from respond.step(states[environment], control, now)
        yield from respond.step(states[environment], one, now)


def _wait(
    respond: Respond, states: dict[str, EnvironmentState], now: int, until: int
) -> Iterator[Output]:
    for _ in range(_MAX_TICKS):
        now += TICK_MS
        waiting = [state for state in states.values() if respond.wants_tick(state)]
        if now >= until or not waiting:
            break
        for state in waiting:
            yield from respond.step(state, Tick(now), now)
