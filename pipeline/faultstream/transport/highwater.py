"""True end offsets.

ListOffsets(latest) of the embedded broker answers with the base offset of the last batch plus
one; its Fetch answers with the right high watermark. So the last known record is fetched and the
watermark of that answer is taken. Right on every broker, and costs one short fetch.
"""

import asyncio
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from faust.types import TP


async def end_offsets(
    brokers: list[str], partitions: Iterable[TP], *, timeout_s: float = 30.0
) -> Mapping[TP, int]:
    """Offset after the last record of each partition, 0 for an empty one.

    Raises:
        TimeoutError: the broker did not answer for all of them in time.
        aiokafka.errors.KafkaError: it cannot be reached, or a topic is not there.
    """
    wanted = {TopicPartition(tp.topic, tp.partition): tp for tp in partitions}
    if not wanted:
        return {}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers, auto_offset_reset="earliest", fetch_max_wait_ms=50
    )
    await consumer.start()
    try:
        async with asyncio.timeout(timeout_s):
            ends: dict[TopicPartition, int] = dict(await consumer.end_offsets(list(wanted)))
            pending = {partition for partition, end in ends.items() if end > 0}
            if pending:
                consumer.assign(list(pending))
                for partition in pending:
                    consumer.seek(partition, ends[partition] - 1)
            while pending:
                await consumer.getmany(timeout_ms=50)
                for partition in list(pending):
                    mark = consumer.highwater(partition)
                    if mark is not None:
                        ends[partition] = max(ends[partition], mark)
                        consumer.pause(partition)
                        pending.discard(partition)
    finally:
        await consumer.stop()
    return {tp: ends[partition] for partition, tp in wanted.items()}
