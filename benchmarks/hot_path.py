"""What one event costs on the hot path: admit and group, beside decoding alone.

    python benchmarks/hot_path.py [--events 20000] [--rounds 5]

Prints microseconds of CPU an event, the median of interleaved rounds, and the ratio to
orjson.loads of the same event; then the slowest of a set of hostile messages of 64 KiB. Trust the
ratios; the machine is noisy.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import cycle

import orjson
from decode import EVENT  # type: ignore[import-not-found]  # beside this script

from faultstream.config.topology import load
from faultstream.core.classify import Classifier
from faultstream.core.grouping import Grouper, group_of
from faultstream.formats.native import admit

SIZE = 65_536
HOSTILE = ("a", "1", "a1", "/", "/a", ":", "::1", "<", "\n", " ", "a@", "http://", "x=", "user ",
           "password=", "eyJ", "for a from ", "0-", "f", "[:", "token:", "Bearer ", "://a:", "1 ",
           "AKIA", "é", "a.", "$$", "4111 ", "%s{}[]()")  # fmt: skip


def cpu_us(step: Callable[[], object], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        step()
    return (time.process_time() - start) / times * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    topology = load(None)
    group = Grouper(topology).group
    classifier = Classifier(topology)
    plain = orjson.loads(EVENT)
    event = admit(EVENT, timestamp_ms=0)
    named = [
        admit(
            orjson.dumps(plain | {"message": f"order {n * 7919:08x}-0a1b-4c2d-8e3f-{n:012x} lost"}),
            timestamp_ms=0,
        )
        for n in range(5_000)
    ]
    stack = [{"module": f"shop.part{n}", "function": "step", "line": n} for n in range(20)]
    deep = admit(orjson.dumps(plain | {"frames": stack}), timestamp_ms=0)
    ids = cycle(named)
    steps: dict[str, tuple[Callable[[], object], int]] = {
        "orjson.loads": (lambda: orjson.loads(EVENT), 1),
        "admit": (lambda: admit(EVENT, timestamp_ms=0), 1),
        "group, known": (lambda: group(event), 1),
        "group, known, 20 frames": (lambda: group(deep), 2),
        "group, known but for its ids": (lambda: group(next(ids)), 4),
        "group, computed afresh": (lambda: group_of(event, classifier), 100),
    }
    seen: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.rounds):
        for name, (step, share) in steps.items():
            seen[name].append(cpu_us(step, max(1, options.events // share)))
    base = statistics.median(seen["orjson.loads"])
    print(f"{'step':32}{'us/event':>10}{'ratio':>8}")
    for name, values in seen.items():
        cost = statistics.median(values)
        print(f"{name:32}{cost:10.2f}{cost / base:8.2f}")
    slowest: dict[str, tuple[float, str]] = {"admit": (0.0, ""), "group": (0.0, "")}
    for piece in HOSTILE:
        message = (piece * (SIZE // len(piece) + 1))[:SIZE]
        value = orjson.dumps(plain | {"message": message})
        admitted = admit(value, timestamp_ms=0)
        costs = {
            "admit": min(cpu_us(partial(admit, value, timestamp_ms=0), 1) for _ in range(3)),
            "group": min(cpu_us(partial(group_of, admitted, classifier), 1) for _ in range(3)),
        }
        for name, cost in costs.items():
            slowest[name] = max(slowest[name], (cost, piece))
    for name, (cost, piece) in slowest.items():
        shown = f"{cost / 1000:.1f} ms ({cost / base:.0f} x)"
        print(f"slowest hostile {name}: {shown}, {piece!r} repeated")


if __name__ == "__main__":
    main()
