"""Delivery to Kafka: connects when it can, says what did not arrive, never raises for Kafka.

Each parcel may arrive more than once (a broker may lose its answer); ids inside make repeats
harmless. Runs in one event loop; aiokafka is imported at the first connect.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from faultstream.client import asking, lifetime
from faultstream.client.brokers import addresses
from faultstream.ops import producers

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

REQUEST_TIMEOUT_MS: Final = 10_000
MAX_REQUEST_BYTES: Final = 1_048_576
_CONNECT_TIMEOUT_S: Final = 5.0
_STOP_TIMEOUT_S: Final = 2.0

log = logging.getLogger("faultstream.client")


class Parcel(NamedTuple):
    """One record for Kafka; `token` is the caller's own."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    token: Any


async def reachable(brokers: str) -> bool:
    """Whether one of them takes a connection; asked first, because aiokafka logs each failure."""
    for host, port in addresses(brokers):
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            continue
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True
    return False


class Sender:
    """One producer, made again after every failure. `kafka` are further settings for aiokafka."""

    def __init__(
        self,
        brokers: str,
        client_id: str,
        kafka: Mapping[str, Any],
        *,
        refused: Callable[[Parcel, str], None],
    ) -> None:
        """`refused` is told of parcels that Kafka will never take, with the reason."""
        addresses(brokers)
        self._brokers = brokers
        self._client_id = client_id
        self._kafka = kafka
        self._refused = refused
        self._producer: AIOKafkaProducer | None = None
        self._said_missing = False

    @property
    def connected(self) -> bool:
        """Whether the last thing that was tried worked."""
        return self._producer is not None

    async def connect(self) -> bool:
        """Be connected; False when Kafka is away."""
        if self._producer is not None:
            return True
        if not await reachable(self._brokers):
            return False
        try:
            lifetime.load_kafka()
        except ImportError as exc:
            if not self._said_missing:
                self._said_missing = True
                log.error("Kafka's library cannot be loaded (pip install aiokafka): %s", exc)  # noqa: TRY400
            return False
        from aiokafka import AIOKafkaProducer  # noqa: PLC0415
        from aiokafka.errors import KafkaError  # noqa: PLC0415

        settings: dict[str, Any] = {
            "bootstrap_servers": [f"{host}:{port}" for host, port in addresses(self._brokers)],
            "client_id": self._client_id,
            "acks": "all",
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "max_request_size": MAX_REQUEST_BYTES,
            "retry_backoff_ms": 100,
            "metadata_max_age_ms": 60_000,
            **self._kafka,
        }
        producer = AIOKafkaProducer(**settings)
        asking.never_create(producer.client)
        try:
            await producer.start()
        except (KafkaError, OSError, TimeoutError):
            await producers.stop(producer, _STOP_TIMEOUT_S)
            return False
        except BaseException:
            await producers.stop(producer, _STOP_TIMEOUT_S)
            raise
        self._producer = producer
        return True

    async def deliver(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Send all and wait for the answers; those that did not arrive, in their order.

        Parcels that can never arrive go to `refused`. After trouble the producer is given up.
        """
        producer = self._producer
        if producer is None:
            return list(parcels)
        under_way: list[asyncio.Future[Any] | Exception] = []
        trouble: Exception | None = None
        for topic, key, value, headers, _ in parcels:
            if trouble is None:
                try:
                    await self._expect(producer, topic)
                    under_way.append(
                        await producer.send(topic, value=value, key=key, headers=headers)
                    )
                    continue
                except Exception as exc:  # noqa: BLE001 - whatever it is, the parcel is kept
                    trouble = exc if _passing(exc) else None
                    under_way.append(exc)
            else:
                under_way.append(trouble)
        left = []
        for parcel, sent in zip(parcels, under_way, strict=True):
            error = await _error(sent)
            if error is None:
                continue
            if _passing(error):
                left.append(parcel)
            else:
                self._refused(parcel, type(error).__name__)
        if left:
            await self.close()
        return left

    async def _expect(self, producer: "AIOKafkaProducer", topic: str) -> None:
        from aiokafka.errors import UnknownTopicOrPartitionError  # noqa: PLC0415

        if await asking.there(producer.client, topic):
            return
        if not self._said_missing:
            self._said_missing = True
            log.warning(
                "Kafka has no topic %s: what is reported is kept here until it is there; "
                "`faultstream topology create` makes it",
                topic,
            )
        raise UnknownTopicOrPartitionError

    async def close(self) -> None:
        """Give the producer up; what is under way may still arrive."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producers.stop(producer, _STOP_TIMEOUT_S)


async def _error(sent: "asyncio.Future[Any] | Exception") -> Exception | None:
    """What became of one record."""
    if isinstance(sent, Exception):
        return sent
    try:
        await sent
    except Exception as exc:  # noqa: BLE001 - the caller looks at it
        return exc
    return None


def _passing(error: Exception) -> bool:
    """Whether trying again can help: not for a record that is too large or may not be written."""
    from aiokafka import errors  # noqa: PLC0415

    return not isinstance(
        error,
        errors.MessageSizeTooLargeError
        | errors.InvalidTopicError
        | errors.TopicAuthorizationFailedError
        | errors.RecordTooLargeError
        | UnicodeError,
    )
