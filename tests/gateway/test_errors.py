"""POST /v1/errors: what is taken, what is refused and how it is told, and what is one event."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import cramjam
import pytest

from faultstream.core.policy import GatewayPolicy, Topology
from faultstream.gateway.split import split
from tests.gateway.kit import ERROR, TOKEN, running

NOTHING: dict[str, str] = {}


async def test_one_many_and_lines(embedded_broker: str, topology: Topology) -> None:
    """An object, an array and lines are taken; each record is answered with its id, which is the
    one that stands on the topic, and secrets are gone."""
    lines = b"\n".join(json.dumps({**ERROR, "message": f"no answer {n}"}).encode() for n in (1, 2))
    async with running(embedded_broker, topology) as gateway:
        given = "0190b0c4-0000-7000-8000-000000000001"
        secret = {**ERROR, "event_id": given, "user_id": "Bearer abcdefgh12345678"}
        one = await gateway.post("/v1/errors", secret)
        two = await gateway.post("/v1/errors", [ERROR, ERROR])
        some = await gateway.post("/v1/errors", lines, {"Content-Type": "application/x-ndjson"})
        guessed = await gateway.post("/v1/errors", lines + b"\n")
        events = await gateway.events()
    assert one[0] == 202
    assert one[1] == {"accepted": 1, "ids": [given]}
    assert [answer[1]["accepted"] for answer in (two, some, guessed)] == [2, 2, 2]
    ids = [name for _, told in (one, two, some, guessed) for name in told["ids"]]
    assert len(set(ids)) == 7
    assert len(events) == 7
    assert [event["user_id"] for event in events if "user_id" in event] == ["Bearer [scrubbed]"]


async def test_refusals_name_what_where_and_the_mend(
    embedded_broker: str, topology: Topology
) -> None:
    """Of several records the good ones are taken; each other one is named by its place, its problem
    and its mend. When none can be used the answer is 400."""
    bad: list[Any] = [
        {"service": 7, "error_type": "X"},
        {**ERROR, "severity": "awful"},
        {"service": "s"},
        5,
    ]
    async with running(embedded_broker, topology) as gateway:
        mixed = await gateway.post("/v1/errors", [*bad, ERROR])
        none = await gateway.post("/v1/errors", bad[1])
        assert len(await gateway.events()) == 1
    assert mixed[0] == 202
    assert mixed[1]["accepted"] == 1
    assert mixed[1]["refused"] == [
        {
            "where": "[0]",
            "problem": "Expected `str`, got `int` - at `$.service`",
            "mend": "every record names its service",
        },
        {
            "where": "[1]",
            "problem": "severity: 'awful' is none of low, medium, high, critical, fatal",
            "mend": "low, medium, high, critical or fatal; leave it out to have it decided",
        },
        {
            "where": "[2]",
            "problem": "Object missing required field `error_type`",
            "mend": "every record names its type, such as `TimeoutError`",
        },
        {
            "where": "[3]",
            "problem": "expected a JSON object, got int",
            "mend": "a JSON object as in schemas/errors.v1.schema.json",
        },
    ]
    assert none[0] == 400
    assert none[1]["title"] == "no record can be used"
    assert none[1]["refused"][0]["where"] == "record"


@pytest.mark.parametrize(
    ("record", "headers", "events"),
    [
        ({**ERROR, "event_id": "0190b0c4-0000-7000-8000-000000000002"}, NOTHING, 1),
        ({**ERROR, "time": 1_790_000_000_000}, NOTHING, 1),
        (ERROR, {"Idempotency-Key": "7"}, 1),
        (ERROR, NOTHING, 3),
    ],
)
async def test_a_retry_is_no_second_event(
    embedded_broker: str,
    topology: Topology,
    record: dict[str, object],
    headers: dict[str, str],
    events: int,
) -> None:
    """With an id, a time or an Idempotency-Key the same request is the same event, also when it is
    sent twice at once; without any of them three requests are three errors."""
    async with running(embedded_broker, topology) as gateway:
        both = [gateway.post("/v1/errors", record, headers) for _ in range(2)]
        answers = await asyncio.gather(*both)
        answers.append(await gateway.post("/v1/errors", record, headers))
        assert len(await gateway.events()) == events
    assert {status for status, _ in answers} == {202}
    assert len({answer["ids"][0] for _, answer in answers}) == events


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda raw: bytes(cramjam.brotli.compress(raw, level=2)),
    "zstd": lambda raw: bytes(cramjam.zstd.compress(raw)),
}


@pytest.mark.parametrize("packing", PACKINGS)
async def test_packed_bodies_within_bounds(
    embedded_broker: str, topology: Topology, packing: str
) -> None:
    """Packed bodies are taken; one that unpacks to a byte more than the bound is refused, whatever
    it would become; a broken one too."""
    pack = PACKINGS[packing]
    headers = {"Content-Encoding": packing}
    record = json.dumps(ERROR).encode()
    most = 1 << 16
    async with running(
        embedded_broker, topology, limits=GatewayPolicy(max_unpacked_bytes=most)
    ) as gateway:
        assert (await gateway.post("/v1/errors", pack(record.ljust(most)), headers))[0] == 202
        assert (await gateway.post("/v1/errors", pack(record.ljust(most + 1)), headers))[0] == 413
        bomb = pack(bytes(1 << 22))
        assert (await gateway.post("/v1/errors", bomb, headers))[0] == 413
        for broken in (pack(record)[:-9], b"\xff" * 40):
            assert (await gateway.post("/v1/errors", broken, headers))[0] == 400
        assert len(await gateway.events()) == 1


async def test_sizes_and_rates_are_bounded(embedded_broker: str, topology: Topology) -> None:
    """A body past the bound is 413, also when it does not tell its length; too many records are
    413; past the rate of a token 429 with Retry-After, and other tokens are not touched."""
    tokens = {"orders": TOKEN, "till": TOKEN[::-1]}
    mine, others = ({"Authorization": f"Bearer {token}"} for token in tokens.values())

    async def drip() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 1024

    limits = GatewayPolicy(
        max_body_bytes=4_096, max_records=10, records_per_s=0.01, burst_records=10
    )
    async with running(embedded_broker, topology, senders=tokens, limits=limits) as gateway:
        assert (await gateway.post("/v1/errors", b" " * 4_097, mine))[0] == 413
        async with gateway.session.post(
            f"{gateway.address}/v1/errors", data=drip(), headers=mine
        ) as answer:
            assert answer.status == 413
        assert (await gateway.post("/v1/errors", [ERROR] * 11, mine))[0] == 413
        assert (await gateway.post("/v1/errors", [ERROR] * 10, mine))[0] == 202
        status, told = await gateway.post("/v1/errors", [ERROR], mine)
        assert (status, told["title"]) == (429, "too many records")
        assert int(gateway.headers["Retry-After"]) >= 1
        assert (await gateway.post("/v1/errors", [ERROR], others))[0] == 202
        assert len(await gateway.events()) == 11


async def test_who_may_send(embedded_broker: str, topology: Topology) -> None:
    """With tokens only they send, by Bearer, Basic, a DSN's header or its query; without any only
    this machine, under its own name and not through another site's page."""
    async with running(embedded_broker, topology, senders={"orders": TOKEN}) as gateway:
        for headers in (
            {"Authorization": f"Bearer {TOKEN}"},
            {"Authorization": "Basic b3JkZXJzOjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm"},
            {"X-Sentry-Auth": f"Sentry sentry_version=7, sentry_key={TOKEN}, sentry_client=x"},
        ):
            assert (await gateway.post("/v1/errors", ERROR, headers))[0] == 202
        assert (await gateway.post(f"/v1/errors?sentry_key={TOKEN}", ERROR))[0] == 202
        for token in ("", "x", TOKEN[:-1], TOKEN + "0", "\u00e9"):
            headers = {"Authorization": f"Bearer {token}"}
            assert (await gateway.post("/v1/errors", ERROR, headers))[0] == 401
    async with running(embedded_broker, topology) as gateway:
        assert (await gateway.post("/v1/errors", ERROR))[0] == 202
        away = {"Origin": "https://evil.example"}
        assert (await gateway.post("/v1/errors", ERROR, away))[0] == 403
        near = {"Origin": "http://localhost:3000"}
        assert (await gateway.post("/v1/errors", ERROR, near))[0] == 202
        assert (await gateway.post("/v1/errors", ERROR, {"Host": "evil.example"}))[0] == 421


async def test_browsers_may_report(embedded_broker: str, topology: Topology) -> None:
    """Sentry's endpoints answer the pages of any site, refusals too; no other endpoint does."""
    page = {"Origin": "https://shop.example"}
    envelope = b'{}\n{"type":"session"}\n{}'
    async with running(embedded_broker, topology, senders={"shop": TOKEN}) as gateway:
        for key, status in ((TOKEN, 200), ("", 401)):
            path = f"/api/1/envelope/?sentry_key={key}"
            assert (await gateway.post(path, envelope, page))[0] == status
            assert gateway.headers["Access-Control-Allow-Origin"] == "*"
        async with gateway.session.options(f"{gateway.address}{path}", headers=page) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Methods"]) == (204, "POST")
        await gateway.post("/v1/errors", ERROR, page)
        assert "Access-Control-Allow-Origin" not in gateway.headers


def test_lines_are_numbered_as_an_editor_does() -> None:
    """Empty lines are left out and counted."""
    assert [where for where, _ in split(b"{}\n\n{}\n", "")] == ["line 1", "line 3"]
