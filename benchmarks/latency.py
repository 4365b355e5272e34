"""How long from an error that is published to its command at an executor, and to the end of it.

    python -m benchmarks.latency [--probes 300] [--peak live] [--rate 0] [--idle] [--broker BROKER]

BROKER is `kafka`, `embedded` or host:port. By default it is Apache Kafka, one node on this machine,
where Java and its jars (or Maven) are, else the embedded one, which hands out what comes in small
pieces and so is slow at this. Starts the workers detect and respond and measures the peak: what
this machine bears while everything runs on it, so how many events a second detect finishes while
they are published as fast as they can be (`--peak live`), or how many it drains from a backlog
while nobody publishes (`--peak backlog`). Then a tenth of that keeps coming (`--rate` says another,
`--idle` none) while probes are published: critical errors, each of a service of its own, one every
50 to 150 ms. Commands are read as an executor reads them. The clock starts before the probe is
handed to the producer. The hops are told apart by the time stamps that producers give records, in
whole milliseconds. A recovery is done when an executor's result stands on its topic; that the
errors have really stopped is seen 11 s later, as `verify` in topology.yaml wants it, and not shown
here.
Absolute figures mean little on a noisy machine; the load of the machine is shown.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import orjson
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import Producer

from benchmarks import detect
from faultstream import wire
from faultstream.client import Executor
from faultstream.client.inbox import Inbox
from faultstream.core.policy import Topology
from faultstream.core.records import Pattern, RecoveryCommand, RecoveryResult
from faultstream.ops import child
from faultstream.transport import topics
from faultstream.transport.embedded import EmbeddedBroker
from tests.kafka import ApacheKafka, KafkaAbsentError

KEY = "a key for the benchmark only"
SETTLE_S, CALM_S = 20.0, 60.0
WARM_S, PEAK_S = 2.0, 5.0
UNBOUNDED = 10_000_000
RECOVERED = 3
"""Services with an executor, whose whole recovery is measured."""


class Seen:
    """Times in milliseconds since the epoch, by service."""

    def __init__(self) -> None:
        self.published: dict[str, float] = {}
        self.pattern: dict[str, float] = {}
        self.commanded: dict[str, float] = {}
        self.received: dict[str, float] = {}
        self.done: dict[str, float] = {}


def now_ms() -> float:
    return time.time_ns() / 1e6


def probe(service: str) -> bytes:
    """One critical error."""
    return orjson.dumps(
        {
            "event_id": str(uuid.uuid4()),
            "time": int(now_ms()),
            "service": service,
            "layer": "service",
            "error_type": "psycopg.OperationalError",
            "message": "connection to server failed",
            "severity": "critical",
        }
    )


def load_events(brokers: str, topic: str, rate: int) -> None:
    """Keep `rate` events a second coming, for ever; the load of a busy fleet whose layer is not
    recovered automatically. Runs in a process of its own."""
    events = background(10_000)
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 5})
    began, sent = time.monotonic(), 0
    while True:
        wanted = int((time.monotonic() - began) * rate)
        for number in range(sent, wanted):
            service, value = events[number % len(events)]
            try:
                producer.produce(topic, value, key=service)
            except BufferError:  # faster than the broker takes them
                wanted = number
                break
        sent = wanted
        producer.poll(0)
        time.sleep(0.005)


def background(count: int) -> list[tuple[str, bytes]]:
    """Events of 50 services without a time of their own."""
    made = []
    for service, value in detect.events(count):
        event = orjson.loads(value)
        del event["time"], event["event_id"]
        made.append((service, orjson.dumps({**event, "layer": "background"})))
    return made


def own_topology(prefix: str, folder: Path) -> tuple[Topology, Path]:
    """The default topology below names of its own, in which many incidents at once are no storm."""
    topology, path = detect.own_topology(prefix, folder)
    guards = msgspec.structs.replace(topology.guards, storm_incidents=1_000_000)
    topology = msgspec.structs.replace(topology, guards=guards)
    path.write_text(yaml.safe_dump(orjson.loads(msgspec.json.encode(topology))))
    return topology, path


def worker(name: str, brokers: str, path: Path) -> detect.Contestant:
    port = child.free_port()
    env = {
        "FAULTSTREAM_KAFKA": brokers,
        "FAULTSTREAM_TOPOLOGY": str(path),
        "FAULTSTREAM_METRICS_PORT": str(port),
        "FAULTSTREAM_LOG_LEVEL": "error",
        "FAULTSTREAM_SIGNING_KEY": KEY,
    }
    return detect.Contestant([sys.executable, "-m", "faultstream", "worker", name], env, port)


async def watch(brokers: str, topology: Topology, seen: Seen) -> None:
    """Note when patterns and results stand on their topics, by the time stamps of the records."""
    patterns, results = topology.topic("patterns"), topology.topic("results")
    async with AIOKafkaConsumer(
        patterns, results, bootstrap_servers=brokers, auto_offset_reset="latest"
    ) as consumer:
        async for record in consumer:
            if record.topic == patterns:
                pattern = wire.decode(Pattern, record.value)
                seen.pattern.setdefault(pattern.service, record.timestamp)
            else:
                result = wire.decode(RecoveryResult, record.value)
                if result.status == "success":
                    seen.done.setdefault(result.service, record.timestamp)


async def receive(inbox: Inbox, seen: Seen) -> None:
    """Read commands as an executor does."""

    async def take(record: Any) -> None:
        at = now_ms()
        command = wire.decode(RecoveryCommand, record.value)
        service = command.target.service
        seen.received.setdefault(service, at)
        seen.commanded.setdefault(service, record.timestamp)

    await inbox.read_all(lambda: int(now_ms()), take)


async def calm(seen: Seen, publish: Callable[[str], Awaitable[None]]) -> None:
    """At least `SETTLE_S`, and until ten probes in a row were quick: the fleet's own incidents are
    open then, and the workers have read what there was before."""
    quick, began = 0, time.monotonic()
    deadline = began + CALM_S
    while quick < 10 or time.monotonic() < began + SETTLE_S:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the pipeline does not keep up: not calm after {CALM_S:g} s")
        service = f"warm-{uuid.uuid4().hex[:8]}"
        await publish(service)
        await wait(partial(seen.received.__contains__, service), 1.0)
        quick = quick + 1 if service in seen.received else 0
        await asyncio.sleep(0.5)


async def wait(holds: Callable[[], bool], most_s: float) -> None:
    deadline = time.monotonic() + most_s
    while not holds() and time.monotonic() < deadline:  # noqa: ASYNC110 - others make it true
        await asyncio.sleep(0.05)


async def measure(brokers: str, topology: Topology, probes: int) -> Seen:
    seen, dice = Seen(), random.Random(7)
    inbox = Inbox(brokers, topology.topic("commands"), "bench", {})
    tasks = [
        asyncio.ensure_future(watch(brokers, topology, seen)),
        asyncio.ensure_future(receive(inbox, seen)),
    ]
    await inbox.ready.wait()
    executors = [executor(f"shop-{n}", brokers, topology) for n in range(RECOVERED)]
    tasks += [asyncio.ensure_future(one.run()) for one in executors]
    await wait(lambda: all(one.stats().ready for one in executors), CALM_S)
    names = [f"probe-{n}" for n in range(probes)]
    for n in range(RECOVERED):
        names.insert((n + 1) * probes // (RECOVERED + 1), f"shop-{n}")
    async with AIOKafkaProducer(bootstrap_servers=brokers) as producer:

        async def publish(service: str) -> None:
            value, seen.published[service] = probe(service), now_ms()
            await producer.send_and_wait(topology.topic("errors"), value, key=service.encode())

        await calm(seen, publish)
        for service in names:
            await publish(service)
            await asyncio.sleep(dice.uniform(0.05, 0.15))
    shops = {f"shop-{n}" for n in range(RECOVERED)}
    await wait(lambda: shops <= seen.done.keys() and set(names) <= seen.received.keys(), 20)
    for one in executors:
        one.stop(1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return seen


def executor(service: str, brokers: str, topology: Topology) -> Executor:
    made = Executor(
        service,
        keys={"k1": KEY.encode()},
        brokers=brokers,
        instance="bench",
        commands_topic=topology.topic("commands"),
        results_topic=topology.topic("results"),
    )
    for strategy, policy in topology.strategies.items():
        if policy.delivery == "broadcast":
            made.handles(strategy)(lambda _: None)
    return made


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def line(name: str, values: Sequence[float]) -> str:
    if not values:
        return f"{name:34} nothing arrived"
    marks = [quantile(values, share) for share in (0.5, 0.9, 0.99)] + [max(values)]
    return f"{name:34}" + "".join(f"{mark:9.1f}" for mark in marks)


def histogram(values: Sequence[float]) -> str:
    edges = [5.0, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 500, 1_000, float("inf")]
    rows, low = [], 0.0
    for high in edges:
        count = sum(low <= value < high for value in values)
        if count:
            bar = "#" * max(1, round(60 * count / len(values)))
            rows.append(f"{low:6.0f} to {high:5.0f} ms {count:5}  {bar}")
        low = high
    return "\n".join(rows)


def show(seen: Seen) -> None:
    probes = [name for name in seen.published if name.startswith(("probe", "shop"))]

    def between(first: dict[str, float], last: dict[str, float]) -> list[float]:
        return [max(0.0, last[n] - first[n]) for n in probes if n in first and n in last]

    whole = between(seen.published, seen.received)
    print(f"{'milliseconds':34}{'p50':>9}{'p90':>9}{'p99':>9}{'max':>9}")
    print(line("event published > command received", whole))
    print(line("  event published > pattern sent", between(seen.published, seen.pattern)))
    print(line("  pattern sent > command sent", between(seen.pattern, seen.commanded)))
    print(line("  command sent > received", between(seen.commanded, seen.received)))
    print(line("event published > recovery done", between(seen.published, seen.done)))
    print(f"{len(whole)} of {len(probes)} probes were commanded\n{histogram(whole)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probes", type=int, default=300)
    parser.add_argument("--rate", type=int, default=0, help="background events a second")
    parser.add_argument("--idle", action="store_true", help="no background at all")
    parser.add_argument("--peak", choices=["live", "backlog"], default="live")
    parser.add_argument("--peak-events", type=int, default=200_000, help="in the backlog")
    parser.add_argument("--broker", default="", help="kafka, embedded, or host:port of one")
    parser.add_argument("--load", nargs=2, metavar=("TOPIC", "RATE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        load_events(options.broker, options.load[0], int(options.load[1]))
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        which, brokers = broker(options.broker, folder, stack)
        running: list[detect.Contestant] = []
        stack.callback(end, running)
        topology, path = own_topology(f"bench{uuid.uuid4().hex[:8]}", folder)
        rate = start(brokers, topology, path, running, options)
        seen = under_load(brokers, topology, rate, options.probes)
        print(f"{which}, {rate} events/s beside, load of the machine {os.getloadavg()[0]:.1f}")
        show(seen)


def end(running: Sequence[detect.Contestant]) -> None:
    for one in running:
        one.end()


def broker(wanted: str, folder: Path, stack: ExitStack) -> tuple[str, str]:
    """(what it is called, its address) of a broker that runs as long as the stack."""
    if wanted not in {"", "kafka", "embedded"}:
        return wanted, wanted
    if wanted != "embedded":
        try:
            (folder / "kafka").mkdir()
            node = ApacheKafka(folder / "kafka")
        except KafkaAbsentError as exc:
            if wanted == "kafka":
                raise SystemExit(f"Apache Kafka cannot run here: {exc}") from None
            print(f"no Apache Kafka here ({exc}); taking the embedded broker")
        else:
            stack.callback(node.stop)
            return "Apache Kafka", node.start().address
    return "embedded broker", stack.enter_context(EmbeddedBroker()).address


def start(
    brokers: str,
    topology: Topology,
    path: Path,
    running: list[detect.Contestant],
    options: argparse.Namespace,
) -> int:
    """Start the workers; how many events a second are to come beside the probes."""
    rate = int(options.rate)
    if rate or options.idle:
        asyncio.run(topics.create(brokers, topology))
        running.append(worker("detect", brokers, path))
    elif options.peak == "live":
        asyncio.run(topics.create(brokers, topology))
        running.append(worker("detect", brokers, path))
        detect.wait(running[0].ready, "detect is ready")
        peak = live(brokers, topology, running[0])
    else:
        detect.backlog(brokers, topology, background(options.peak_events))
        running.append(worker("detect", brokers, path))
        detect.wait(lambda: running[0].done() > 0, "detect begins")
        peak = backlog(running[0], options.peak_events)
    if not rate and not options.idle:
        rate = round(peak / 10)
        print(f"peak, {options.peak}: {peak:,.0f} events/s")
    running.append(worker("respond", brokers, path))
    for one in running:
        detect.wait(one.ready, "the workers are ready")
    return rate


def backlog(worker: detect.Contestant, events: int) -> float:
    """Events a second that detect drains while nobody publishes."""
    first, began = worker.done(), time.monotonic()
    detect.wait(lambda: worker.done() >= events, "detect has drained it")
    return (events - first) / (time.monotonic() - began)


def live(brokers: str, topology: Topology, worker: detect.Contestant) -> float:
    """Events a second that detect finishes while another process publishes all it can."""
    load = loading(brokers, topology, UNBOUNDED)
    try:
        time.sleep(WARM_S)
        first, began = worker.done(), time.monotonic()
        time.sleep(PEAK_S)
        return (worker.done() - first) / (time.monotonic() - began)
    finally:
        child.kill(load)


def loading(brokers: str, topology: Topology, rate: int) -> "subprocess.Popen[bytes]":
    """Another process that publishes `rate` events a second."""
    argv = [sys.executable, "-m", "benchmarks.latency", "--broker", brokers]
    return child.spawn([*argv, "--load", topology.topic("errors"), str(rate)])


def under_load(brokers: str, topology: Topology, rate: int, probes: int) -> Seen:
    """Measure while `rate` events a second come from another process."""
    load = loading(brokers, topology, rate) if rate else None
    try:
        return asyncio.run(measure(brokers, topology, probes))
    finally:
        if load is not None:
            child.kill(load)


if __name__ == "__main__":
    main()
