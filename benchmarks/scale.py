"""What an event costs with more workers, with more history, and when one service is hot.

    python -m benchmarks.scale [--events 100000] [--workers 1,2,4] [--rounds 1] [--kafka host:port]

Detect workers drain the same backlog of 4 partitions, durable state on. `CPU` is of all workers
together for an event: when it stays the same with more of them, throughput grows with the cores
that they get, which a machine of two cores cannot show as events a second. `twice the history`
drains a backlog twice as long. `one hot service` has nine of ten events in one service: keyed, as
the client does, they are in one partition and one worker has them; `spread` has them without a
key, in all partitions, each of which is judged by itself.
"""

import argparse
import asyncio
import signal
import statistics
import tempfile
import time
import uuid
from pathlib import Path

from confluent_kafka import Producer

from benchmarks.detect import Contestant, events, own_topology, start, wait
from faultstream.transport import topics
from faultstream.transport.embedded import EmbeddedBroker

Load = list[tuple[str, bytes]]


def drained(brokers: str, folder: Path, load: Load, workers: int) -> tuple[float, float, float]:
    """Events a second, microseconds of CPU an event of all workers, and the share of events that
    the busiest one had. All workers begin at the same moment."""
    group = f"scale{uuid.uuid4().hex[:8]}"
    topology, path = own_topology(group, folder)
    asyncio.run(topics.create(brokers, topology))
    topic = topology.topic("errors")
    many: list[Contestant] = [
        start("faultstream detect", brokers, topic, group, path) for _ in range(workers)
    ]
    try:
        for one in many:
            wait(one.ready, "a worker is ready")
        for one in many:  # frozen while the backlog is written, so that all begin at once
            one.signal(signal.SIGSTOP)
        publish(brokers, topic, load)
        cpu, began = sum(one.cpu_s() for one in many), time.monotonic()
        for one in many:
            one.signal(signal.SIGCONT)
        wait(lambda: sum(one.done() for one in many) >= len(load), "the backlog is drained")
        took = time.monotonic() - began
        spent = sum(one.cpu_s() for one in many) - cpu
        most = max(one.done() for one in many)
        return len(load) / took, spent / len(load) * 1e6, most / len(load)
    finally:
        for one in many:
            one.end()


def publish(brokers: str, topic: str, load: Load) -> None:
    """All of it; what has no key is spread over the partitions."""
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20})
    for service, value in load:
        while True:
            try:
                producer.produce(topic, value, key=service or None)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def hot(load: Load, *, keyed: bool) -> Load:
    """Nine of ten events in one service."""
    found = []
    for at, (service, value) in enumerate(load):
        if at % 10:
            plain = value.replace(f'"service":"{service}"'.encode(), b'"service":"hot"')
            found.append(("hot" if keyed else "", plain))
        else:
            found.append((service, value))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--kafka", help="host:port; by default an embedded broker")
    options = parser.parse_args()
    load = events(options.events, 0)
    counts = [int(count) for count in options.workers.split(",")]
    most = max(counts)
    cases: list[tuple[str, Load, int]] = [(f"{count} workers", load, count) for count in counts]
    cases += [
        ("twice the history", events(2 * options.events, 0), counts[0]),
        (f"one hot service, {most} workers", hot(load, keyed=True), most),
        (f"the same, spread, {most} workers", hot(load, keyed=False), most),
    ]
    broker = EmbeddedBroker()
    if options.kafka is None:
        broker.start()
    try:
        print(f"{'case':34}{'events/s':>10}{'CPU us/event':>14}{'busiest has':>13}")
        with tempfile.TemporaryDirectory() as folder:
            for name, given, count in cases:
                seen = [
                    drained(options.kafka or broker.address, Path(folder), given, count)
                    for _ in range(options.rounds)
                ]
                rate, cpu, share = (statistics.median(column) for column in zip(*seen, strict=True))
                print(f"{name:34}{rate:10,.0f}{cpu:14.1f}{share:13.0%}", flush=True)
    finally:
        broker.stop()


if __name__ == "__main__":
    main()
