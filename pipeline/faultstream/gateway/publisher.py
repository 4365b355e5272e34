"""Publisher: batches of records to one topic, each answered when Kafka has stored it.

What waits is bounded in records and bytes. While Kafka is known to be away nothing is taken;
what was taken is tried again until whoever waits gives up, and what was given up before it was
sent is not sent any more.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
)

from faultstream.core.policy import Topology
from faultstream.gateway.errors import AwayError, FullError, ProblemError
from faultstream.ops import log, producers
from faultstream.ops.health import Health
from faultstream.ops.metrics import GATEWAY_WAITING
from faultstream.transport import topics

REQUEST_MS: Final = 10_000
AT_ONCE: Final = 2_000
"""Records in one round."""
_FIRST_S: Final = 0.1
_LONGEST_S: Final = 2.0
_STOP_S: Final = 3.0
_NOT_YET: Final = "not connected yet"

_NEVER: Final = (
    MessageSizeTooLargeError,
    RecordTooLargeError,
    InvalidTopicError,
    TopicAuthorizationFailedError,
)
"""What trying again does not mend."""

_log = log.get(__name__)


class Parcel(NamedTuple):
    """One record."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Place(NamedTuple):
    """Where a record was stored."""

    partition: int
    offset: int


class Batch:
    """Records that are answered together. `told` ends when all are stored or none will be."""

    def __init__(self, parcels: Sequence[Parcel]) -> None:
        self.parcels = parcels
        self.places: list[Place | None] = [None] * len(parcels)
        self.size = sum(len(parcel.value) + len(parcel.key) + 300 for parcel in parcels)
        self.told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.wanted = True
        self.taken = False
        """Whether the publisher has it, and will say what becomes of it."""
        self.refused = ""
        """Why Kafka will never take it."""

    @property
    def stored(self) -> bool:
        """Whether Kafka has all of it."""
        return all(place is not None for place in self.places)


