"""What the commands share that set controls: where, why and by whom; publishing the record."""

import asyncio
import getpass
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from aiokafka import AIOKafkaProducer

from faultstream import wire
from faultstream.cli.where import place
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.core.policy import Topology
from faultstream.core.records import Control
from faultstream.transport.topics import wait_for_broker

CONNECT_TIMEOUT_S: Final = 10.0


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """Where a control goes, and what stands in all of them."""

    environment: str
    reason: str
    by: str
    brokers: str
    topology: Topology

    @property
    def where(self) -> str:
        """For people."""
        return self.environment or "every environment"

    def publish(self, record: Control) -> None:
        """Write it and wait until it is there.

        Raises:
            KafkaError: it was not written.
        """
        asyncio.run(publish(self.brokers, self.topology, record))


def steering(function: Callable[..., None]) -> Callable[..., None]:
    """Adds --environment, --reason, --brokers and --topology to a command, which gets `desk`."""

    @click.option("--environment", default="", help="Only this one; every environment by default.")
    @click.option("--reason", default="", help="Why, for those who wonder.")
    @place
    @wraps(function)
    def command(
        *arguments: Any,
        environment: str,
        reason: str,
        brokers: str | None,
        file: Path | None,
        **more: Any,
    ) -> None:
        settings = Settings.from_env()
        desk = Desk(
            environment=environment,
            reason=reason,
            by=who(),
            brokers=brokers or settings.brokers,
            topology=load(file or settings.topology),
        )
        function(*arguments, desk=desk, **more)

    return command


async def publish(brokers: str, topology: Topology, record: Control) -> None:
    """Write a control to the control topic and wait until it is there.

    Raises:
        KafkaError: it was not written.
    """
    await wait_for_broker(brokers, CONNECT_TIMEOUT_S)
    async with AIOKafkaProducer(bootstrap_servers=brokers, acks="all") as producer:
        await producer.send_and_wait(
            topology.topic("control"),
            wire.encode(record),
            key=record.subject.encode(),
            headers=wire.headers(record, record.control_id, record.set_at_ms),
        )


def who() -> str:
    """The user who runs this, "" when the system does not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
