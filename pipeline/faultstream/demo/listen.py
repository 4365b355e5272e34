"""Reads what the pipeline says, from the topics and from their beginning, into a Story."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from faultstream import wire
from faultstream.core.errors import DataError
from faultstream.core.policy import TopicRole, Topology
from faultstream.core.records import (
    Incident,
    Notification,
    Pattern,
    Record,
    RecoveryCommand,
    RecoveryResult,
)
from faultstream.demo.story import Story

_READ: Final[Mapping[TopicRole, type[Record]]] = {
    "patterns": Pattern,
    "incidents": Incident,
    "commands": RecoveryCommand,
    "results": RecoveryResult,
    "notifications": Notification,
}


async def listen(brokers: str, topology: Topology, story: Story) -> None:
    """Tell `story` every record of the five topics, until cancelled. No group, no commits.

    The topics must exist. A record that is none is left out: the workers dead-letter it.

    Raises:
        aiokafka.errors.KafkaError: the brokers cannot be reached at the start.
    """
    kinds = {topology.topic(role): kind for role, kind in _READ.items()}
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, fetch_max_wait_ms=100)
    await consumer.start()
    try:
        partitions = [
            TopicPartition(topology.topic(role), number)
            for role in _READ
            for number in range(topology.topics[role].partitions)
        ]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        async for record in consumer:
            try:
                told = wire.decode(kinds[record.topic], record.value)
            except DataError:
                continue
            if isinstance(
                told, Pattern | Incident | RecoveryCommand | RecoveryResult | Notification
            ):
                story.tell(told, time.time_ns() // 1_000_000)
    finally:
        await asyncio.shield(consumer.stop())
