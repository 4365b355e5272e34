"""Real SDKs send to a real gateway in front of a real broker."""

import asyncio
import sys
from pathlib import Path

import pytest

from faultstream.core.policy import Topology
from tests.gateway.kit import TOKEN, running


async def application(name: str, *arguments: str) -> str:
    """Runs one of the applications in a process of its own; what it printed."""
    file = Path(__file__).parent / name
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(file), *arguments, stdout=-1, stderr=-1
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode().strip()


async def test_sentry(embedded_broker: str, topology: Topology) -> None:
    """An exception arrives once with its type, chain, frames, release, user and trace, without
    secrets; a fatal message too; the transaction and the harmless message are no errors."""
    async with running(embedded_broker, topology, senders={"till": TOKEN}) as gateway:
        dsn = f"http://{TOKEN}@127.0.0.1:{gateway.port}/7"
        event_id = await application("sentry_app.py", dsn)
        events = await gateway.events()
        _, metrics = await gateway.get("/metrics")
    raised, message = sorted(events, key=lambda event: event.get("severity", ""))
    assert raised["error_type"] == "PaymentError"
    assert raised["message"] == "card [card] was not charged"
    assert raised["causes"] == [
        {"error_type": "ConnectionResetError", "message": "reset by 10.0.0.7, password=[scrubbed]"}
    ]
    assert [frame["function"] for frame in raised["frames"]] == ["main", "fail"]
    assert raised["frames"][-1]["in_app"]
    wanted = {
        "service": "till",
        "release": "2.4.1",
        "environment": "staging",
        "host": "till-1",
        "operation": "charge",
        "user_id": "u-1",
        "handled": True,
    }
    assert {name: raised[name] for name in wanted} == wanted
    assert raised["event_id"].replace("-", "") == event_id
    assert raised["tags"]["shard"] == "7"
    assert len(raised["trace_id"]) == 32
    assert (message["message"], message["severity"]) == ("the disk is full", "fatal")
    assert b'{format="sentry",outcome="ignored"}' in metrics
    assert not [secret for secret in ("hunter2", "ann@", "0123456") if secret in str(events)]


@pytest.mark.parametrize("compression", ["none", "gzip"])
async def test_opentelemetry(embedded_broker: str, topology: Topology, compression: str) -> None:
    """A logged exception arrives with type, stack, message and what the resource says; warnings do
    not. One that left two spans arrives once, of the inner one; spans without do not."""
    async with running(embedded_broker, topology, senders={"otel": TOKEN}) as gateway:
        await application("otel_app.py", gateway.address, TOKEN, compression)
        event, raised = sorted(await gateway.events(), key=lambda one: "trace_id" in one)
    assert event["error_type"] == "ValueError"
    assert event["message"] == "card [card] was not charged"
    assert event["causes"][0]["error_type"] == "ConnectionResetError"
    assert event["frames"][-1]["function"] == "fail"
    assert event["tags"]["log_message"] == "charging A-17 failed"
    wanted = {"service": "till", "release": "2.4.1", "environment": "staging", "instance": "till-9"}
    assert {name: event[name] for name in wanted} == wanted
    assert event["event_id"]
    wanted |= {"operation": "/refund", "component": "till.refunds"}
    assert {name: raised[name] for name in wanted} == wanted
    assert raised["error_type"] == "ConnectionResetError"
    assert raised["message"] == "reset by 10.0.0.7, password=[scrubbed]"
    assert raised["frames"][-1]["function"] == "connect"
    assert len(raised["trace_id"]) == 32


async def test_metrics_are_told_where_to_go(embedded_broker: str, topology: Topology) -> None:
    """OpenTelemetry's metrics are answered with a status that exporters do not try again."""
    async with running(embedded_broker, topology) as gateway:
        status, answer = await gateway.post("/v1/metrics", b"{}")
    assert (status, answer["title"]) == (501, "metrics are no errors")
    assert "faultstream watch" in answer["mend"]
