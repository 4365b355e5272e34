"""What counting workers did: starting them, feeding them, and reading their changelog."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from faultstream import wire
from faultstream.core.policy import Topology
from faultstream.ops import child
from faultstream.stream.cells import MARK_KEY
from faultstream.transport import topics
from faultstream.transport.scan import scan
from tests.stream.counting import topology

KEYS: Final = 200
ROOT: Final = Path(__file__).parents[2]


class Counted:
    """One topic of records with `KEYS` keys, and the workers that count them."""

    def __init__(self, brokers: str, prefix: str, folder: Path) -> None:
        self.brokers = brokers
        self.prefix = prefix
        self.topology: Topology = topology(prefix)
        self.topic = self.topology.topic("errors")
        self.partitions = self.topology.topics["errors"].partitions
        self.produced = 0
        self._folder = folder
        self._started = 0
        self.logs: list[Path] = []

    async def create(self) -> None:
        """Make the topics."""
        await topics.create(self.brokers, self.topology)

    async def produce(self, count: int, *, value: bytes = b"x" * 200) -> None:
        """`count` more records, keys in turn, evenly over the partitions."""
        async with AIOKafkaProducer(bootstrap_servers=self.brokers, linger_ms=5) as producer:
            futures = [
                await producer.send(
                    self.topic,
                    value,
                    key=b"k%d" % (number % KEYS),
                    partition=number % self.partitions,
                )
                for number in range(self.produced, self.produced + count)
            ]
            await asyncio.gather(*futures)
        self.produced += count

    async def produce_together(self, count: int) -> None:
        """`count` more, all or none: a transaction."""
        async with (
            AIOKafkaProducer(
                bootstrap_servers=self.brokers, transactional_id=self.prefix
            ) as producer,
            producer.transaction(),
        ):
            for number in range(self.produced, self.produced + count):
                key = b"k%d" % (number % KEYS)
                await producer.send(self.topic, b"x", key=key, partition=number % self.partitions)
        self.produced += count

    def start(self) -> "subprocess.Popen[bytes]":
        """One more worker. What it took is in its log."""
        self._started += 1
        log = self._folder / f"worker{self._started}.log"
        self.logs.append(log)
        argv = [sys.executable, "-m", "tests.stream.counting", self.brokers, self.prefix]
        environment = {"FAULTSTREAM_LOG_LEVEL": "info", **os.environ}
        with log.open("ab") as out:
            return child.spawn(argv, env=environment, stdout=out, cwd=ROOT, name="a worker")

    def took(self, log: Path | None = None) -> int:
        """Records that were handed to workers so far, repeats included."""
        logs = self.logs if log is None else [log]
        return sum(last - first + 1 for path in logs for first, last in _runs(path))

    def unread(self) -> list[tuple[int, set[int]]]:
        """What the last worker was told of unread partitions: records taken before, partitions."""
        told: list[tuple[int, set[int]]] = []
        taken = 0
        for line in self.logs[-1].read_text().split("\n")[:-1]:
            words = line.split()
            if words[:1] == ["took"]:
                taken += int(words[3]) - int(words[2]) + 1
            elif words[:1] == ["unread"]:
                told.append((taken, {int(word) for word in words[1:]}))
        return told

    async def counts(self) -> Counter[bytes]:
        """Count per key, as the changelog says."""
        found: dict[tuple[int, bytes], int] = {}
        name = f"{self.prefix}.faultstream.count-state-changelog"
        admin = AIOKafkaAdminClient(bootstrap_servers=self.brokers)
        await admin.start()
        try:
            if name not in await admin.list_topics():
                return Counter()
        finally:
            await admin.close()
        async for record in scan(self.brokers, name, dict.fromkeys(range(self.partitions), 0)):
            if record.key != MARK_KEY and record.value is not None:
                count = int(record.value.partition(b"\n")[2])
                found[record.partition, record.key] = count
        counts: Counter[bytes] = Counter()
        for (_, key), count in found.items():
            counts[key] += count
        return counts

    def expected(self) -> Counter[bytes]:
        """Count per key, as produced."""
        return Counter(b"k%d" % (number % KEYS) for number in range(self.produced))

    async def complete(self) -> bool:
        """Whether everything that was produced is in the changelog."""
        return (await self.counts()).total() >= self.produced

    async def committed(self) -> int:
        """Records before the commits of the workers' group, over all partitions."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.brokers,
            group_id=f"{self.prefix}.faultstream.count",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            places = [TopicPartition(self.topic, number) for number in range(self.partitions)]
            return sum([await consumer.committed(place) or 0 for place in places])
        finally:
            await consumer.stop()

    async def letters(self) -> list[dict[str, str]]:
        """Our headers of every dead letter, without the prefix."""
        name = self.topology.topic("dead_letters")
        starts = dict.fromkeys(range(self.topology.topics["dead_letters"].partitions), 0)
        return [
            {key.removeprefix("x-faultstream-"): value.decode() for key, value in record.headers}
            async for record in scan(self.brokers, name, starts)
        ]

    def errors(self) -> list[str]:
        """Lines of level error in the logs."""
        lines = [line for path in self.logs for line in path.read_text().splitlines()]
        parsed = [wire.loads(line) for line in lines if line.startswith("{")]
        return [str(line["event"]) for line in parsed if line.get("level") == "error"]


def _runs(path: Path) -> list[tuple[int, int]]:
    runs = []
    for line in path.read_text().split("\n")[:-1]:
        words = line.split()
        if words and words[0] == "took":
            runs.append((int(words[2]), int(words[3])))
    return runs
