"""What the gateway answers from ClickHouse: who may ask, how often it asks itself, and the page."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from faultstream.config.topology import load
from faultstream.core.policy import Topology
from faultstream.core.report.live import Facts, Live, judge
from faultstream.gateway.access import Access
from faultstream.gateway.app import Part, make
from faultstream.gateway.clients import Clients
from faultstream.gateway.errors import AwayError
from faultstream.gateway.page import Page, policy
from faultstream.gateway.publisher import Publisher
from faultstream.gateway.reading import Query, Reading
from faultstream.gateway.receiving import Receiving
from faultstream.gateway.steering import Steering
from faultstream.ops.health import Health
from tests.gateway.kit import LIMITS, TOKEN, running
from tests.until import until_async

ROOT = Path(__file__).parents[2]
FACTS = Facts(now_ms=1, stored_at_ms=0, minutes=[], layers={}, patterns=[], incidents=[], holds=[])


class Answers:
    """A ClickHouse that answers when it may, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.may = threading.Event()
        self.may.set()
        self.away = ""

    def live(self) -> Live:
        self.asked.append("live")
        self.may.wait(20)
        if self.away:
            raise AwayError(self.away)
        return judge(FACTS, load(None))

    def incidents(self, query: Query) -> list[dict[str, Any]]:
        self.asked.append(query)
        return []

    def incident(self, prefix: str) -> dict[str, Any]:
        raise LookupError(f"none begins with {prefix!r}")

    def summary(self, hours: int) -> dict[str, Any]:
        return {"hours": hours}


def reading(answers: Answers, **tokens: str) -> Reading:
    given = [{name: token.encode()} for name, token in tokens.items()]
    access = Access({}, given[0] if given else {}, given[1] if given else {}, loopback=True)
    health = Health()
    health.well("start")
    return Reading(access, health, answers)


async def test_many_who_ask_cost_as_one(embedded_broker: str, topology: Topology) -> None:
    """Questions that come while the same one is being asked share its answer."""
    answers = Answers()
    async with running(embedded_broker, topology, parts=(reading(answers),), wait=False) as gateway:
        answers.may.clear()
        many = [asyncio.create_task(gateway.get("/v1/live")) for _ in range(20)]

        async def asking() -> bool:
            return bool(answers.asked)

        await until_async(asking, "one is being asked")
        answers.may.set()
        assert {status for status, _ in await asyncio.gather(*many)} == {200}
        assert answers.asked == ["live"]


async def test_clickhouse_away(embedded_broker: str, topology: Topology) -> None:
    """Health is unknown and says why, the rest is 503; errors are taken all the same."""
    answers = Answers()
    answers.away = "ClickHouse at http://x: Connection refused"
    async with running(embedded_broker, topology, parts=(reading(answers),)) as gateway:
        status, told = await gateway.get("/v1/health")
        assert (status, told["status"]) == (200, "unknown")
        assert told["parts"]["clickhouse"] == {"well": False, "reason": answers.away}
        status, told = await gateway.get("/v1/live")
        assert (status, told["detail"]) == (503, answers.away)
        record = {"service": "s", "error_type": "X"}
        assert (await gateway.post("/v1/errors", record))[0] == 202


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/summary?hours=1", 200),
        ("/v1/summary?hours=8784", 200),
        ("/v1/summary?hours=0", 400),
        ("/v1/summary?hours=8785", 400),
        ("/v1/summary?hours=-1", 400),
        ("/v1/summary?hours=%C2%B2", 400),
        ("/v1/incidents?state=open&limit=1000", 200),
        ("/v1/incidents?limit=1001", 400),
        ("/v1/incidents?state=bad", 400),
        ("/v1/incidents/ffff", 404),
        ("/v1/incidents/%00%ff", 404),
    ],
)
async def test_questions_within_bounds(
    embedded_broker: str, topology: Topology, path: str, status: int
) -> None:
    """Numbers and names within their bounds are asked for, others are told."""
    parts = (reading(Answers()),)
    async with running(embedded_broker, topology, parts=parts, wait=False) as gateway:
        assert (await gateway.get(path))[0] == status


async def test_who_may_read(embedded_broker: str, topology: Topology) -> None:
    """With a reader's token only readers and operators read; a sender's token is none."""
    parts = (reading(Answers(), wall=TOKEN, ann=TOKEN[::-1]),)
    async with running(embedded_broker, topology, parts=parts, wait=False) as gateway:
        for path in ("/v1/health", "/v1/live", "/v1/summary", "/v1/incidents", "/v1/incidents/a"):
            assert (await gateway.get(path))[0] == 401
            for token in (TOKEN, TOKEN[::-1]):
                headers = {"Authorization": f"Bearer {token}"}
                assert (await gateway.get(path, headers))[0] in {200, 404}


async def test_the_page_needs_nobody_else(embedded_broker: str, topology: Topology) -> None:
    """It is small, names no other address, and its policy allows its own style and script alone."""
    async with running(embedded_broker, topology, parts=(Page(),), wait=False) as gateway:
        status, page = await gateway.get("/")
        headers = gateway.headers
    assert status == 200
    assert len(page) < 40_000
    text = page.decode().replace("http://www.w3.org/2000/svg", "")
    assert "http:" not in text
    assert "https:" not in text
    assert "innerHTML" not in text
    assert headers["Content-Security-Policy"] == policy(page.decode())
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert policy("<p>none</p>").startswith(
        "default-src 'none'; style-src 'none'; script-src 'none'"
    )


async def test_the_document_is_complete(embedded_broker: str) -> None:
    """Every route stands in the OpenAPI document, every path of it is a route, every reference
    leads somewhere; it is in the docs as it is served."""
    document = json.loads((ROOT / "docs" / "reference" / "openapi.json").read_text())
    topology = load(None)
    access, health = Access({}, {}, {}, loopback=True), Health()
    publisher = Publisher(embedded_broker, topology, health, max_records=1, max_bytes=1)
    parts: list[Part] = [
        Receiving(access, LIMITS, publisher),
        Reading(access, health, Answers()),
        Steering(access, topology, embedded_broker),
        Clients(access, None),
        Page(),
    ]
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in make(access, health, parts).router.routes()
        if route.method not in {"HEAD", "OPTIONS"} and route.resource is not None
    }
    wishes = {
        ("post", f"/v1/incidents/{{incident_id}}/{wish}")
        for wish in ("recover", "approve", "cancel", "resolve", "ack")
    }
    routes = {one for one in routes if not one[1].endswith("{wish}")} | wishes
    told = {
        (method, path)
        for path, item in document["paths"].items()
        for method in item
        if method in {"get", "post"}
    }
    slashless = {("post", f"/api/{{project}}/{tail}") for tail in ("envelope", "store")}
    assert told == routes - slashless
    for used in json.dumps(document).split('"#/components/')[1:]:
        kind, name = used.partition('"')[0].split("/")
        assert name in document["components"][kind]
