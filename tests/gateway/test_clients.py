"""What is in force in clients, asked through the gateway."""

from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from faultstream.core.policy import Topology
from faultstream.gateway.access import Access
from faultstream.gateway.clients import Ask, Clients
from tests.gateway.kit import TOKEN, running

OPERATOR = {"Authorization": f"Bearer {TOKEN}"}
PATH = "/v1/services/orders%2F1/state"


async def answer(service: str, environment: str, by: str) -> list[dict[str, Any]]:
    return [{"instance": f"{service} {environment} {by}", "in_force": []}]


async def away(service: str, environment: str, by: str) -> list[dict[str, Any]]:
    raise KafkaConnectionError("gone")


@pytest.mark.parametrize(
    ("ask", "headers", "status"),
    [(answer, OPERATOR, 200), (answer, {}, 401), (None, OPERATOR, 501), (away, OPERATOR, 503)],
)
async def test_who_may_ask_and_is_answered(
    embedded_broker: str, topology: Topology, ask: Ask | None, headers: dict[str, str], status: int
) -> None:
    """An operator, where there is a key and Kafka; the service may have any name."""
    access = Access({}, {}, {"ann": TOKEN.encode()}, loopback=True)
    parts = (Clients(access, ask),)
    async with running(embedded_broker, topology, parts=parts, wait=False) as gateway:
        found, told = await gateway.get(f"{PATH}?environment=staging", headers)
    assert found == status
    if status == 200:
        assert told["instances"][0]["instance"] == "orders/1 staging ann"
