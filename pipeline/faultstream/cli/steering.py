"""What the commands share that set controls: where, why and by whom; publishing the record, and
reading those in force."""

import asyncio
import getpass
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
import msgspec

from faultstream import wire
from faultstream.cli.where import place
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.core.policy import Topology
from faultstream.core.records import Control, ControlKind
from faultstream.core.report.text import clean
from faultstream.ops.clock import now_ms
from faultstream.transport.wishes import publish, standing


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
    """Adds --environment, --by, --reason, --brokers and --topology to a command, which gets them as
    `desk`."""

    @click.option("--environment", default="", help="Only this one; every environment by default.")
    @click.option("--by", default="", help="Who asks; the user of the system by default.")
    @click.option("--reason", default="", help="Why, for those who wonder.")
    @place
    @wraps(function)
    def command(
        *arguments: Any,
        environment: str,
        by: str,
        reason: str,
        brokers: str | None,
        file: Path | None,
        **more: Any,
    ) -> None:
        settings = Settings.from_env()
        desk = Desk(
            environment=environment,
            reason=reason,
            by=by or who(),
            brokers=brokers or settings.brokers,
            topology=load(file or settings.topology),
        )
        function(*arguments, desk=desk, **more)

    return command


def tell(desk: "Desk", kind: ControlKind, what: Callable[[Control], str], nothing: str) -> None:
    """Print the controls of a kind that are in force or will be, a line each, or `nothing`."""
    found = asyncio.run(standing(desk.brokers, desk.topology, kind, now_ms()))
    for each in found:
        click.echo(_shown(each, what(each)))
    begun = sum(control.begun(now_ms()) for control in found)
    later = f", {len(found) - begun} later" if len(found) > begun else ""
    click.echo(f"{begun} in force{later}" if found else nothing, err=True)


def _shown(control: Control, what: str) -> str:
    """A control in force as a line: what, where, until when, by whom and why."""
    until = "until taken back"
    if control.until_at_ms is not None:
        until = f"until {wire.rfc3339(control.until_at_ms)}"
    if control.from_at_ms is not None and not control.begun(now_ms()):
        until = f"from {wire.rfc3339(control.from_at_ms)} {until}"
    where = f"in {control.environment or 'every environment'}"
    by = f", by {control.by}" if control.by else ""
    why = f": {control.reason}" if control.reason else ""
    return clean(f"{what} {where} {until}{by}{why}")


def who() -> str:
    """The user who runs this, "" when the system does not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
