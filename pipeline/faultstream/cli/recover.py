"""`faultstream recover`: recovery by hand, of an incident or of errors of the past."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

import click
import msgspec

from faultstream.cli import wishing
from faultstream.core.controls import Trigger, opened_by
from faultstream.core.policy import Topology
from faultstream.core.records import Incident
from faultstream.core.strategy import check

SKEW_MS: Final = 5_000
"""How far the clocks of the worker and of who asks may be apart."""


@click.command("recover")
@click.argument("incident_id", metavar="[ID]", default="")
@click.option("--service", default="", help="Whose errors, when no incident is named.")
@click.option("--fingerprint", default="", help="Which errors; the beginning of one is enough.")
@click.option("--environment", default="", help="Of --service; by default the topology's.")
@click.option("--strategy", default="", help="What to do; by default the route decides.")
@click.option("-p", "--parameter", "parameters", multiple=True, help="NAME=VALUE of --strategy.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@wishing.asking
def command(
    incident_id: str,
    *,
    one: wishing.Asked,
    service: str,
    fingerprint: str,
    environment: str,
    strategy: str,
    parameters: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Recover now: an open incident again or differently, or errors of the past.

    ID is the beginning of an incident's id; for one that is over a new one is opened. Without an
    ID, --service or --fingerprint name the errors: the open incident about them is taken, else a
    new one is opened for the latest of them. It counts as an approval, and the guards hold.

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
        asyncio.run(_errors(one, wish, service, fingerprint, place))


def parsed(topology: Topology, strategy: str, given: Sequence[str]) -> dict[str, Any]:
    """The parameters as values: JSON where it is JSON, else text.

    Raises:
        click.UsageError: they, or the strategy, are not known, or out of bounds.
    """
    policy = topology.strategies.get(strategy)
    if strategy and policy is None:
        raise click.UsageError(
            f"there is no strategy {strategy!r}; there are {', '.join(sorted(topology.strategies))}"
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


async def _incident(one: wishing.Asked, prefix: str, wish: Trigger) -> None:
    before = await wishing.meant(one, prefix)
    wish = msgspec.structs.replace(wish, incident_id=before.incident_id)
    control = wishing.wished(one, wish, before.environment)
    fresh, same = opened_by(control), wishing.changed(before, one.by)
    answer = await wishing.carried(
        one, control, lambda incident: incident.incident_id == fresh or same(incident)
    )
    wishing.told(one, answer, before)


async def _errors(
    one: wishing.Asked, wish: Trigger, service: str, fingerprint: str, environment: str
) -> None:
    known = [
        pattern
        for pattern in await wishing.patterns(one, service=service, fingerprint=fingerprint)
        if pattern.environment == environment
    ]
    services = sorted({pattern.service for pattern in known})
    if len(services) > 1:
        click.echo(f"several services have it, name one: {', '.join(services)}", err=True)
        raise click.exceptions.Exit(2)
    if not known:
        what = f"service {service!r}" if service else f"fingerprint {fingerprint!r}"
        click.echo(f"no pattern of {what} is known in {environment}", err=True)
        raise click.exceptions.Exit(1)
    last = known[-1]
    click.echo(
        f"for {last.error_type or last.kind} in {last.service}, fingerprint {last.fingerprint[:8]}",
        err=True,
    )
    control = wishing.wished(
        one,
        msgspec.structs.replace(
            wish,
            service=last.service,
            fingerprint=last.fingerprint,
            layer=last.layer,
            error_type=last.error_type,
            category=last.category,
            transient=last.transient,
        ),
        environment,
    )
    fresh = opened_by(control)

    def answers(incident: Incident) -> bool:
        ours = incident.root == last.service and f"asked for by {one.by}" in incident.reason
        return incident.incident_id == fresh or (
            ours and incident.updated_at_ms >= control.set_at_ms - SKEW_MS
        )

    wishing.told(one, await wishing.carried(one, control, answers))
