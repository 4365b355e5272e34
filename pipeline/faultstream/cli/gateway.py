"""`faultstream gateway`: errors over HTTP in, answers and wishes out, until SIGTERM."""

import asyncio
import sys

import click

from faultstream.config.errors import ConfigError
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.ops import log
from faultstream.ops.health import Health


@click.command("gateway")
@click.option("--listen", help="host:port; by default FAULTSTREAM_GATEWAY_LISTEN.")
def command(listen: str | None) -> None:
    """Take errors over HTTP: JSON, Sentry's SDKs, OpenTelemetry's logs.

    Answers when Kafka has them. Tokens stand in FAULTSTREAM_GATEWAY_TOKENS, _READERS and
    _OPERATORS; without any, whoever is on this machine may send and read.

    \b
    Example:  faultstream gateway
              curl -d '{"service":"orders","error_type":"TimeoutError"}' http://127.0.0.1:8124/v1/errors
    """
    import os  # noqa: PLC0415

    env = dict(os.environ)
    if listen:
        env["FAULTSTREAM_GATEWAY_LISTEN"] = listen
    settings = Settings.from_env(env)
    topology = load(settings.topology)
    log.configure(settings.log_level)
    # aiohttp and aiokafka take half a second to import, and `faultstream --help` must not pay.
    from faultstream.gateway import app  # noqa: PLC0415
    from faultstream.gateway.access import Access  # noqa: PLC0415
    from faultstream.gateway.publisher import Publisher  # noqa: PLC0415
    from faultstream.gateway.receiving import Receiving  # noqa: PLC0415

    where = settings.gateway

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
        parts = [Receiving(access, policy, publisher)]
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
