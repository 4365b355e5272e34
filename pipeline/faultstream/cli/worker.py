"""`faultstream worker NAME`: one of the four workers, until SIGTERM."""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import click

from faultstream.config.errors import ConfigError
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.core.policy import Topology
from faultstream.ops import log
from faultstream.ops.health import Health, PortTakenError

if TYPE_CHECKING:
    from faultstream.stream.stage import Stage

NAMES: Final = ("detect", "respond", "record", "notify")

Make = Callable[[Health], Awaitable["Stage"]]


@click.command("worker")
@click.argument("name", type=click.Choice(NAMES))
def command(name: str) -> None:
    """Run one worker: detect, respond, record or notify.

    Start as many of each as there are partitions; they share the work. FAULTSTREAM_METRICS_PORT
    opens /-/healthy, /-/ready and /metrics, on loopback unless FAULTSTREAM_METRICS_HOST says more.

    \b
    Example:  FAULTSTREAM_KAFKA=kafka:9092 faultstream worker detect
    """
    settings = Settings.from_env()
    topology = load(settings.topology)
    log.configure(settings.log_level)
    # Faust takes half a second to import, and `faultstream --help` must not pay for it.
    from faultstream.stream import worker  # noqa: PLC0415

    maker = {"detect": _detect, "respond": _respond, "record": _record, "notify": _notify}[name]
    make = maker(settings, topology)

    async def run() -> None:
        code = await worker.run(
            make,
            topology,
            settings.brokers,
            metrics_port=settings.metrics_port,
            metrics_host=settings.metrics_host,
        )
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)  # a thread that waits for ClickHouse cannot be cancelled, only left

    try:
        asyncio.run(run())
    except PortTakenError as exc:
        address = f"{settings.metrics_host}:{settings.metrics_port}"
        raise ConfigError("FAULTSTREAM_METRICS_PORT", address, f"cannot listen: {exc}") from exc
    except worker.WrongTopicsError as exc:
        raise ConfigError("kafka", settings.brokers, str(exc)) from exc


def _detect(settings: Settings, topology: Topology) -> Make:  # noqa: ARG001 - all are alike
    from faultstream.stream.detect import DetectStage  # noqa: PLC0415

    async def make(health: Health) -> "Stage":  # noqa: ARG001
        return DetectStage(topology)

    return make


def _respond(settings: Settings, topology: Topology) -> Make:
    from faultstream.stream.recall import Recall  # noqa: PLC0415
    from faultstream.stream.respond import RespondStage  # noqa: PLC0415

    if not settings.signing_key:
        raise ConfigError(
            "environment",
            "FAULTSTREAM_SIGNING_KEY",
            "missing; respond signs every command with it",
            bound="at least 16 bytes",
            mend="`openssl rand -hex 32` makes one; executors need the same",
        )

    keys = {**settings.keys_accepted, settings.signing_key_id: settings.signing_key}
    recall = Recall(settings.brokers, topology, keys)

    async def make(health: Health) -> "Stage":  # noqa: ARG001
        return RespondStage(
            topology,
            key=settings.signing_key,
            key_id=settings.signing_key_id,
            accepted=settings.keys_accepted,
            sent=recall.since,
        )

    return make


def _record(settings: Settings, topology: Topology) -> Make:
    from faultstream.analytics.recorder import Recorder, SinkAway  # noqa: PLC0415
    from faultstream.stream.record import RecordStage  # noqa: PLC0415
    from faultstream.transport import topics  # noqa: PLC0415

    async def make(health: Health) -> "Stage":
        log_id = await topics.log_id(settings.brokers, topology)
        recorder = Recorder(settings.clickhouse, topology, log_id)
        return RecordStage(recorder, topology, health, away=SinkAway)

    return make


def _notify(settings: Settings, topology: Topology) -> Make:  # noqa: ARG001
    from faultstream.notify import ChannelConfigError, notifier  # noqa: PLC0415
    from faultstream.stream.notify import NotifyStage  # noqa: PLC0415

    try:
        channels = notifier.build(topology)
    except ChannelConfigError as exc:
        place, _, problem = str(exc).partition(": ")
        raise ConfigError("topology.yaml", place, problem) from exc

    async def make(health: Health) -> "Stage":  # noqa: ARG001
        return NotifyStage(topology, channels.deliver)

    return make
