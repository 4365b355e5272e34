"""Topics and records for the client's tests, by plain aiokafka."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from faultstream import wire
from faultstream.core import signing
from faultstream.core.records import RecoveryCommand, RecoveryResult, Target

KEY = b"0123456789abcdef"
KEYS = {"k1": KEY}

Record: TypeAlias = "ConsumerRecord[bytes, bytes]"


def create(broker: str, *names: str, partitions: int = 2) -> None:
    """Make topics."""

    async def make() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        try:
            await admin.create_topics(
                [NewTopic(name, num_partitions=partitions, replication_factor=1) for name in names]
            )
            while any(t["error_code"] for t in await admin.describe_topics([*names])):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        finally:
            await admin.close()

    asyncio.run(make())


def partitions(broker: str, name: str) -> int:
    """How many partitions a topic has; 0 when it does not exist. Does not make it."""

    async def ask() -> int:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        try:
            if name not in await admin.list_topics():
                return 0
            return len((await admin.describe_topics([name]))[0]["partitions"])
        finally:
            await admin.close()

    return asyncio.run(ask())


def read(
    broker: str,
    topic: str,
    enough: Callable[[list[Record]], object],
    *,
    timeout_s: float = 60.0,
) -> list[Record]:
    """Everything on a topic, from the start, until it is `enough`."""

    async def collect() -> list[Record]:
        consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
            topic, bootstrap_servers=broker, auto_offset_reset="earliest"
        )
        await consumer.start()
        found: list[Record] = []
        try:
            deadline = time.monotonic() + timeout_s
            while not enough(found):
                if time.monotonic() > deadline:
                    raise AssertionError(f"{topic}: only {[r.value for r in found][:20]}")
                for records in (await consumer.getmany(timeout_ms=50)).values():
                    found += records
        finally:
            await consumer.stop()
        return found

    return asyncio.run(collect())


def events(broker: str, topic: str, total: int) -> list[dict[str, Any]]:
    """The events on a topic, once they stand for `total` errors."""

    def count(records: list[Record]) -> int:
        return sum(wire.loads(record.value or b"{}").get("count", 1) for record in records)

    found = read(broker, topic, lambda records: count(records) >= total)
    assert count(found) == total
    return [wire.loads(record.value or b"") for record in found]


def results(broker: str, topic: str, many: int) -> list[RecoveryResult]:
    """The different results on a topic, once there are so many; claims of probes left out."""

    def distinct(records: list[Record]) -> dict[str, RecoveryResult]:
        decoded = [wire.decode(RecoveryResult, record.value) for record in records]
        return {one.result_id: one for one in decoded if one.strategy != "probe"}

    found = read(broker, topic, lambda records: len(distinct(records)) >= many)
    return list(distinct(found).values())


def command(strategy: str = "circuit_break", **changes: Any) -> RecoveryCommand:
    """A command for service orders in production that is in force for a minute."""
    now = time.time_ns() // 1_000_000
    given: dict[str, Any] = {
        "command_id": str(uuid.uuid4()),
        "incident_id": "incident",
        "attempt": 1,
        "strategy": strategy,
        "target": Target(environment="production", service="orders"),
        "issued_at_ms": now,
        "expires_at_ms": now + 60_000,
        **changes,
    }
    return RecoveryCommand(**given)


Sent = tuple[bytes, list[tuple[str, bytes]]]


def signed(order: RecoveryCommand, key: bytes = KEY, key_id: str = "k1") -> Sent:
    """Value and headers of a command as respond publishes it."""
    value = wire.encode(order)
    return value, signing.headers(value, key, key_id)


def publish(broker: str, topic: str, *sent: Sent, partition: int | None = None) -> None:
    """Write commands to their topic, in order."""

    async def send() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=broker)
        await producer.start()
        try:
            for value, headers in sent:
                await producer.send_and_wait(
                    topic, value, key=b"orders", headers=headers, partition=partition
                )
        finally:
            await producer.stop()

    asyncio.run(send())


def counting(start: int = 0) -> Iterator[int]:
    """0, 1, 2 and so on."""
    while True:
        yield start
        start += 1
