"""The outbox: the Kafka producers of a worker, one for outputs and dead letters, one for its
changelog. A producer has one request at a time under way to a broker, and no command should wait
behind a checkpoint.

Sending does not wait for the broker; `settle` does, before anything is acknowledged. What the
broker did not take in time is sent again until it does: it may arrive twice or out of order, with
the same ids. Outside trouble is shown in health, not raised.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from faultstream.core.policy import TopicRole
from faultstream.ops import log
from faultstream.ops.health import Health
from faultstream.stream.stage import Header, Rows

LINGER_MS: Final = 0
"""A lone command must not wait; what comes while a request is under way makes batches anyway."""
BATCH_BYTES: Final = 512 * 1024
REQUEST_TIMEOUT_MS: Final = 30_000
RETRY_S: Final = 0.5

_log = log.get(__name__)


class _Sent(NamedTuple):
    again: Callable[[], Awaitable["asyncio.Future[Any]"]]
    future: "asyncio.Future[Any]"


class Outbox:
    """`start` before use, `stop` after. Used by one loop, so by one task at a time and kind."""

    def __init__(
        self,
        brokers: str,
        topics: Mapping[TopicRole, str],
        health: Health,
        *,
        max_bytes: int,
        keyed: bool,
    ) -> None:
        """`max_bytes` is the largest record that will be sent, with its headers; `keyed` whether
        there is a changelog to write."""
        self._brokers = brokers
        self._topics = topics
        self._health = health
        self._max_bytes = max_bytes
        self._keyed = keyed
        self._producer: AIOKafkaProducer | None = None
        self._changelog: AIOKafkaProducer | None = None
        self._sent: list[_Sent] = []

    async def start(self) -> None:
        """Connect.

        Raises:
            aiokafka.errors.KafkaConnectionError: no broker answers.
        """
        self._producer = self._new()
        await self._producer.start()
        if self._keyed:
            self._changelog = self._new()
            await self._changelog.start()

    async def stop(self) -> None:
        """Send what is left and disconnect. May be repeated."""
        producers = (self._producer, self._changelog)
        self._producer = self._changelog = None
        for producer in producers:
            if producer is not None:
                await producer.stop()

    def _new(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=self._brokers,
            acks="all",
            linger_ms=LINGER_MS,
            max_batch_size=BATCH_BYTES,
            max_request_size=max(self._max_bytes, 2 * BATCH_BYTES),
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )

    async def send(
        self,
        role: TopicRole,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: list[Header],
        timestamp_ms: int | None = None,
    ) -> None:
        """Hand a record to the producer; waits only when its buffer is full.

        Raises:
            MessageSizeTooLargeError: longer than `max_bytes`.
        """
        topic = self._topics[role]

        async def again() -> "asyncio.Future[Any]":
            future: asyncio.Future[Any] = await _live(self._producer).send(
                topic, value, key=key, headers=headers, timestamp_ms=timestamp_ms
            )
            return future

        self._sent.append(_Sent(again, await self._until_taken(again)))

    async def settle(self) -> None:
        """Return when the brokers have everything sent so far."""
        while self._sent:
            sent, self._sent = self._sent, []
            done = await asyncio.gather(*(each.future for each in sent), return_exceptions=True)
            for each, result in zip(sent, done, strict=True):
                if isinstance(result, KafkaError):
                    self._away(result)
                    await asyncio.sleep(RETRY_S)
                    self._sent.append(_Sent(each.again, await self._until_taken(each.again)))
                elif isinstance(result, BaseException):
                    raise result
        self._health.well("broker")

    async def write(self, topic: str, partition: int, rows: Rows) -> None:
        """Write rows to a changelog partition in their order; later batches never without the
        earlier ones.

        Raises:
            KafkaError: it did not get through in time; some rows may have been written.
        """
        producer = _live(self._changelog)
        batch = producer.create_batch()
        for key, value in rows:
            if batch.append(key=key, value=value, timestamp=None) is None:
                await (await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                if batch.append(key=key, value=value, timestamp=None) is None:
                    await producer.send_and_wait(topic, value, key=key, partition=partition)
        if batch.record_count():
            await (await producer.send_batch(batch, topic, partition=partition))

    async def _until_taken(
        self, again: Callable[[], Awaitable["asyncio.Future[Any]"]]
    ) -> "asyncio.Future[Any]":
        while True:
            try:
                return await again()
            except MessageSizeTooLargeError:
                raise
            except KafkaError as exc:
                self._away(exc)
                await asyncio.sleep(RETRY_S)

    def _away(self, exc: BaseException) -> None:
        self._health.wait("broker", str(exc) or type(exc).__name__)
        _log.warning("broker_away", error=repr(exc))


def _live(producer: AIOKafkaProducer | None) -> AIOKafkaProducer:
    if producer is None:
        raise RuntimeError("the outbox is closed")
    return producer
