"""Records as the parser made them carry the same as aiokafka's own, on both brokers."""

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

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
