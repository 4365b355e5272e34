"""Health, floods of log lines, and the watchdog."""

import logging
import sys

import aiohttp
import pytest

from faultstream.ops.health import Health, HealthServer, PortTakenError
from faultstream.ops.log import FloodFilter
from faultstream.ops.metrics import METRICS
from faultstream.stream.watchdog import StuckError, Watchdog


async def test_health_server() -> None:
    """Waiting makes it not ready, failing makes it unhealthy, with the reasons; metrics are
    there throughout."""
    health = Health()
    server = HealthServer(health, 0)
    await server.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:

            async def get(path: str) -> tuple[int, str]:
                async with session.get(path) as response:
                    return response.status, await response.text()

            assert await get("/-/ready") == (503, "waiting for start: starting\n")
            assert await get("/-/healthy") == (200, "waiting for start: starting\n")
            health.well("start")
            assert await get("/-/ready") == (200, "ok\n")
            health.fail("detect", "boom")
            assert await get("/-/healthy") == (503, "failed detect: boom\n")
            status, text = await get("/metrics")
            assert status == 200
            assert "faultstream_records_total" in text
    finally:
        await server.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is there on Linux alone")
async def test_where_health_is_shown() -> None:
    """On the address that is given, by default loopback; a port is not shared."""
    server, everywhere = HealthServer(Health(), 0), HealthServer(Health(), 0, "0.0.0.0")  # noqa: S104
    await server.start()
    await everywhere.start()
    try:
        with pytest.raises(PortTakenError):
            await HealthServer(Health(), server.port).start()
        async with aiohttp.ClientSession() as session:
            for host, port, there in (
                ("127.0.0.1", server.port, True),
                ("127.0.0.2", server.port, False),
                ("127.0.0.2", everywhere.port, True),
            ):
                try:
                    async with session.get(f"http://{host}:{port}/-/healthy") as response:
                        assert there is (response.status == 200)
                except aiohttp.ClientConnectorError:
                    assert not there
    finally:
        await server.stop()
        await everywhere.stop()


def test_metric_names() -> None:
    """Names are `faultstream_<noun>_<unit>`; counters of prometheus_client add `_total`."""
    for metric in METRICS:
        name = next(iter(metric.describe())).name
        assert name.startswith("faultstream_")
        assert name == name.lower()


def test_flood_filter() -> None:
    """Equal lines beyond the limit are held back until the window is over; then one tells how
    many were. Other lines pass."""
    now = [0.0]
    flood = FloodFilter(limit=2, window_s=10.0, clock=lambda: now[0])

    def line(message: str) -> logging.LogRecord:
        return logging.LogRecord("aiokafka", logging.ERROR, "", 0, message, (), None)

    assert [flood.filter(line("away")) for _ in range(5)] == [True, True, False, False, False]
    assert flood.filter(line("other"))
    now[0] = 9.9
    assert not flood.filter(line("away"))
    now[0] = 10.0
    told = line("away")
    assert flood.filter(told)
    assert told.getMessage() == "away [4 more like this held back]"


def _watchdog(now: list[int], health: Health, *, lag: int, answers: bool) -> Watchdog:
    async def broker_answers() -> bool:
        return answers

    return Watchdog(
        health,
        lag=lambda: lag,
        finished=lambda: 7,
        broker_answers=broker_answers,
        limit_s=10,
        clock_ms=lambda: now[0],
    )


def _ready() -> Health:
    health = Health()
    health.well("start")
    return health


async def test_watchdog_ends_a_stuck_worker() -> None:
    """Lag without progress is borne just below the limit and not at it."""
    now = [0]
    dog = _watchdog(now, _ready(), lag=5, answers=True)
    await dog.look()
    now[0] = 9_999
    await dog.look()
    now[0] = 10_000
    with pytest.raises(StuckError) as stuck:
        await dog.look()
    assert str(stuck.value) == "5 records wait and none was finished for 10 s"


@pytest.mark.parametrize("reason", ["no lag", "waiting", "no broker"])
async def test_watchdog_waits(reason: str) -> None:
    """Without lag, while something is knowingly waited for, or without a broker it bears it."""
    now, health = [0], _ready()
    dog = _watchdog(now, health, lag=0 if reason == "no lag" else 5, answers=reason != "no broker")
    if reason == "waiting":
        health.wait("clickhouse", "away")
    for now[0] in range(0, 60_000, 5_000):
        await dog.look()
