"""Cost: what one event costs on the hot path, as a multiple of orjson.loads of the same event.

The memos know the event's kind, as in a running worker. Judging and saving cost per chunk, not per
event, and are not in it. The medians of interleaved rounds are compared, so that a busy machine
slows both down.
"""

import statistics
import time
from collections.abc import Callable
from itertools import cycle
from typing import Final

import orjson

from faultstream.core.detect import Detect
from faultstream.core.grouping import Grouper
from faultstream.core.policy import Topology
from faultstream.formats.shapes import Shapes
from faultstream.quality.section import Section, Table, Task
from faultstream.simulate.goals import below
from faultstream.wire import rfc3339

WANTED: Final = 5.0 / 1.5
_START_MS: Final = 1_795_312_900_000
_KINDS: Final = 1_000
_EVENTS: Final = 3_000
_ROUNDS: Final = 15


def measure(task: Task) -> Section:
    """Microseconds of CPU an event, and the ratio."""
    values = [_event(number) for number in range(_KINDS)]
    way = hot_path(task.topology)
    for value in values:
        way(value)
    steps: dict[str, Callable[[bytes], object]] = {"orjson.loads": orjson.loads, "hot path": way}
    seen: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(_ROUNDS):
        for name, step in steps.items():
            seen[name].append(_cpu_us(step, values))
        task.tell(f"cost: round {number + 1} of {_ROUNDS}")
    base, cost = (statistics.median(seen[name]) for name in steps)
    return Section(
        says="Decode, classify, fingerprint and tally one event, ids and numbers in it varying.",
        figures={
            "loads_us": base,
            "hot_path_us": cost,
            "ratio": cost / base,
            "wanted_ratio": WANTED,
        },
        tables=[
            Table(
                columns=("", "us/event", "ratio", "wanted"),
                rows=[
                    ("orjson.loads", f"{base:.2f}", "1.00", ""),
                    ("hot path", f"{cost:.2f}", f"{cost / base:.2f}", f"<= {WANTED:.2f}"),
                ],
            )
        ],
        notes=["Trust the ratio; microseconds are this machine's, busy as it is."],
        goals=[
            below("hot path as a multiple of orjson.loads", cost / base, WANTED, digits=2),
        ],
    )


def hot_path(topology: Topology) -> Callable[[bytes], object]:
    """The way of a record's value through a detect worker."""
    look, detect = Shapes(Grouper(topology)).look, Detect(topology)
    state = detect.new("production", "payments")

    def step(value: bytes) -> object:
        event, group = look(value, _START_MS)
        return detect.observe(state, event, group, event.event_id, _START_MS)

    return step


def _event(number: int) -> bytes:
    return orjson.dumps(
        {
            "event_id": f"01990f3e-7a51-7c3e-9a50-{number:012x}",
            "time": rfc3339(_START_MS + number % 3_000),
            "service": "payments",
            "environment": "production",
            "layer": "service",
            "instance": f"payments-{number % 5}",
            "release": "2026.11.4",
            "operation": "charge",
            "error_type": "sqlalchemy.exc.OperationalError",
            "message": f"could not connect to server at 10.2.3.{number % 250} port 5432: "
            f"timeout after {5_000 + number} ms",
            "severity": "critical",
            "trace_id": f"{number * 7919:032x}",
            "span_id": f"{number:016x}",
            "tags": {"region": "north", "shard": str(number % 9)},
        }
    )


def _cpu_us(step: Callable[[bytes], object], values: list[bytes]) -> float:
    source = cycle(values)
    start = time.process_time()
    for _ in range(_EVENTS):
        step(next(source))
    return (time.process_time() - start) / _EVENTS * 1e6
