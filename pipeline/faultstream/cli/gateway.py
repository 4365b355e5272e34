"""`faultstream gateway`: errors over HTTP in, answers and wishes out, until SIGTERM."""

import asyncio
import os
import sys
from typing import Any

import click

from faultstream.config.errors import ConfigError
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.ops import log
from faultstream.ops.health import Health


@click.command("gateway")
@click.option("--listen", help="host:port; by default FAULTSTREAM_GATEWAY_LISTEN.")
def command(listen: str | None) -> None:
    """Take errors over HTTP: JSON, Sentry's SDKs, OpenTelemetry. Show how things stand.

    Sending is answered when Kafka has it; the live page is at /. Tokens stand in
    FAULTSTREAM_GATEWAY_TOKENS, _READERS and _OPERATORS; without any, whoever is on this machine may
    send and read.

    \b
    Example:  faultstream gateway
              curl -d '{"service":"orders","error_type":"TimeoutError"}' http://127.0.0.1:8124/v1/errors
    """
    given = {"FAULTSTREAM_GATEWAY_LISTEN": listen} if listen else {}
    settings = Settings.from_env({**os.environ, **given})
    topology = load(settings.topology)
    log.configure(settings.log_level)
    # aiohttp and aiokafka take half a second to import, and `faultstream --help` must not pay.
    from faultstream.cli import client_state  # noqa: PLC0415
    from faultstream.cli.answering import Answering  # noqa: PLC0415
    from faultstream.gateway import app  # noqa: PLC0415
    from faultstream.gateway.access import Access  # noqa: PLC0415
    from faultstream.gateway.clients import Clients  # noqa: PLC0415
    from faultstream.gateway.page import Page  # noqa: PLC0415
    from faultstream.gateway.pauses import Pauses  # noqa: PLC0415
    from faultstream.gateway.publisher import Publisher  # noqa: PLC0415
    from faultstream.gateway.reading import Reading  # noqa: PLC0415
    from faultstream.gateway.receiving import Receiving  # noqa: PLC0415
    from faultstream.gateway.steering import Steering  # noqa: PLC0415

    where = settings.gateway

    async def ask(service: str, environment: str, by: str) -> list[dict[str, Any]]:
        found = await client_state.in_force(
            service,
            environment or topology.environment,
            by=by,
            wait_ms=client_state.DEFAULT_MS,
            topology=topology,
            settings=settings,
            brokers=settings.brokers,
        )
        return [client_state.plain(one, held=False) for one in found]

    def ready(port: int) -> None:
        click.echo(f"http://{where.host}:{port}")
        sys.stdout.flush()

    async def run() -> None:
        health = Health()
        health.well("start")
        policy = topology.gateway
        publisher = Publisher(
            settings.brokers,
            topology,
            health,
            max_records=policy.buffer_records,
            max_bytes=policy.buffer_bytes,
        )
        access = Access(where.senders, where.readers, where.operators, loopback=where.loopback)
        pauses = Pauses(settings.brokers, topology)
        parts: list[app.Part] = [
            Receiving(access, policy, publisher),
            Reading(access, health, Answering(settings.clickhouse, topology), pauses),
            Steering(access, topology, settings.brokers, pauses),
            Clients(access, ask if settings.signing_key else None),
            Page(),
        ]
        await app.serve(
            app.make(access, health, parts),
            publisher,
            host=where.host,
            port=where.port,
            ready=ready,
        )

    try:
        asyncio.run(run())
    except OSError as exc:
        address = f"{where.host}:{where.port}"
        raise ConfigError("gateway", address, f"cannot listen: {exc.strerror or exc}") from exc
