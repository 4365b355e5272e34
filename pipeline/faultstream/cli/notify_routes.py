"""`faultstream notify routes`: the routing tree, and which of it an alert would go through."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from faultstream.cli.duration import MOMENT, now_ms
from faultstream.cli.offline import load_topology
from faultstream.cli.where import topology_option
from faultstream.config.shape import did_you_mean
from faultstream.core.notify.matchers import LABELS
from faultstream.core.notify.outlook import Ladder, Outlook, Taken, outlook
from faultstream.core.notify.route import EACH, Route
from faultstream.core.notify.turn import Rules
from faultstream.core.report.text import clean, length


@click.command("routes")
@click.argument("labels", nargs=-1)
@click.option("--at", "at_ms", type=MOMENT, help="2026-01-05T22:00, or 2h from now; now.")
@click.option("--expect", multiple=True, help="Exit with 1 unless just these receivers are told.")
@topology_option()
def command(
    labels: tuple[str, ...], *, at_ms: int | None, expect: tuple[str, ...], file: Path | None
) -> None:
    """Show the routing tree, or what awaits an alert with LABELS (name=value).

    A label that is left out is an empty one. Nothing is sent; silences, rate limits and what other
    alerts inhibit are not looked at.

    \b
    Example:  faultstream notify routes
              faultstream notify routes level=critical service=orders --expect pager
    """
    rules = Rules(load_topology(file))
    given = _labels(labels)
    if not given:
        if expect:
            raise click.UsageError("--expect needs the labels of an alert, such as level=critical")
        for line in _tree(rules, rules.root):
            click.echo(line)
        return
    for name in sorted(given.keys() - set(LABELS)):
        mend = did_you_mean(name, LABELS)
        click.echo(f"warning: alerts of respond have no label {name!r}. {mend}", err=True)
    for name in expect:
        if name not in rules.receivers:
            mend = did_you_mean(name, rules.receivers)
            raise click.BadParameter(f"there is no receiver {name!r}. {mend}".strip())
    found = outlook(rules, given, now_ms() if at_ms is None else at_ms)
    for line in _shown(found):
        click.echo(line)
    told = sorted({one.route.receiver for one in found.taken if not one.closed})
    if expect and told != sorted(set(expect)):
        wanted = ", ".join(sorted(set(expect)))
        click.echo(f"expected {wanted}, but {', '.join(told) or 'nobody'} is told", err=True)
        sys.exit(1)


def _labels(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or value.startswith("~") or name.endswith(("!", "=")):
            raise click.BadParameter(f"{text!r} is no label such as level=critical")
        found[name.strip()] = value.strip().strip('"')
    return found


def _tree(rules: Rules, route: Route, depth: int = 0) -> Iterator[str]:
    """A line for each route, children deeper."""
    receiver = rules.receivers[route.receiver]
    what = ", ".join(route.matchers) or ("everything else" if depth == 0 else "everything")
    more = ", and goes on" if route.goes_on else ""
    yield f"{'  ' * depth}{clean(what)} -> {route.receiver} ({', '.join(receiver.channels)}){more}"
    yield f"{'  ' * depth}    {_when(route)}"
    for child in route.children:
        yield from _tree(rules, child, depth + 1)


def _when(route: Route) -> str:
    grouped = f"grouped by {', '.join(route.group_by)}" if route.group_by else "one group"
    parts = [
        "each alert alone" if EACH in route.group_by else grouped,
        _after(route.group_wait_ms),
        f"then every {length(route.group_interval_ms)}",
        f"again after {length(route.repeat_interval_ms)}",
    ]
    parts += [f"muted in {name}" for name in route.mute_time_intervals]
    if route.active_time_intervals:
        parts.append(f"only in {', '.join(route.active_time_intervals)}")
    if route.inhibit_in_flight:
        parts.append("quiet below error while recovery is in flight")
    return "; ".join(parts)


def _shown(found: Outlook) -> Iterator[str]:
    for one in found.taken:
        yield from _taken(one)
    for ladder in found.ladders:
        yield from _ladder(ladder)
    for rule in found.inhibited_by:
        same = f" and the same {', '.join(rule.equal)}" if rule.equal else ""
        yield f"muted while an alert fires with {', '.join(rule.source_matchers)}{same}"


def _taken(one: Taken) -> Iterator[str]:
    route = one.route
    yield f"route {route.path} ({clean(', '.join(route.matchers)) or 'everything else'})"
    channels = ", ".join(one.channels) or "nobody"
    otherwise = f"; where that fails {', then '.join(one.fallback)}" if one.fallback else ""
    yield f"    receiver {route.receiver}: {channels}{otherwise}"
    if one.too_low:
        yield f"    not {', '.join(one.too_low)}: its level is below their min_level"
    if one.closed:
        yield f"    tells nobody then: {one.closed}"
    labels = ", ".join(f"{name}={value}" for name, value in one.group.items())
    yield f"    {_when(route)}"
    if labels:
        yield f"    its group: {clean(labels)}"


def _ladder(ladder: Ladder) -> Iterator[str]:
    again = f", again {length(ladder.repeat_ms)} after the last step" if ladder.repeat_ms else ""
    yield f"escalation {ladder.name}, until acknowledged or resolved{again}"
    for rung in ladder.rungs:
        whom = ", ".join(
            f"{channel} ({who})" if who else channel for channel, who in rung.channels.items()
        )
        yield f"    {_after(rung.after_ms)}: {whom}"


def _after(wait_ms: int) -> str:
    return f"after {length(wait_ms)}" if wait_ms else "at once"
