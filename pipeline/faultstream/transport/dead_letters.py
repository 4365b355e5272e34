"""Dead letters, read and sent again.

A letter is named by its place in the dead-letters topic, `partition:offset`. Sending it again
leaves a mark in that topic: a record without a value, stage `replayed`, with the letter's place.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final, Self

import msgspec
from aiokafka import AIOKafkaProducer, ConsumerRecord

from faultstream import wire
from faultstream.core.errors import DataError
from faultstream.core.policy import Topology
from faultstream.core.records import RecoveryCommand
from faultstream.transport.scan import low_ends, scan

PREFIX: Final = "x-faultstream-"
REPLAYED: Final = "replayed"


class Letter(msgspec.Struct, kw_only=True):
    """One refused record. Times are milliseconds since the epoch; `headers` are all it has.
    `group` is the consumer group that refused it.

    `attempt` counts how often the record was refused, over all replays.
    """

    partition: int
    offset: int
    time_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    topic: str
    original_partition: int
    original_offset: int
    original_ms: int
    group: str
    stage: str
    error_type: str
    reason: str
    attempt: int
    first_failed_at: str
    failed_ms: int
    """When it was refused last; the record's own time when the headers do not say."""
    replay_of: str
    """The place of the letter that this record marks as replayed; "" for a letter."""

    @property
    def place(self) -> str:
        """`partition:offset` in the dead-letters topic."""
        return f"{self.partition}:{self.offset}"


def letter(record: ConsumerRecord) -> Letter:
    """The letter in a record of the dead-letters topic. Never fails: what is missing is empty.

    A record that was refused again after a replay may carry our headers several times; the
    last ones are about the last refusal.
    """
    headers = tuple((name, value or b"") for name, value in record.headers)
    ours: dict[str, list[str]] = {}
    for name, value in headers:
        if name.startswith(PREFIX):
            ours.setdefault(name.removeprefix(PREFIX), []).append(value.decode("utf-8", "replace"))

    def last(name: str) -> str:
        return ours.get(name, [""])[-1]

    attempts = ours.get("attempt", [])
    return Letter(
        partition=record.partition,
        offset=record.offset,
        time_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=headers,
        topic=last("original-topic"),
        original_partition=_number(last("original-partition")),
        original_offset=_number(last("original-offset")),
        original_ms=_number(last("original-timestamp")),
        group=last("consumer-group"),
        stage=last("stage"),
        error_type=last("error-type"),
        reason=last("error-message"),
        attempt=max([len(attempts), *map(_number, attempts)]),
        first_failed_at=ours.get("first-failed-at", [""])[0],
        failed_ms=_moment(last("last-failed-at"), record.timestamp),
        replay_of=last("replay-of") if last("stage") == REPLAYED else "",
    )


def _moment(text: str, otherwise: int) -> int:
    try:
        return wire.parse_time(text)
    except (ValueError, OverflowError):
        return otherwise


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1


async def read(
    brokers: str, topology: Topology, *, tail: int | None = None
) -> AsyncGenerator[Letter, None]:
    """Letters and marks, all of them or at least the last `tail` records of each partition."""
    topic = topology.topic("dead_letters")
    starts = dict.fromkeys(range(topology.topics["dead_letters"].partitions), 0)
    if tail is not None:
        ends = await low_ends(brokers, topic, starts)
        starts = {partition: max(0, ends[partition] - tail) for partition in starts}
    async for record in scan(brokers, topic, starts):
        yield letter(record)


async def waiting(
    brokers: str, topology: Topology, wants: Callable[[Letter], bool], *, tail: int | None = None
) -> list[Letter]:
    """Letters that `wants` takes and that were not replayed, the first refused first.

    Their values are left out because a letter may have 12 MB; `fetch` brings one.
    """
    found: dict[str, Letter] = {}
    async for one in read(brokers, topology, tail=tail):
        if one.replay_of:
            found.pop(one.replay_of, None)
        elif wants(one):
            one.value = None
            found[one.place] = one
    return sorted(found.values(), key=lambda one: (one.failed_ms, one.partition, one.offset))


async def fetch(brokers: str, topology: Topology, place: str) -> Letter | None:
    """The letter at `partition:offset` with its value, None when there is none."""
    partition, _, offset = place.partition(":")
    start = _number(offset)
    if not 0 <= _number(partition) < topology.topics["dead_letters"].partitions or start < 0:
        return None
    topic = topology.topic("dead_letters")
    async with aclosing(scan(brokers, topic, {int(partition): start})) as records:
        async for record in records:
            return letter(record) if record.offset == start else None
    return None


def refusal(one: Letter, topology: Topology, *, max_attempts: int, now_ms: int) -> str:
    """Why a letter (with its value) must not be sent again; "" when it may."""
    names = {policy.name for policy in topology.topics.values()}
    if one.topic not in names - {topology.topic("dead_letters")}:
        return f"its original topic {one.topic!r} is none of the topology's"
    if one.attempt >= max_attempts:
        return f"refused {one.attempt} times already (at most {max_attempts})"
    if one.topic == topology.topic("commands"):
        try:
            command = wire.decode(RecoveryCommand, one.value)
        except DataError as exc:
            return f"a command that cannot be read: {exc.reason}"
        if command.expires_at_ms <= now_ms:
            return f"a command that expired at {wire.rfc3339(command.expires_at_ms)}"
    return ""


class Replayer:
    """Sends letters to their original topics, at most `rate` a second.

    The record has the original key, value, headers and timestamp, and our headers of the
    refusals so far. May repeat one letter when it is killed between the record and its mark.
    """

    def __init__(self, brokers: str, topology: Topology, *, rate: float) -> None:
        self._topology = topology
        self._pause_s = 1 / rate
        self._next = 0.0
        self._producer = AIOKafkaProducer(
            bootstrap_servers=brokers,
            acks="all",
            max_request_size=topology.topics["dead_letters"].max_message_bytes,
        )

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def send(self, one: Letter, now_ms: int) -> tuple[int, int]:
        """Send it and mark it; partition and offset in its original topic.

        Raises:
            KafkaError: it was not sent, or sent and not marked.
        """
        await asyncio.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + self._pause_s
        sent = await self._producer.send_and_wait(
            one.topic,
            one.value,
            key=one.key if one.value is not None else one.key or b"",  # the client needs one
            headers=list(one.headers),
            timestamp_ms=one.original_ms if one.original_ms >= 0 else None,
        )
        await self._producer.send_and_wait(
            self._topology.topic("dead_letters"),
            None,
            key=one.key or b"",
            partition=one.partition,
            headers=_mark(one, now_ms),
        )
        return sent.partition, sent.offset


def _mark(one: Letter, now_ms: int) -> Sequence[tuple[str, bytes]]:
    now = wire.rfc3339(now_ms)
    ours = {
        "original-topic": one.topic,
        "original-partition": str(one.original_partition),
        "original-offset": str(one.original_offset),
        "original-timestamp": str(one.original_ms),
        "consumer-group": one.group,
        "stage": REPLAYED,
        "error-type": one.error_type,
        "error-message": one.reason,
        "attempt": str(one.attempt),
        "first-failed-at": one.first_failed_at,
        "last-failed-at": now,
        "replay-of": one.place,
    }
    return [(PREFIX + name, text.encode("utf-8", "replace")) for name, text in ours.items()]
