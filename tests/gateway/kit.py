"""A gateway in the test's own event loop, and what it wrote to Kafka."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from faultstream.core.policy import GatewayPolicy, Topology
from faultstream.formats.native import admit
from faultstream.gateway.access import Access
from faultstream.gateway.app import Part, Running, make
from faultstream.gateway.publisher import Publisher
from faultstream.gateway.receiving import Receiving
from faultstream.ops.health import Health
from faultstream.transport.scan import scan
from tests.until import until_async

TOKEN = "0123456789abcdef0123456789abcdef"
ERROR = {"service": "orders", "error_type": "TimeoutError", "message": "no answer"}


LIMITS = GatewayPolicy()
PARTITIONS = 2


class Gateway:
    """One that runs; `post` and `get` ask it."""

    def __init__(
        self, address: str, session: aiohttp.ClientSession, brokers: str, topic: str
    ) -> None:
        self.address = address
        self.session = session
        self._brokers = brokers
        self._topic = topic

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    async def post(
        self, path: str, body: Any = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and answer; an answer that is JSON as values. Objects are sent as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self._ask("POST", path, data=data, headers=dict(headers or {}))

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        return await self._ask("GET", path, headers=dict(headers or {}))

    async def ready(self) -> None:
        async def holds() -> bool:
            return (await self.get("/-/ready"))[0] == 200

        await until_async(holds, "the gateway is ready")

    async def events(self) -> list[dict[str, Any]]:
        """All that stands on the topic, in the order of the log; every one can be admitted."""
        starts = dict.fromkeys(range(PARTITIONS), 0)
        found = []
        async for record in scan(self._brokers, self._topic, starts):
            event = admit(record.value, timestamp_ms=record.timestamp)
            assert record.key == event.service.encode()
            found.append(json.loads(record.value or b"{}"))
        return found

    async def _ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        async with self.session.request(method, self.address + path, **more) as answer:
            body = await answer.read()
            self.headers = answer.headers
            is_json = "json" in answer.content_type
            return answer.status, json.loads(body) if is_json else body


@asynccontextmanager
async def running(
    brokers: str,
    topology: Topology,
    *,
    senders: Mapping[str, str] | None = None,
    readers: Mapping[str, str] | None = None,
    operators: Mapping[str, str] | None = None,
    parts: tuple[Part, ...] = (),
    loopback: bool = True,
    wait: bool = True,
    limits: GatewayPolicy = LIMITS,
) -> AsyncIterator[Gateway]:
    """A gateway for the length of the block, ready unless `wait` is false."""
    health = Health()
    health.well("start")
    tokens = [
        {name: token.encode() for name, token in (given or {}).items()}
        for given in (senders, readers, operators)
    ]
    access = Access(*tokens, loopback=loopback)
    publisher = Publisher(
        brokers,
        topology,
        health,
        max_records=limits.buffer_records,
        max_bytes=limits.buffer_bytes,
    )
    app: web.Application = make(access, health, [Receiving(access, limits, publisher), *parts])
    async with (
        Running(app, publisher, host="127.0.0.1", port=0) as found,
        aiohttp.ClientSession() as session,
    ):
        topic = topology.topic("errors")
        gateway = Gateway(f"http://127.0.0.1:{found.port}", session, brokers, topic)
        if wait:
            await gateway.ready()
        yield gateway
