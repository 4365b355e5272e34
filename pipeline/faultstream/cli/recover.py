"""`faultstream recover`: recovery by hand, of an incident or of errors of the past."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from faultstream.cli import wishing
from faultstream.cli.duration import now_ms
from faultstream.cli.reading import reading, where
from faultstream.config.shape import did_you_mean
from faultstream.core.controls import Trigger
from faultstream.core.policy import Topology
from faultstream.core.records import Incident
from faultstream.core.strategy import BY_HAND, check
from faultstream.transport import wishes


@click.command("recover")
@click.argument("incident_id", metavar="[ID]", default="")
@click.option("--service", default="", help="Whose errors, when no incident is named.")
@click.option("--fingerprint", default="", help="Which errors; the beginning of one is enough.")
@click.option("--environment", default="", help="Of --service; by default the topology's.")
@click.option("--strategy", default="", help="What to do; by default the route decides.")
@click.option("-p", "--parameter", "parameters", multiple=True, help="NAME=VALUE of --strategy.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@where
@wishing.asking
def command(
    incident_id: str,
    *,
    one: wishes.Asked,
    service: str,
    fingerprint: str,
    environment: str,
    strategy: str,
    parameters: tuple[str, ...],
    dry_run: bool,
    data: Path | None,
    clickhouse: str | None,
) -> None:
    """Recover now: an open incident again or differently, or errors of the past. Ends with 1 when
    nothing was commanded; why is said.

    ID is the beginning of an incident's id; for one that is over a new one is opened. Without an
    ID, --service or --fingerprint name the errors: the open incident about them is taken, else a
    new one is opened for the latest of them. They are looked for among the patterns on the topic,
    then among all that ClickHouse has. It counts as an approval, and the guards hold.

    \b
    Example:  faultstream recover 03a54aeb --strategy circuit_break -p open_ms=30000
              faultstream recover --service payments --dry-run
    """
    if bool(incident_id) is bool(service or fingerprint):
        raise click.UsageError("name an incident, or --service or --fingerprint, and not both")
    given = parsed(one.topology, strategy, parameters)
    wish = Trigger(strategy=strategy, strategy_parameters=given, dry_run=dry_run)
    if incident_id:
        asyncio.run(_incident(one, incident_id, wish))
    else:
        place = environment or one.topology.environment
        which = {"service": service, "fingerprint": fingerprint, "environment": place}
        meant = asyncio.run(_latest(one, wish, which))
        meant = meant or _recorded(wish, which, data, clickhouse)
        asyncio.run(_errors(one, meant, place))


def parsed(topology: Topology, strategy: str, given: Sequence[str]) -> dict[str, Any]:
    """The parameters as values: JSON where it is JSON, else text.

    Raises:
        click.UsageError: they, or the strategy, are not known, or out of bounds.
    """
    policy = topology.strategies.get(strategy)
    if strategy and policy is None:
        raise click.UsageError(
            f"there is no strategy {strategy!r}. {did_you_mean(strategy, topology.strategies)}"
        )
    values: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not name or not equals:
            raise click.UsageError(f"{each!r} is not NAME=VALUE")
        try:
            values[name] = json.loads(text)
        except json.JSONDecodeError:
            values[name] = text
    if values and policy is None:
        raise click.UsageError("--parameter without --strategy")
    if policy is not None and (wrong := check(strategy, {**policy.parameters, **values})):
        raise click.UsageError(f"{strategy}: {wrong[0]}")
    return values


async def _incident(one: wishes.Asked, prefix: str, wish: Trigger) -> None:
    before = await wishing.meant(one, prefix)
    _, answer = await wishes.recovered(one, before, wish, now_ms())
    wishing.told(one, answer, before)
    _must_be_commanded(answer, before)


async def _latest(one: wishes.Asked, wish: Trigger, which: Mapping[str, str]) -> Trigger | None:
    """The wish, for the errors of the latest pattern on the topic."""
    known = await wishes.patterns(one, **which)
    if not known:
        return None
    _must_be_one({pattern.service for pattern in known})
    return wishes.about(wish, known[-1])


def _recorded(
    wish: Trigger, which: Mapping[str, str], data: Path | None, clickhouse: str | None
) -> Trigger:
    """The wish, for the latest of the errors that ClickHouse has. Ends the command with 1 when it
    has none.

    Raises:
        ConfigError, SinkAway: as `sql_source.open_source`.
    """
    from faultstream.analytics.past import latest  # noqa: PLC0415 - as in `reading`

    if wish.strategy in BY_HAND and which["service"]:  # what is done to it needs no error
        return msgspec.structs.replace(wish, service=which["service"])
    name = "service" if which["service"] else "fingerprint"
    what = f"{name} {which[name]!r}"
    click.echo(f"no pattern of {what} on the topic; ClickHouse is asked", err=True)
    with reading(clickhouse, data) as connection:
        found = latest(connection, **which)
    if not found:
        click.echo(f"no error of {what} is known in {which['environment']}", err=True)
        raise click.exceptions.Exit(1)
    _must_be_one({each.service for each in found})
    return wishes.about(wish, found[0])


def _must_be_one(services: set[str]) -> None:
    if len(services) > 1:
        named = ", ".join(sorted(services))
        click.echo(f"several services have it, name one with --service: {named}", err=True)
        raise click.exceptions.Exit(2)


async def _errors(one: wishes.Asked, wish: Trigger, environment: str) -> None:
    which = f", fingerprint {wish.fingerprint[:8]}" if wish.fingerprint else ""
    click.echo(f"for {wish.error_type or 'errors'} in {wish.service}{which}", err=True)
    control = wishing.wished(one, wish, environment)
    answer = await wishes.errors_recovered(one, control, wish.service)
    wishing.told(one, answer)
    _must_be_commanded(answer, None)


def _must_be_commanded(answer: Incident | None, before: Incident | None) -> None:
    """Ends the command with 1 when what was waited for commands nothing."""
    known = {one.command_id for one in before.attempts} if before is not None else set()
    if answer is not None and all(one.command_id in known for one in answer.attempts):
        raise click.exceptions.Exit(1)
