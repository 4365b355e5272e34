"""Kafka away and back, and a gateway that is told to stop: what was answered 202 is there, once."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest

from faultstream.core.policy import GatewayPolicy, Topology
from faultstream.transport.embedded import EmbeddedBroker
from faultstream.transport.scan import scan
from tests.gateway.conftest import made
from tests.gateway.kit import ERROR, PARTITIONS, running
from tests.until import until_async


@pytest.fixture
async def own() -> AsyncIterator[EmbeddedBroker]:
    """A broker that the test may freeze."""
    broker = EmbeddedBroker()
    broker.start()
    yield broker
    broker.stop()


async def stored(brokers: str, topology: Topology) -> list[str]:
    """The keys of all records."""
    starts = dict.fromkeys(range(PARTITIONS), 0)
    records = scan(brokers, topology.topic("errors"), starts)
    return [(record.key or b"").decode() async for record in records]


async def test_kafka_away_and_back(own: EmbeddedBroker, prefix: str) -> None:
    """A broker that hangs: 503 with Retry-After, after a while at once and without a body being
    read; the buffer stays bounded; it is not ready, but healthy. When it is back everything goes on
    by itself, and what was taken is there once, also what was sent again after a 503."""
    topology = await made(own.address, prefix)
    limits = GatewayPolicy(wait_ms=1_000, buffer_records=5)
    pid = own.pid
    assert pid is not None
    async with running(own.address, topology, limits=limits) as gateway:

        async def send(service: str) -> int:
            event_id = f"00000000-0000-8000-8000-{service:0>12}"
            record = {**ERROR, "service": service, "event_id": event_id}
            return (await gateway.post("/v1/errors", record))[0]

        async def until_taken(service: str) -> None:
            async def taken() -> bool:
                return await send(service) == 202

            await until_async(taken, f"{service} was taken", timeout_s=40)

        await until_taken("1")
        os.kill(pid, signal.SIGSTOP)
        try:
            answers = await asyncio.gather(*(send(str(n)) for n in range(2, 10)))
            assert set(answers) == {503}
            assert int(gateway.headers["Retry-After"]) >= 1

            async def known() -> bool:
                status, told = await gateway.get("/-/ready")
                return status == 503 and b"kafka" in told

            await until_async(known, "the gateway knows", timeout_s=40)
            assert (await gateway.get("/-/healthy"))[0] == 200
            assert await send("10") == 503
        finally:
            os.kill(pid, signal.SIGCONT)
        await gateway.ready()
        for number in range(1, 11):
            await until_taken(str(number))
    found = await stored(own.address, topology)
    assert set(found) >= {str(n) for n in range(1, 11)}
    assert found.count("1") == 1


async def test_a_stop_answers_what_was_taken(embedded_broker: str, topology: Topology) -> None:
    """SIGTERM amid requests: each ends with 202 and is stored, or is told no; exit code 0."""
    env = {
        **os.environ,
        "FAULTSTREAM_KAFKA": embedded_broker,
        "FAULTSTREAM_GATEWAY_LISTEN": "127.0.0.1:0",
    }
    argv = [sys.executable, "-c", SERVE, topology.topic("errors"), topology.topic("control")]
    process = await asyncio.create_subprocess_exec(*argv, env=env, stdout=-1)
    assert process.stdout is not None
    address = (await process.stdout.readline()).decode().strip()
    taken: list[str] = []
    async with aiohttp.ClientSession() as session:

        async def ready() -> bool:
            async with session.get(f"{address}/-/ready") as answer:
                return answer.status == 200

        await until_async(ready, "the gateway is ready")

        async def send(service: str) -> None:
            record = {**ERROR, "service": service}
            try:
                async with session.post(f"{address}/v1/errors", json=record) as answer:
                    if answer.status == 202:
                        taken.append(service)
            except aiohttp.ClientError:
                return

        sending = [asyncio.create_task(send(f"s{n}")) for n in range(300)]

        async def some() -> bool:
            return len(taken) > 20

        await until_async(some, "some were taken")
        process.send_signal(signal.SIGTERM)
        await asyncio.gather(*sending)
    assert await process.wait() == 0
    assert taken
    assert set(await stored(embedded_broker, topology)) >= set(taken)


SERVE = """
import sys
import msgspec
from faultstream.config import topology
from faultstream.cli import gateway
found = topology.load()
for role, name in zip(("errors", "control"), sys.argv[1:]):
    found.topics[role] = msgspec.structs.replace(found.topics[role], name=name)
gateway.load = lambda _: found
gateway.command([])
"""
