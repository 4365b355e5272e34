"""`faultstream client-state`: what is in force in the instances of a service, asked of them now."""

import asyncio
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from faultstream import wire
from faultstream.cli.commanding import commander
from faultstream.cli.duration import DURATION, now_ms
from faultstream.cli.steering import who
from faultstream.cli.where import place
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.core.ids import derive
from faultstream.core.policy import Topology
from faultstream.core.records import RecoveryCommand, RecoveryResult, Target

STRATEGY: Final = "client_state"
DEFAULT_MS: Final = 2_000
_COLUMNS: Final = ("instance", "kind", "name", "dependency", "in force", "local", "held for")


@click.command("client-state")
@click.argument("service")
@click.option("--instance", "instances", multiple=True, help="Only these; all by default.")
@click.option("--environment", help="By default that of topology.yaml.")
@click.option("--wait", "wait_ms", type=DURATION, help="How long answers may take. Default 2s.")
@click.option("--held", is_flag=True, help="Only what commands and sampling hold elsewhere.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per instance and line.")
@place
def command(
    service: str,
    *,
    instances: tuple[str, ...],
    environment: str | None,
    wait_ms: int | None,
    held: bool,
    as_json: bool,
    brokers: str | None,
    file: Path | None,
) -> None:
    """Ask the executors of SERVICE what is in force in them.

    Breakers, timeouts, retries, rates, pools, fallbacks and sampling: their state, what the
    application set, and how long a command holds it elsewhere. The question is a signed command of
    the strategy client_state, which changes nothing; `steer` answers it. Exit code 1 when nobody
    answered.

    \b
    Example:  faultstream client-state orders
              faultstream client-state orders --instance orders-3 --held --json
    """
    settings = Settings.from_env()
    topology = load(file or settings.topology)
    wait = wait_ms or DEFAULT_MS
    answers = asyncio.run(
        in_force(
            service,
            environment or topology.environment,
            instances=instances,
            by=who() or "somebody",
            wait_ms=wait,
            topology=topology,
            settings=settings,
            brokers=brokers or settings.brokers,
        )
    )
    if not answers:
        click.echo(f"no executor of {service} answered within {wait} ms", err=True)
        raise click.exceptions.Exit(1)
    if as_json:
        for one in answers:
            click.echo(json.dumps(plain(one, held=held)))
    else:
        click.echo(_table([row for one in answers for row in _rows(one, held=held)]))


async def in_force(
    service: str,
    environment: str,
    *,
    instances: Sequence[str] = (),
    by: str,
    wait_ms: int,
    topology: Topology,
    settings: Settings,
    brokers: str,
) -> list[RecoveryResult]:
    """What the executors of a service answered within `wait_ms`, by instance. No `instances` are
    all of them.

    Raises:
        ConfigError: no signing key.
        KafkaError: the broker cannot be reached.
    """
    now = now_ms()
    question = RecoveryCommand(
        command_id=derive("client_state", service, now, os.getpid()),
        incident_id=f"client-state/{service}",
        attempt=1,
        strategy=STRATEGY,
        target=Target(
            environment=environment,
            service=service,
            instances=list(instances) or "all",
        ),
        reason=f"asked by {by}",
        issued_at_ms=now,
        expires_at_ms=now + wait_ms + 5_000,
    )
    found: dict[str, RecoveryResult] = {}
    async with commander(brokers, topology, settings) as sent:
        await sent.send(question)
        async for records in sent.until(time.monotonic() + wait_ms / 1_000):
            for record in records:
                if not isinstance(record, RecoveryResult):
                    continue
                if record.command_id == question.command_id:
                    found[record.instance] = record
            if instances and set(instances) <= set(found):
                break
    return [found[name] for name in sorted(found)]


def _shown(answer: RecoveryResult, *, held: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer.details.get("in_force", [])
    return [one for one in found if one["held"] or not held]


def plain(answer: RecoveryResult, *, held: bool) -> dict[str, Any]:
    """An answer as JSON values; with `held` only what commands and sampling hold elsewhere."""
    return {
        "instance": answer.instance,
        "status": answer.status,
        "message": answer.message,
        "at": wire.rfc3339(answer.finished_at_ms),
        "in_force": _shown(answer, held=held),
    }


def _rows(answer: RecoveryResult, *, held: bool) -> list[tuple[str, ...]]:
    if "in_force" not in answer.details:
        return [(answer.instance, "", "", "", answer.message or answer.status, "", "")]
    rows: list[tuple[str, ...]] = [
        (
            answer.instance,
            one["kind"],
            one["name"],
            one["dependency"],
            one["state"],
            one["local"],
            f"{one['left_ms'] / 1_000:.0f} s" if one["left_ms"] else "",
        )
        for one in _shown(answer, held=held)
    ]
    return rows or [(answer.instance, "", "", "", "nothing to show", "", "")]


def _table(rows: list[tuple[str, ...]]) -> str:
    lines = [_COLUMNS, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
