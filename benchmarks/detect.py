"""What the detect worker costs per event, beside a bare loop and stock Faust, in one run.

    python benchmarks/detect.py [--events 200000] [--frames 12] [--rounds 3] [--kafka host:port]

Each contestant drains the same backlog from 4 partitions, alone, in turn, several rounds; its start
does not count. With `--frames` each event carries a stack of so many frames, as those of the client
do; without, it has none. Shown are the medians of
events a second (wall clock) and microseconds of CPU an event (all threads of its process), and
the ratio of CPU to the bare loop's. The bare loops keep nothing durable and detect nothing; the
detect worker classifies, fingerprints, runs every detector and keeps its state in a changelog.
Absolute figures mean little on a noisy machine; compare ratios.
"""

import argparse
import asyncio
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec
import orjson
import yaml
from confluent_kafka import Producer

from faultstream.config.topology import load
from faultstream.core.policy import Topology
from faultstream.ops import child
from faultstream.transport import topics
from faultstream.transport.embedded import EmbeddedBroker

HERE = Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")
TYPES = (
    ("psycopg.OperationalError", "connection to server at 10.0.3.{n} failed: timeout after {n} ms"),
    ("redis.exceptions.ConnectionError", "Error 111 connecting to cache-{n}:6379. refused."),
    ("requests.exceptions.ReadTimeout", "HTTPSConnectionPool(host='pay{n}', port=443): timed out"),
    ("KeyError", "'order_{n}'"),
    ("ValueError", "invalid literal for int() with base 10: 'x{n}'"),
)


# Which of them comes how often, of 20: as in a fleet, one leads and the others trail.
SHARES = (0,) * 10 + (1,) * 4 + (2,) * 3 + (3,) * 2 + (4,)


def events(count: int, frames: int = 0) -> list[tuple[str, bytes]]:
    """(service, value) of a busy fleet: 50 services, 5 types, numbers in every message; each with a
    stack of so many frames, the same for a type."""
    stacks = {
        error_type: [
            {
                "module": f"shop.{error_type.lower()}.part{n}",
                "function": f"step_{n}",
                "file": f"/app/shop/part{n}.py",
                "line": 10 + n,
                "in_app": n > frames // 2,
            }
            for n in range(frames)
        ]
        for error_type, _ in TYPES
    }
    now = int(time.time() * 1000)
    chance = random.Random(7)
    made = []
    for n in range(count):
        error_type, message = TYPES[chance.choice(SHARES)]
        service = f"service-{n % 50}"
        event = {
            "event_id": str(uuid.UUID(int=n)),
            "time": now - 5_000 + n * 5_000 // count,
            "service": service,
            "environment": "production",
            "layer": "service",
            "instance": f"i-{n % 9}",
            "error_type": error_type,
            "message": message.format(n=n),
            "operation": "charge",
            "trace_id": f"{n:032x}",
        }
        if frames:
            event["frames"] = stacks[error_type]
        made.append((service, orjson.dumps(event)))
    return made


