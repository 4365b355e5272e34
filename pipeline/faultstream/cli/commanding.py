"""Commands by hand, and what the topics say from then on; for commands of the CLI."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from faultstream import wire
from faultstream.config.errors import ConfigError
from faultstream.config.settings import Settings
from faultstream.core import signing
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
from faultstream.transport.topics import wait_for_broker

CONNECT_TIMEOUT_S: Final = 10.0
KINDS: Final[Mapping[TopicRole, type[Record]]] = {
    "patterns": Pattern,
    "incidents": Incident,
    "commands": RecoveryCommand,
    "results": RecoveryResult,
    "notifications": Notification,
}


def signing_key(settings: Settings) -> bytes:
    """The key that executors know.

    Raises:
        ConfigError: there is none.
    """
    if not settings.signing_key:
        raise ConfigError(
            "FAULTSTREAM_SIGNING_KEY",
            "",
            "commands are signed, and there is no key",
            bound=f"at least {signing.MIN_KEY_BYTES} bytes",
            value="nothing",
            mend="Set it to the key of the executors; `faultstream up` keeps one in signing.key",
        )
    return settings.signing_key


class Commander:
    """Sends signed commands and sees what is written to the topics after its start."""

    def __init__(
        self,
        topology: Topology,
        settings: Settings,
        consumer: "AIOKafkaConsumer[bytes, bytes]",
        producer: AIOKafkaProducer,
    ) -> None:
        self._topology = topology
        self._key = signing_key(settings)
        self._key_id = settings.signing_key_id
        self._consumer = consumer
        self._producer = producer
        self._roles = {topology.topic(role): role for role in KINDS}

    async def send(self, command: RecoveryCommand) -> None:
        """Write it, signed, and wait until it is there."""
        value = wire.encode(command)
        headers = wire.headers(command, command.command_id, command.issued_at_ms)
        await self._producer.send_and_wait(
            self._topology.topic("commands"),
            value,
            key=command.target.service.encode(),
            headers=[*headers, *signing.headers(value, self._key, self._key_id)],
        )

    async def news(self, timeout_s: float) -> list[Any]:
        """Records that came meanwhile, waiting for the first one at most so long."""
        batches = await self._consumer.getmany(timeout_ms=max(1, round(timeout_s * 1_000)))
        found: list[Record] = []
        for place, records in batches.items():
            kind = KINDS[self._roles[place.topic]]
            for record in records:
                try:
                    found.append(wire.decode(kind, record.value))
                except DataError:
                    continue
        return found

    async def until(self, deadline_s: float) -> AsyncIterator[list[Any]]:
        """Records as they come, until that time of time.monotonic.

        Whole batches: who stops amid one would lose the rest of it.
        """
        while (left_s := deadline_s - time.monotonic()) > 0:
            yield await self.news(min(left_s, 0.2))


@asynccontextmanager
async def commander(
    brokers: str, topology: Topology, settings: Settings
) -> AsyncIterator[Commander]:
    """Connected for the length of the block.

    Raises:
        ConfigError: no signing key.
        KafkaError: the broker cannot be reached, or the topics are not there.
    """
    signing_key(settings)
    await wait_for_broker(brokers, CONNECT_TIMEOUT_S)
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
        bootstrap_servers=brokers, enable_auto_commit=False, fetch_max_wait_ms=50
    )
    async with consumer, AIOKafkaProducer(bootstrap_servers=brokers, acks="all") as producer:
        places = [
            TopicPartition(topology.topic(role), number)
            for role in KINDS
            for number in range(topology.topics[role].partitions)
        ]
        consumer.assign(places)
        for place, end in (await consumer.end_offsets(places)).items():
            consumer.seek(place, end)
        yield Commander(topology, settings, consumer, producer)
        await asyncio.sleep(0)
