"""Records as the parser made them carry the same as aiokafka's own, on both brokers."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException

from faultstream.config.topology import load
from faultstream.transport import lean, topics
from tests.conftest import prefixed


async def test_lean_records_say_the_same(broker: str, prefix: str) -> None:
    """Offset, timestamp, key, value and headers of each record are equal, and a position in the
    middle of a batch is kept to."""
    topology = prefixed(load(None), prefix)
    await topics.create(broker, topology)
    name = topology.topic("errors")
    tp = TopicPartition(name, 0)
    async with AIOKafkaProducer(bootstrap_servers=broker, linger_ms=50) as producer:
        futures = [
            await producer.send(
                name,
                None if n == 3 else b"value %d" % n,
                key=None if n == 5 else b"key",
                partition=0,
                timestamp_ms=1_700_000_000_000 + n,
                headers=[("name", b"x"), ("empty", b"")],
            )
            for n in range(10)
        ]
        for future in futures:
            await future

    async def read(most: int | None = None) -> list[tuple[object, ...]]:
        consumer = AIOKafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign([tp])
            consumer.seek(tp, 2)
            found: list[tuple[object, ...]] = []
            while len(found) < 8:
                runs = await consumer.getmany(timeout_ms=500, max_records=most)
                run = runs.get(tp, [])
                assert most is None or len(run) <= most
                assert await consumer.position(tp) == (
                    run[-1].offset + 1 if run else 2 + len(found)
                )
                for record in run:
                    headers = [tuple(header) for header in record.headers]
                    found.append(
                        (record.offset, record.timestamp, record.key, record.value, headers)
                    )
            return found
        finally:
            await consumer.stop()

    stock = await read()
    assert lean.hand_over(name)
    for most in (None, 1, 3, 8, 100):
        assert await read(most) == stock
    assert [offset for offset, *_ in stock] == list(range(2, 10))


class Batch:
    """A fetched batch of records with these offsets, whole or not."""

    is_control_batch = False

    def __init__(self, *offsets: int, whole: bool = True) -> None:
        self._records = [SimpleNamespace(offset=one) for one in offsets]
        self.next_offset = offsets[-1] + 1
        self._whole = whole

    def validate_crc(self) -> bool:
        return self._whole

    def __iter__(self) -> Iterator[SimpleNamespace]:
        return iter(self._records)


class Batches:
    """The batches of one fetch, as aiokafka's parser hands them out."""

    def __init__(self, *batches: Batch) -> None:
        self._batches = list(batches)

    def has_next(self) -> bool:
        return bool(self._batches)

    def next_batch(self) -> Batch:
        return self._batches.pop(0)


def test_a_corrupt_batch_skips_nothing() -> None:
    """What was taken apart before it and what stands behind it are not handed over past it: the
    fetch is thrown away whole, so that the position, which stays, is fetched again."""
    tp = TopicPartition("corrupt", 0)
    assert lean.hand_over(tp.topic)
    batches = Batches(Batch(5, 6), Batch(7, 8, whole=False), Batch(9))
    state = SimpleNamespace(paused=False, position=5, consumed_to=None)
    assignment = SimpleNamespace(active=True, state_value=lambda _: state)
    records = fetcher.PartitionRecords(tp, batches, [], 5, None, None, True, 0)
    result = fetcher.FetchResult(tp, assignment=assignment, partition_records=records, backoff=0)
    with pytest.raises(CorruptRecordException):
        result.getall(100)
    assert result.getall(100) == []
    assert not result.has_more()
    assert state.position == 5