class Contestant:
    """A process that counts. `done` is how many records it has handled."""

    def __init__(self, argv: list[str], env: dict[str, str], metrics_port: int = 0) -> None:
        self._port = metrics_port
        self._printed = "0"
        self._process = subprocess.Popen(
            argv, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            text = line.decode().strip()
            if text.isdigit():
                self._printed = text

    def done(self) -> int:
        """Records handled."""
        if not self._port:
            return int(self._printed)
        text = self._get("/metrics") or ""
        pattern = r'faultstream_records_total\{.*outcome="(?:tallied|late)".*\} ([0-9.e+]+)'
        return sum(int(float(value)) for value in re.findall(pattern, text))

    def ready(self) -> bool:
        """Whether a worker says that it is."""
        return self._get("/-/ready") is not None

    def _get(self, path: str) -> str | None:
        try:
            url = f"http://127.0.0.1:{self._port}{path}"
            with urllib.request.urlopen(url, timeout=1) as answer:
                return str(answer.read().decode())
        except OSError:
            return None

    def cpu_s(self) -> float:
        """CPU seconds of all its threads so far."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / TICKS

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> None:
        """End it."""
        child.stop(self._process, grace_s=10)


def wait(holds: Callable[[], bool], what: str, timeout_s: float = 300) -> None:
    """Until `holds`, or an error that names `what`."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.05)


def own_topology(prefix: str, folder: Path) -> tuple[Topology, Path]:
    """The default topology below names of its own."""
    topology = load(None)
    named = {
        role: msgspec.structs.replace(topic, name=f"{prefix}.{topic.name}")
        for role, topic in topology.topics.items()
    }
    topology = msgspec.structs.replace(topology, topics=named)
    path = folder / f"{prefix}.yaml"
    path.write_text(yaml.safe_dump(orjson.loads(msgspec.json.encode(topology))))
    return topology, path


def backlog(brokers: str, topology: Topology, load_: list[tuple[str, bytes]]) -> None:
    """Make the topics and write the load."""
    asyncio.run(topics.create(brokers, topology))
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20})
    for service, value in load_:
        while True:
            try:
                producer.produce(topology.topic("errors"), value, key=service)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def start(name: str, brokers: str, topic: str, group: str, path: Path) -> Contestant:
    """A contestant on its own topic."""
    if name.startswith("bare"):
        how = name.rpartition(" ")[2]
        script = str(HERE / "peers" / "bare.py")
        return Contestant([sys.executable, script, brokers, topic, group, how], {})
    if name == "stock Faust":
        script = str(HERE / "peers" / "stock_faust.py")
        argv = [sys.executable, script, "worker", "--without-web", "-l", "error"]
        return Contestant(argv, {"BROKERS": brokers, "TOPIC": topic, "GROUP": group})
    port = child.free_port()
    env = {
        "FAULTSTREAM_KAFKA": brokers,
        "FAULTSTREAM_TOPOLOGY": str(path),
        "FAULTSTREAM_METRICS_PORT": str(port),
        "FAULTSTREAM_LOG_LEVEL": "error",
    }
    return Contestant([sys.executable, "-m", "faultstream", "worker", "detect"], env, port)


def run(name: str, brokers: str, folder: Path, load_: list[tuple[str, bytes]]) -> list[float]:
    """[events a second, microseconds of CPU an event], from its first look at the backlog on."""
    group = f"bench{uuid.uuid4().hex[:8]}"
    topology, path = own_topology(group, folder)
    backlog(brokers, topology, load_)
    contestant = start(name, brokers, topology.topic("errors"), group, path)
    try:
        wait(lambda: contestant.done() > 0, f"{name} begins")
        first, cpu, began = contestant.done(), contestant.cpu_s(), time.monotonic()
        wait(lambda: contestant.done() >= len(load_), f"{name} is done")
        took = time.monotonic() - began
        rest = len(load_) - first
        return [rest / took, (contestant.cpu_s() - cpu) / rest * 1e6]
    finally:
        contestant.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--frames", type=int, default=0, help="of each event's stack")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kafka", help="host:port; by default an embedded broker")
    options = parser.parse_args()
    names = ["bare poll", "bare plain", "bare typed", "faultstream detect", "stock Faust"]
    full = events(options.events, options.frames)
    seen: dict[str, list[list[float]]] = {name: [] for name in names}
    broker = EmbeddedBroker()
    if options.kafka is None:
        broker.start()
    brokers = options.kafka or broker.address
    try:
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(options.rounds):
                for name in names:
                    part = full[: len(full) // 10] if name == "stock Faust" else full
                    seen[name].append(run(name, brokers, Path(folder), part))
    finally:
        broker.stop()
    base = statistics.median(cpu for _, cpu in seen["bare plain"])
    print(f"{'contestant':22}{'events/s':>12}{'CPU us/event':>14}{'of bare loop':>14}")
    for name in names:
        rate = statistics.median(r for r, _ in seen[name])
        cpu = statistics.median(c for _, c in seen[name])
        print(f"{name:22}{rate:12,.0f}{cpu:14.1f}{base / cpu:14.2f}")


if __name__ == "__main__":
    main()
