"""The loop one would write by hand: confluent-kafka, orjson, a dict. Nothing is durable.

    python bare.py BROKERS TOPIC GROUP (plain|typed)

`plain` parses with orjson and counts by (service, error_type, minute). `typed` reads only the
fields that it needs with msgspec. Prints how many records were counted so far.
"""

import sys
import time
from collections import Counter

import msgspec
import orjson
from confluent_kafka import Consumer

BATCH = 1000
WINDOW_MS = 60_000


class Event(msgspec.Struct, gc=False):
    """The fields that the count needs."""

    service: str
    error_type: str
    time: int


def plain(values: list[bytes], counts: Counter[tuple[str, str, int]]) -> None:
    """One batch with orjson."""
    for value in values:
        event = orjson.loads(value)
        counts[event["service"], event["error_type"], event["time"] // WINDOW_MS] += 1


def typed(values: list[bytes], counts: Counter[tuple[str, str, int]]) -> None:
    """One batch with msgspec."""
    decode = msgspec.json.Decoder(Event).decode
    for value in values:
        event = decode(value)
        counts[event.service, event.error_type, event.time // WINDOW_MS] += 1


def main() -> None:
    brokers, topic, group, how = sys.argv[1:5]
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 20,
            "fetch.wait.max.ms": 20,
            "session.timeout.ms": 30_000,
        }
    )
    consumer.subscribe([topic])
    count = {"plain": plain, "typed": typed}[how]
    counts: Counter[tuple[str, str, int]] = Counter()
    done, told = 0, 0.0
    while True:
        messages = consumer.consume(BATCH, timeout=0.05)
        values = [m.value() for m in messages if m.error() is None]
        count([v for v in values if v is not None], counts)
        done += len(values)
        if time.monotonic() - told > 0.02:
            told = time.monotonic()
            print(done, flush=True)


if __name__ == "__main__":
    main()
