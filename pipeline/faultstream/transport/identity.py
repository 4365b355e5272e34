"""The log's identity: a random id that stands in the control topic from the topics' creation on.

Offsets mean something only within one log. A recreated topic or a restarted in-memory broker
begins at 0 again, and without the id old offsets would hide new records (docs/adr/0005).
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from faultstream import wire
from faultstream.core.policy import Topology

LOG_ID_KEY: Final = b"faultstream.log-id"
"""Key in the control topic. Its value is `{"log_id": "<UUID>"}` and no Control record."""

READ_TIMEOUT_S: Final = 30.0


class LogIdAbsentError(LookupError):
    """The log has no identity: its topics were not made by `create`."""


@asynccontextmanager
async def _reader(brokers: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def read_all(
    brokers: str, topic: str, partition: int = 0, *, timeout_s: float = READ_TIMEOUT_S
) -> list[ConsumerRecord]:
    """Every record of one partition of a small topic, up to its end as of the last fetch.

    The end is the high watermark of a fetch: the embedded broker answers the question for the
    latest offset too low (the base of the last batch, plus one).

    Raises:
        TimeoutError: the end was not reached within `timeout_s`.
    """
    records: list[ConsumerRecord] = []
    place = TopicPartition(topic, partition)
    deadline = time.monotonic() + timeout_s
    async with _reader(brokers) as consumer:
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        while True:
            for fetched in (await consumer.getmany(timeout_ms=50)).values():
                records += fetched
            end = consumer.highwater(place)
            if end is not None and await consumer.position(place) >= end:
                return records
            if time.monotonic() > deadline:
                raise TimeoutError(f"{topic}[{partition}]: end not reached in {timeout_s:g} s")


async def find_log_id(brokers: str, control_topic: str) -> str | None:
    """The id in the control topic, None when there is none. The last one written is in force."""
    found = None
    for record in await read_all(brokers, control_topic):
        if record.key == LOG_ID_KEY and record.value:
            found = str(wire.loads(record.value)["log_id"])
    return found


async def log_id(brokers: str, topology: Topology) -> str:
    """The identity of the log on `brokers`.

    Raises:
        LogIdAbsentError: there is none; the message has the mend.
        KafkaConnectionError: no broker answers.
    """
    topic = topology.topic("control")
    found = await find_log_id(brokers, topic)
    if found is None:
        raise LogIdAbsentError(
            f"{topic} on {brokers} holds no log id: run `faultstream topology create` first"
        )
    return found


async def ensure_log_id(brokers: str, topology: Topology) -> str:
    """The identity of the log, written now when absent. May repeat; safe beside another one."""
    topic = topology.topic("control")
    found = await find_log_id(brokers, topic)
    while found is None:
        async with AIOKafkaProducer(bootstrap_servers=brokers, acks="all") as producer:
            value = wire.dumps({"log_id": str(uuid.uuid4())})
            await producer.send_and_wait(topic, value, key=LOG_ID_KEY, partition=0)
        await asyncio.sleep(0)
        found = await find_log_id(brokers, topic)
    return found
