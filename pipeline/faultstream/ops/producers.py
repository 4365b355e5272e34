"""Kafka producers of aiokafka: how to be rid of one."""

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer


async def stop(producer: "AIOKafkaProducer", timeout_s: float) -> None:
    """Stop it; by force when the broker does not answer, so that nothing goes on behind us. Each
    step takes `timeout_s` at most."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(timeout_s):
            await producer.stop()
            return
    task = producer._sender.sender_task if producer._sender is not None else None  # noqa: SLF001
    if task is not None:
        task.cancel()
        await asyncio.wait([task], timeout=timeout_s)
    with contextlib.suppress(Exception):
        async with asyncio.timeout(timeout_s):
            await producer.client.close()
