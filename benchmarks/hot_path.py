"""What one event costs on the hot path: decode, classify, fingerprint, tally.

    python benchmarks/hot_path.py [--events 20000] [--rounds 5]

Prints microseconds of CPU an event, the median of interleaved rounds, and the ratio to
orjson.loads of the same events: first the parts for one event, then the whole way for several kinds
of traffic, all known to the memos as in a running worker. The worst records are in hostile.py.
Judging and saving are not in it: they cost per chunk, not per event. Trust the ratios; the machine
is noisy.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import cycle
from typing import Any

import orjson
from decode import EVENT  # type: ignore[import-not-found]  # beside this script

from faultstream.config.topology import load
from faultstream.core.classify import Classifier
from faultstream.core.detect import Detect
from faultstream.core.grouping import Grouper, group_of
from faultstream.core.policy import Topology
from faultstream.formats.native import admit
from faultstream.formats.shapes import Shapes
from faultstream.wire import parse_time, rfc3339

NOW_MS = parse_time("2026-11-22T02:01:40Z")


def cpu_us(step: Callable[[], object], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        step()
    return (time.process_time() - start) / times * 1e6


def way(topology: Topology) -> Callable[[bytes], object]:
    """The whole hot path for a record's value, as stream/detect.py goes it."""
    look, detect = Shapes(Grouper(topology)).look, Detect(topology)
    state = detect.new("production", "payments")
    observe = detect.observe

    def step(value: bytes) -> object:
        event, group = look(value, NOW_MS)
        return observe(state, event, group, event.event_id, NOW_MS)

    return step


def traffic() -> dict[str, list[bytes]]:
    """Kinds of events by name; in all but the first, ids and times differ from event to event."""
    plain: dict[str, Any] = orjson.loads(EVENT)
    frames = [
        {"module": f"shop.part{n}", "function": "step", "file": f"/app/shop/part{n}.py", "line": n}
        for n in range(20)
    ]
    kinds: dict[str, Callable[[int], dict[str, Any]]] = {
        "ids, times, numbers vary": lambda n: {
            "message": f"could not connect to server at 10.2.3.{n % 250} port 5432: timeout"
            f" after {5000 + n} ms"
        },
        "and letters of an id vary": lambda n: {
            "message": f"order {n * 7919:08x}-0a1b-4c2d-8e3f-{n:012x} lost"
        },
        "and a code among the numbers": lambda n: {
            "message": f"upstream answered HTTP 503 for order {n} after {5000 + n} ms"
        },
        "and 20 frames": lambda n: {"frames": frames, "message": f"order {n} not found"},
        "and a cause": lambda n: {
            "causes": [{"error_type": "OSError", "message": f"[Errno 111] refused by node {n % 9}"}]
        },
    }
    made = {"the same event again": [EVENT]}
    for name, changes in kinds.items():
        made[name] = [
            orjson.dumps(
                plain
                | {
                    "event_id": f"01990f3e-7a51-7c3e-9a50-{n:012x}",
                    "time": rfc3339(NOW_MS + n % 3_000),
                    "trace_id": f"{n * 7919:032x}",
                    **changes(n),
                }
            )
            for n in range(3_000)
        ]
    return made


def measured(steps: dict[str, tuple[Callable[[], object], int]], rounds: int) -> dict[str, float]:
    """Microseconds of CPU a call: the median of interleaved rounds."""
    seen: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, (step, times) in steps.items():
            seen[name].append(cpu_us(step, times))
    return {name: statistics.median(values) for name, values in seen.items()}


def parts(topology: Topology, events: int, rounds: int) -> None:
    """Print what the parts cost for one event."""
    group, classifier, detect = Grouper(topology).group, Classifier(topology), Detect(topology)
    event = admit(EVENT, timestamp_ms=NOW_MS)
    its, state = group(event), detect.new("production", "payments")
    costs = measured(
        {
            "orjson.loads": (lambda: orjson.loads(EVENT), events),
            "decode (admit)": (lambda: admit(EVENT, timestamp_ms=NOW_MS), events),
            "classify and fingerprint (group)": (lambda: group(event), events),
            "tally (observe)": (
                lambda: detect.observe(state, event, its, event.event_id, NOW_MS),
                events,
            ),
            "group, computed afresh": (lambda: group_of(event, classifier), events // 100),
        },
        rounds,
    )
    base = costs["orjson.loads"]
    print(f"{'part':34}{'us/event':>10}{'ratio':>8}")
    for name, cost in costs.items():
        print(f"{name:34}{cost:10.2f}{cost / base:8.2f}")


def over(step: Callable[[bytes], object], values: list[bytes]) -> Callable[[], object]:
    """A call of `step` with the next of `values`, round and round."""
    source = cycle(values)
    return lambda: step(next(source))


def whole(topology: Topology, events: int, rounds: int) -> None:
    """Print what the whole way costs, by kind of traffic."""
    steps: dict[str, tuple[Callable[[], object], int]] = {}
    kinds = traffic()
    for name, values in kinds.items():
        step = way(topology)
        for value in values:
            step(value)
        steps[f"orjson.loads {name}"] = (over(orjson.loads, values), events)
        steps[name] = (over(step, values), events)
    costs = measured(steps, rounds)
    print(f"\n{'the whole way':34}{'us/event':>10}{'ratio':>8}")
    for name in kinds:
        cost = costs[name]
        print(f"{name:34}{cost:10.2f}{cost / costs[f'orjson.loads {name}']:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    topology = load(None)
    parts(topology, options.events, options.rounds)
    whole(topology, options.events, options.rounds)


if __name__ == "__main__":
    main()
