"""The loop one would write by hand: confluent-kafka, orjson, a dict. Nothing is durable.

    python bare.py BROKERS TOPIC GROUP (poll|plain|typed)

All count by (service, error_type, minute). `poll` is the loop of the client's own examples: one
message at a time, orjson. `plain` takes batches. `typed` reads only the fields that it needs with
msgspec besides. Prints how many records were counted so far.
"""

import sys
import time
from collections import Counter
from typing import NoReturn

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


def poll(consumer: Consumer, counts: Counter[tuple[str, str, int]]) -> NoReturn:
    """One message at a time, for ever."""
    done, told = 0, 0.0
    while True:
        message = consumer.poll(0.05)
        if message is not None and message.error() is None:
            event = orjson.loads(message.value() or b"{}")
            counts[event["service"], event["error_type"], event["time"] // WINDOW_MS] += 1
            done += 1
        if (message is None or done % 256 == 0) and time.monotonic() - told > 0.02:
            told = time.monotonic()
            print(done, flush=True)


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
    counts: Counter[tuple[str, str, int]] = Counter()
    if how == "poll":
        poll(consumer, counts)
    count = {"plain": plain, "typed": typed}[how]
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
