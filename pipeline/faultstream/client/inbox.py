"""Reading the commands topic: all of it, or as one of a group that shares it.

Both go on for ever and wait out every trouble with Kafka. Records may come again after trouble.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from faultstream.client import asking, lifetime, nearby
from faultstream.client.brokers import addresses
from faultstream.client.sender import reachable

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord

FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 5.0
POLL_MS: Final = 500
_ASSIGN_TIMEOUT_S: Final = 1.0
_STOP_TIMEOUT_S: Final = 5.0
STAMP_SLACK_MS: Final = 60_000

log = logging.getLogger("faultstream.client")

Take = Callable[["ConsumerRecord[bytes, bytes]"], Awaitable[None]]
Commit = Callable[[], Awaitable[bool]]
TakeShared = Callable[["ConsumerRecord[bytes, bytes]", Commit], Awaitable[None]]


class Inbox:
    """The commands topic, for one executor. `kafka` are further settings for aiokafka."""

    def __init__(
        self,
        brokers: str,
        topic: str,
        client_id: str,
        kafka: Mapping[str, Any],
        *,
        poll_ms: int = POLL_MS,
    ) -> None:
        """`poll_ms`: how long the broker may wait for news before it says that there are none."""
        addresses(brokers)
        self._brokers = brokers
        self._topic = topic
        self._client_id = client_id
        self._kafka = kafka
        self._poll_ms = poll_ms
        self.ready = asyncio.Event()
        """Set once `read_all` stands in every partition."""

    async def read_all(
        self, since_ms: Callable[[], int], take: Take, *, what: str = "commands"
    ) -> None:
        """Give every record that was written since then to `take`, in the order of partitions."""

        async def once() -> None:
            async with self._consumer(group_id=None) as consumer:
                await self._stand(consumer, since_ms())
                self.ready.set()
                await self._follow(consumer, take)

        await self._always(once, f"{what} cannot be read")

    async def read_shared(self, group: str, take: TakeShared) -> None:
        """Be one of `group`: each record goes to one of them, with a way to commit it."""

        async def once() -> None:
            async with self._consumer(
                group_id=group, session_timeout_ms=10_000, heartbeat_interval_ms=3_000
            ) as consumer:
                await self._exists(consumer)
                consumer.subscribe([self._topic])
                async for record in consumer:
                    await take(record, _committer(consumer, record))

        await self._always(once, "commands of the group cannot be read")

    async def _always(self, once: Callable[[], Awaitable[None]], trouble: str) -> None:
        wait_s = FIRST_WAIT_S
        while True:
            began = time.monotonic()
            if await reachable(self._brokers):
                try:
                    await once()
                except Exception as exc:  # noqa: BLE001 - Kafka's troubles are waited out
                    log.warning("%s: %s: %s", trouble, type(exc).__name__, exc)
            if time.monotonic() - began > LONGEST_WAIT_S:
                wait_s = FIRST_WAIT_S
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    @contextlib.asynccontextmanager
    async def _consumer(
        self, *, group_id: str | None, **more: Any
    ) -> AsyncIterator["AIOKafkaConsumer[bytes, bytes]"]:
        lifetime.load_kafka()
        from aiokafka import AIOKafkaConsumer  # noqa: PLC0415

        consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
            bootstrap_servers=[f"{host}:{port}" for host, port in addresses(self._brokers)],
            client_id=self._client_id,
            group_id=group_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=self._poll_ms,
            metadata_max_age_ms=30_000,
            **more,
            **self._kafka,
        )
        asking.never_create(consumer._client)  # noqa: SLF001 - it has no other way
        # A start that is cancelled leaves a connection open, so it goes on to its end.
        starting = asyncio.ensure_future(consumer.start())
        try:
            await asyncio.shield(starting)
            if self._poll_ms <= POLL_MS:
                await nearby.read_quickly(consumer)
            yield consumer
        finally:
            try:
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(_STOP_TIMEOUT_S):
                        await starting
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(_STOP_TIMEOUT_S):
                        await consumer.stop()
            finally:  # what a broker that does not answer, or a second cancellation, left open
                for connection in list(consumer._client._conns.values()):  # noqa: SLF001
                    connection.close()

    async def _stand(self, consumer: "AIOKafkaConsumer[bytes, bytes]", since_ms: int) -> None:
        """Have every partition, each from the first record that is not older than that.

        Partitions that are added later are read from their start.
        """
        await self._exists(consumer)
        while not (partitions := consumer.assignment()):
            consumer.subscribe([self._topic])  # asks the broker anew
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ASSIGN_TIMEOUT_S):
                    while not consumer.assignment():  # noqa: ASYNC110 - nothing tells of it
                        await asyncio.sleep(0.01)
        ends = await consumer.end_offsets(partitions)  # before: what comes meanwhile is not missed
        starts = await consumer.offsets_for_times(dict.fromkeys(partitions, since_ms))
        for partition in partitions:
            start = starts.get(partition)
            consumer.seek(partition, start.offset if start is not None else ends[partition])

    async def _exists(self, consumer: "AIOKafkaConsumer[bytes, bytes]") -> None:
        wait_s = max(_ASSIGN_TIMEOUT_S, self._poll_ms / 1000)  # who is in no hurry asks less often
        while self._topic not in await consumer.topics():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(wait_s)

    async def _follow(self, consumer: "AIOKafkaConsumer[bytes, bytes]", take: Take) -> None:
        while True:
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    await take(record)


def _committer(
    consumer: "AIOKafkaConsumer[bytes, bytes]", record: "ConsumerRecord[bytes, bytes]"
) -> Commit:
    """Commits everything up to `record`; False when the group has moved on without us."""

    async def commit() -> bool:
        from aiokafka import TopicPartition  # noqa: PLC0415
        from aiokafka.errors import KafkaError  # noqa: PLC0415

        try:
            await consumer.commit(
                {TopicPartition(record.topic, record.partition): record.offset + 1}
            )
        except KafkaError as exc:
            log.warning("a command is left to others: %s", exc)
            return False
        return True

    return commit
