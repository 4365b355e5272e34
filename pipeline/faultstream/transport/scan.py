"""Reading a topic from some place to its end, without a group and without commits."""

import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

STALL_S: Final = 30.0
DEPTHS: Final = (2_000, 50_000)
"""How many records of each partition the first stretches of `newest_first` reach back."""


async def scan(
    brokers: str,
    topic: str,
    starts: Mapping[int, int],
    *,
    stops: Mapping[int, int] | None = None,
    stall_s: float = STALL_S,
) -> AsyncGenerator[ConsumerRecord, None]:
    """Every record from `starts` (partition to offset) to the end as the first fetch saw it, or
    up to and without `stops`.

    In order within a partition; the partitions are mixed. The end is the high watermark of a
    fetch: the embedded broker answers the question for the latest offset too low (the base of
    the last batch, plus one). Aborted and uncommitted records are left out.

    Raises:
        TimeoutError: nothing came for `stall_s` seconds although the end is not reached.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        places = [TopicPartition(topic, partition) for partition in starts]
        consumer.assign(places)
        for place in places:
            if starts[place.partition] > 0:
                consumer.seek(place, starts[place.partition])
            else:
                await consumer.seek_to_beginning(place)
        ends = {place: stops[place.partition] for place in places} if stops is not None else {}
        open_places = set(places)
        deadline = time.monotonic() + stall_s
        while open_places:
            fetched = await consumer.getmany(*open_places, timeout_ms=50)
            for place, records in fetched.items():
                deadline = time.monotonic() + stall_s
                end = ends.setdefault(place, _end(consumer, place) or 0)
                for record in records:
                    if record.offset < end:
                        yield record
            for place in list(open_places):
                mark = ends.get(place, _end(consumer, place))
                if mark is not None and await consumer.position(place) >= mark:
                    open_places.discard(place)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{topic}: nothing came for {stall_s:g} s before the end")
    finally:
        await consumer.stop()


async def newest_first(
    brokers: str, topic: str, partitions: Iterable[int], *, holds: bytes
) -> AsyncGenerator[list[ConsumerRecord], None]:
    """The records whose value holds `holds`, in three stretches: the newest first, each in the
    order of the log within a partition. Who looks for something of late reads little of the topic.

    Raises:
        TimeoutError: as `scan`.
    """
    ends = await low_ends(brokers, topic, partitions)
    stops: dict[int, int] | None = None
    for depth in (*DEPTHS, None):
        starts = {n: 0 if depth is None else max(0, end - depth) for n, end in ends.items()}
        yield [
            record
            async for record in scan(brokers, topic, starts, stops=stops)
            if record.value is not None and holds in record.value
        ]
        if not any(starts.values()):
            return
        stops = starts


async def low_ends(brokers: str, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """An offset near the end of each partition, never past it; exact on Apache Kafka."""
    places = [TopicPartition(topic, partition) for partition in partitions]
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(places)
    finally:
        await consumer.stop()
    return {place.partition: end for place, end in ends.items()}


def _end(consumer: AIOKafkaConsumer, place: TopicPartition) -> int | None:
    end: int | None = consumer.highwater(place)
    return end