class Publisher:
    """See the module. `run` is a task of the gateway; `close` ends it after what waits is sent."""

    def __init__(
        self,
        brokers: str,
        topology: Topology,
        health: Health,
        *,
        max_records: int,
        max_bytes: int,
    ) -> None:
        self._brokers = brokers
        self._topology = topology
        self.topic = topology.topic("errors")
        self._health = health
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._queue: deque[Batch] = deque()
        self._records = 0
        self._bytes = 0
        self._news = asyncio.Event()
        self._producer: AIOKafkaProducer | None = None
        self._away = _NOT_YET
        health.wait("kafka", _NOT_YET)
        self._closing = False

    @property
    def away(self) -> str:
        """Why nothing is taken; '' when Kafka answered last time."""
        return self._away

    async def publish(self, batch: Batch, *, wait_s: float) -> None:
        """Return when Kafka has stored all of it.

        Raises:
            AwayError: Kafka is away, or did not answer within `wait_s`; what was sent may still
                arrive.
            FullError: there is no room.
        """
        if self._away or self._closing:
            raise AwayError(self._away or "the gateway is about to stop")
        if (
            self._records + len(batch.parcels) > self._max_records
            or self._bytes + batch.size > self._max_bytes
        ):
            raise FullError("too much waits for Kafka")
        self._records += len(batch.parcels)
        self._bytes += batch.size
        GATEWAY_WAITING.set(self._records)
        batch.told.add_done_callback(lambda _: self._over(batch))
        batch.taken = True
        self._queue.append(batch)
        self._news.set()
        await self.wait(batch, wait_s=wait_s)

    @staticmethod
    async def wait(batch: Batch, *, wait_s: float) -> None:
        """Return when a batch that was published is stored.

        Raises:
            AwayError: it was not within `wait_s`.
            ProblemError: 500; Kafka refuses it for good.
        """
        try:
            async with asyncio.timeout(wait_s):
                await asyncio.shield(batch.told)
        except TimeoutError as exc:
            batch.wanted = False
            raise AwayError(f"Kafka did not answer within {wait_s:g} s") from exc
        if batch.refused:
            raise ProblemError(500, "Kafka refuses it", batch.refused)
        if not batch.stored:
            raise AwayError("it was given up before it could be sent")

    async def run(self) -> None:
        """Connect, and send what comes, until `close`."""
        wait_s = _FIRST_S
        try:
            while not self._closing or self._queue:
                try:
                    await self._connect()
                    await self._round()
                    wait_s = _FIRST_S
                except (KafkaError, OSError, TimeoutError) as exc:
                    await self._trouble(exc)
                    if self._closing:
                        return
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(wait_s):
                            await self._until_closing()
                    wait_s = min(2 * wait_s, _LONGEST_S)
        finally:
            for batch in self._queue:
                _tell(batch)
            self._queue.clear()
            await self._stop()

    async def close(self) -> None:
        """Take nothing more; `run` ends when all that waits was tried once more."""
        self._closing = True
        self._news.set()

    async def _until_closing(self) -> None:
        while not self._closing:
            self._news.clear()
            self._forget_unwanted()
            await self._news.wait()

    async def _connect(self) -> None:
        if self._producer is not None:
            return
        await topics.wait_for_broker(self._brokers, 1.0)
        missing = [
            one.topic
            for one in await topics.differences(self._brokers, self._topology)
            if one.what == "missing" and one.topic == self.topic
        ]
        if missing:
            mend = "`faultstream topology create` makes it"
            raise KafkaError(f"there is no topic {self.topic}; {mend}")
        producer = AIOKafkaProducer(
            bootstrap_servers=self._brokers,
            client_id="faultstream-gateway",
            acks="all",
            request_timeout_ms=REQUEST_MS,
            max_request_size=2 << 20,
            max_batch_size=256 << 10,
            linger_ms=2,
        )
        try:
            await producer.start()
        except BaseException:
            await producers.stop(producer, _STOP_S)
            raise
        self._producer = producer
        if self._away:
            _log.info("gateway_connected", brokers=self._brokers)
        self._away = ""
        self._health.well("kafka")

    async def _round(self) -> None:
        """Send what waits, and wait for the answers."""
        self._news.clear()
        self._forget_unwanted()
        if not self._queue:
            if not self._closing:
                await self._news.wait()
            return
        taken: list[Batch] = []
        records = 0
        while self._queue and (not taken or records + len(self._queue[0].parcels) <= AT_ONCE):
            batch = self._queue.popleft()
            records += len(batch.parcels)
            taken.append(batch)
        try:
            async with asyncio.timeout(REQUEST_MS / 1000 + 1):
                await self._send(taken)
        finally:
            ended = [batch for batch in taken if batch.stored or batch.refused]
            self._queue.extendleft(batch for batch in reversed(taken) if batch not in ended)
            for batch in ended:
                _tell(batch)

    async def _send(self, batches: Sequence[Batch]) -> None:
        assert self._producer is not None  # noqa: S101 - _connect made it
        under_way: list[tuple[Batch, int, asyncio.Future[Any]]] = []
        for batch in batches:
            for at, parcel in enumerate(batch.parcels):
                if batch.places[at] is None and not batch.refused:
                    try:
                        future = await self._producer.send(
                            self.topic, parcel.value, key=parcel.key, headers=parcel.headers
                        )
                    except _NEVER as exc:
                        batch.refused = str(exc)
                    else:
                        under_way.append((batch, at, future))
        answers = await asyncio.gather(*(each[2] for each in under_way), return_exceptions=True)
        trouble: BaseException | None = None
        for (batch, at, _), answer in zip(under_way, answers, strict=True):
            if isinstance(answer, _NEVER):
                batch.refused = str(answer) or type(answer).__name__
            elif isinstance(answer, BaseException):
                trouble = trouble or answer
            else:
                batch.places[at] = Place(answer.partition, answer.offset)
        if trouble is not None:
            raise trouble

    async def _trouble(self, exc: BaseException) -> None:
        reason = " ".join(str(exc).split())[:300] or type(exc).__name__
        if not self._away or self._away == _NOT_YET:
            _log.warning("gateway_kafka_away", reason=reason)
        self._away = reason
        self._health.wait("kafka", reason)
        await self._stop()

    def _forget_unwanted(self) -> None:
        """What nobody waits for any more and no part of which was sent."""
        gone = [one for one in self._queue if not one.wanted and not any(one.places)]
        for batch in gone:
            self._queue.remove(batch)
            _tell(batch)

    def _over(self, batch: Batch) -> None:
        self._records -= len(batch.parcels)
        self._bytes -= batch.size
        GATEWAY_WAITING.set(self._records)

    async def _stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producers.stop(producer, _STOP_S)


def _tell(batch: Batch) -> None:
    if not batch.told.done():
        batch.told.set_result(None)
