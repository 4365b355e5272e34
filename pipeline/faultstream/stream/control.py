"""Controls: every respond worker reads the whole control topic, outside any group.

What is in force is the last record per key; the topic is compacted and small. Records that are
no control are skipped and logged; what does not belong to operators (keys that begin with
`faultstream.`) is skipped silently.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from faultstream import wire
from faultstream.core.errors import DataError
from faultstream.core.records import Control
from faultstream.ops import log

OWN_KEYS: Final = b"faultstream."
RETRY_S: Final = 1.0

_log = log.get(__name__)


class ControlReader:
    """Hands every control to `tell`, first those that stand on the topic, then new ones."""

    def __init__(self, brokers: str, topic: str, tell: Callable[[Control], None]) -> None:
        self._brokers = brokers
        self._topic = topic
        self._tell = tell
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Read what stands on the topic now; return when all of it was told.

        Raises:
            KafkaError: the broker cannot be reached.
        """
        consumer = self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._brokers, auto_offset_reset="earliest", fetch_max_wait_ms=100
        )
        await consumer.start()
        numbers = await self._partitions(consumer)
        places = [TopicPartition(self._topic, number) for number in numbers]
        consumer.assign(places)
        unread = set(places)
        while unread:
            await self._once(consumer, 50)
            for place in list(unread):
                end = consumer.highwater(place)
                if end is not None and await consumer.position(place) >= end:
                    unread.discard(place)

    async def run(self) -> None:
        """Hand on new ones for ever; trouble with the broker is waited out."""
        while (consumer := self._consumer) is not None:
            try:
                await self._once(consumer, 1_000)
            except KafkaError as exc:
                _log.warning("control_topic_away", error=repr(exc))
                await asyncio.sleep(RETRY_S)

    async def stop(self) -> None:
        """Disconnect. May be repeated."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _partitions(self, consumer: AIOKafkaConsumer) -> set[int]:
        await consumer.topics()  # fills the metadata
        return set(consumer.partitions_for_topic(self._topic) or {0})

    async def _once(self, consumer: AIOKafkaConsumer, timeout_ms: int) -> None:
        for records in (await consumer.getmany(timeout_ms=timeout_ms)).values():
            for record in records:
                if record.value is None or (record.key or b"").startswith(OWN_KEYS):
                    continue
                try:
                    self._tell(wire.decode(Control, record.value))
                except DataError as exc:
                    _log.warning("control_skipped", offset=record.offset, reason=exc.reason)
