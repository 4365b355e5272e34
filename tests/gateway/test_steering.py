"""Operators steer through the gateway: respond on a real broker answers, as it answers the CLI."""

import asyncio
from typing import Any

import pytest

from faultstream import wire
from faultstream.config.topology import load
from faultstream.core.policy import Topology
from faultstream.core.records import Control
from faultstream.gateway.access import Access
from faultstream.gateway.pauses import Pauses
from faultstream.gateway.steering import Steering
from faultstream.ops.clock import now_ms
from faultstream.transport import topics
from faultstream.transport.identity import LOG_ID_KEY
from faultstream.transport.scan import scan
from tests.cli.responder import Responder
from tests.cli.test_wishes import pattern
from tests.conftest import prefixed
from tests.gateway.kit import TOKEN, Gateway, running
from tests.until import until_async

LONG_MS = 30_000
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def topology(prefix: str) -> Topology:
    """All topics; respond makes them."""
    return prefixed(load(None), prefix)


def steering(brokers: str, topology: Topology) -> Steering:
    return Steering(Access({}, {}, {"kim": TOKEN.encode()}, loopback=True), topology, brokers)


async def wish(gateway: Gateway, path: str, **body: Any) -> tuple[int, Any]:
    return await gateway.post(f"/v1/{path}", body, OPERATOR)


async def test_wishes_are_answered(embedded_broker: str, topology: Topology) -> None:
    """Approve, cancel, resolve and recover say what came of them, by the operator of the token;
    what cannot be is told, and nobody does anything without a token."""
    responder = Responder(embedded_broker, topology, [pattern("ledger", "core")])
    await asyncio.to_thread(responder.__enter__)
    try:
        parts = (steering(embedded_broker, topology),)
        async with running(embedded_broker, topology, parts=parts, wait=False) as gateway:
            incidents = scan(
                embedded_broker, topology.topic("incidents"), dict.fromkeys(range(4), 0)
            )
            (first, *_) = [wire.loads(record.value or b"") async for record in incidents]
            name = f"incidents/{first['incident_id'][:10]}"
            assert (await gateway.post(f"/v1/{name}/approve", {}))[0] == 401
            status, told = await wish(gateway, f"{name}/approve", reason="it is safe")
            assert (status, told["answered"]) == (200, True)
            assert told["commanded"][0]["strategy"] == "pool_increase"
            status, told = await wish(gateway, f"{name}/approve")
            assert (status, told["title"]) == (409, "nothing waits for approval")
            status, told = await wish(gateway, f"{name}/cancel", reason="by hand")
            assert told["detail"] == "cancelled by kim: by hand"
            status, told = await wish(gateway, f"{name}/resolve")
            assert told["incident"]["state"] == "closed"
            assert (await wish(gateway, f"{name}/resolve"))[0] == 409
            status, told = await wish(
                gateway, f"{name}/recover", strategy="request_throttle", dry_run=True
            )
            assert (status, told["commanded"][0]["outcome"]) == (200, "dry_run")
    finally:
        await asyncio.to_thread(responder.__exit__, None, None, None)


async def test_errors_of_the_past_are_recovered(embedded_broker: str, topology: Topology) -> None:
    """By service as their latest pattern says, or by what is said of them; a new incident each."""
    past = pattern("till", "service", state="closed", closed_at_ms=now_ms(), rate=0.0)
    responder = Responder(embedded_broker, topology, [past])
    await asyncio.to_thread(responder.__enter__)
    try:
        parts = (steering(embedded_broker, topology),)
        async with running(embedded_broker, topology, parts=parts, wait=False) as gateway:
            assert (await gateway.post("/v1/recover", {"service": "till"}))[0] == 401
            status, told = await wish(gateway, "recover", service="till", wait_ms=LONG_MS)
            assert (status, told["answered"], told["incident"]["root"]) == (200, True, "till")
            assert told["commanded"]
            status, told = await wish(
                gateway, "recover", service="shop", category="timeout", wait_ms=LONG_MS
            )
            assert (status, told["incident"]["root"]) == (200, "shop")
            assert told["commanded"][0]["strategy"] == "timeout_increase"
            assert (await wish(gateway, "recover", service="nobody"))[0] == 404
            assert (await wish(gateway, "recover"))[0] == 400
            assert (await wish(gateway, "recover", service="till", strategy="x"))[0] == 400
    finally:
        await asyncio.to_thread(responder.__exit__, None, None, None)


async def test_what_cannot_be_wished(embedded_broker: str, topology: Topology) -> None:
    """Bodies, strategies and incidents that are none are told, and nothing is published; a pause
    is, under the name of the token."""
    await topics.create(embedded_broker, topology)
    parts = (steering(embedded_broker, topology),)
    async with running(embedded_broker, topology, parts=parts, wait=False) as gateway:
        assert (await wish(gateway, "incidents/ffffff/cancel"))[0] == 404
        for body in ({"reason": 7}, {"unknown": 1}, {"wait_ms": 30_001}, {"reason": "x" * 501}):
            assert (await wish(gateway, "incidents/ffffff/cancel", **body))[0] == 400
        large = b'{"reason": "' + b"x" * 70_000
        assert (await gateway.post("/v1/pause", large, OPERATOR))[0] == 413
        assert (await gateway.post("/v1/pause", b"[" * 9_000, OPERATOR))[0] == 400
        assert (await wish(gateway, "pause", for_ms=1, resume=True))[0] == 400
        status, told = await wish(
            gateway, "pause", service="orders", for_ms=3_600_000, reason="why"
        )
        assert (status, told["by"], told["subject"]) == (202, "kim", "pause/*/orders")
    records = scan(embedded_broker, topology.topic("control"), {0: 0})
    known = Pauses(embedded_broker, topology)
    try:

        async def seen() -> bool:
            return [one["service"] for one in known.known()] == ["orders"]

        await until_async(seen, "it is known")
        assert known.known()[0]["by"] == "kim"
    finally:
        await known.close()
    (paused,) = [
        wire.decode(Control, record.value) async for record in records if record.key != LOG_ID_KEY
    ]
    assert (paused.kind, paused.active, paused.reason) == ("pause", True, "why")


async def test_wishes_are_bounded(embedded_broker: str, topology: Topology) -> None:
    """Who wishes too often is told to wait."""
    parts = (steering(embedded_broker, topology),)
    async with running(embedded_broker, topology, parts=parts, wait=False) as gateway:
        answers = [await wish(gateway, "pause", for_ms=1, resume=True) for _ in range(40)]
        assert {status for status, _ in answers} == {400, 429}
        assert int(gateway.headers["Retry-After"]) >= 1
