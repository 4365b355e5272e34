"""Executors ask the embedded broker often, which does not answer a fetch when a record comes."""

import pytest
from aiokafka import AIOKafkaConsumer

from faultstream.client.nearby import QUICK_FETCH_MS, read_quickly

USUAL_MS = 500


async def _wait_ms(broker: str) -> int:
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
        bootstrap_servers=broker, fetch_max_wait_ms=USUAL_MS
    )
    await consumer.start()
    try:
        await read_quickly(consumer)
        found: int = consumer._fetcher._fetch_max_wait_ms
    finally:
        await consumer.stop()
    return found


async def test_the_embedded_broker_is_asked_often(embedded_broker: str) -> None:
    """It is known by the id of its cluster."""
    assert await _wait_ms(embedded_broker) == QUICK_FETCH_MS


@pytest.mark.kafka
async def test_apache_kafka_is_asked_as_usual(apache_kafka: str) -> None:
    """It answers as soon as there is something, so asking often would only cost."""
    assert await _wait_ms(apache_kafka) == USUAL_MS
