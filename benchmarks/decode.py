"""What typed decoding of one error event costs beside untyped decoding.

    python benchmarks/decode.py [--events 200000] [--rounds 5]

Prints microseconds of CPU an event, the median of interleaved rounds, and the ratio to
orjson.loads. Trust the ratios; the machine is noisy.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import msgspec
import orjson

from faultstream.core.event import ErrorEvent
from faultstream.formats.native import admit

EVENT = orjson.dumps(
    {
        "event_id": "01990f3e-7a51-7c3e-9a50-3d2f6f1f9b10",
        "time": "2026-11-22T02:01:39.120Z",
        "service": "payments",
        "environment": "production",
        "layer": "service",
        "instance": "payments-3",
        "release": "2026.11.4",
        "operation": "charge",
        "error_type": "sqlalchemy.exc.OperationalError",
        "message": "could not connect to server at 10.2.3.4 port 5432: timeout after 5000 ms",
        "severity": "critical",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
        "tags": {"region": "north", "shard": "7"},
    }
)


def checked(loads: Callable[[bytes], dict[str, object]]) -> Callable[[bytes], object]:
    """Untyped decoding plus the checks that the struct makes for the same fields."""
    texts = ("service", "error_type", "environment", "layer", "message", "severity", "release")

    def decode(value: bytes) -> object:
        event = loads(value)
        for name in texts:
            if not isinstance(event.get(name, ""), str):
                raise TypeError(name)
        if not isinstance(event.get("count", 1), int):
            raise TypeError("count")
        return event

    return decode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    typed = msgspec.json.Decoder(ErrorEvent).decode
    contestants: dict[str, Callable[[bytes], object]] = {
        "orjson.loads": orjson.loads,
        "orjson.loads and checks": checked(orjson.loads),
        "json.loads": json.loads,
        "json.loads and checks": checked(json.loads),
        "msgspec into ErrorEvent": typed,
        "admit (limits, time, scrub)": lambda value: admit(value, timestamp_ms=0),
    }
    seen: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, decode in contestants.items():
            start = time.process_time()
            for _ in range(options.events):
                decode(EVENT)
            seen[name].append((time.process_time() - start) / options.events * 1e6)
    base = statistics.median(seen["orjson.loads"])
    print(f"{'decoder':32}{'us/event':>10}{'ratio':>8}")
    for name, values in seen.items():
        cost = statistics.median(values)
        print(f"{name:32}{cost:10.2f}{cost / base:8.1f}")


if __name__ == "__main__":
    main()
