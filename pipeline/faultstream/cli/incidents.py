"""`faultstream incidents`: what is open, or was."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from faultstream.cli.duration import DURATION
from faultstream.cli.reading import reading, where

if TYPE_CHECKING:
    from faultstream.analytics.client import Connection

MOST: Final = 200
"""Incidents in a table for people."""

# The view, and not the log: each incident as its latest revision says.
_FROM: Final = """FROM incidents
WHERE ({all:UInt8} OR state NOT IN ('resolved', 'closed'))
  AND ({service:String} = '' OR root = {service:String})
  AND ({environment:String} = '' OR environment = {environment:String})
  AND opened_at >= now64(3) - toIntervalMillisecond({since:Int64})
ORDER BY opened_at DESC, incident_id"""
_PROGRAMS: Final = f"""SELECT incident_id, environment, root AS service, severity, state, opened_at,
  first_error_at, resolved_at, updated_at,
  if(resolved_at IS NULL, NULL, dateDiff('millisecond', first_error_at, resolved_at) / 1000)
    AS recovered_after_s,
  arrayMap(a -> concat(a.strategy, ' ', a.outcome), attempts) AS tried, reason, experiment_id
{_FROM}"""
_PEOPLE: Final = f"""SELECT incident_id, root, toString(severity), state,
  toUnixTimestamp64Milli(now64(3)) - toUnixTimestamp64Milli(opened_at), reason
{_FROM} LIMIT {MOST + 1}"""
_FOREVER_MS: Final = 100 * 366 * 86_400_000


@click.command("incidents")
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.option("--service", default="", help="Where it began; every service by default.")
@click.option("--environment", default="", help="Every environment by default.")
@click.option("--since", "since_ms", type=DURATION, help="Opened within 30m, 2h, 7d, ...")
@click.option(
    "--format", "style", type=click.Choice(["table", "jsonl", "csv", "tsv"]),
    help="Default: table on a terminal, else jsonl.",
)  # fmt: skip
@where
def command(
    *,
    everything: bool,
    service: str,
    environment: str,
    since_ms: int | None,
    style: str | None,
    data: Path | None,
    clickhouse: str | None,
) -> None:
    """List incidents, newest first: the open ones, or with --all every one.

    Read from ClickHouse, as `faultstream sql` does; how fresh it is stands below the table.

    \b
    Example:  faultstream incidents
              faultstream incidents --all --service orders --since 7d
    """
    asked = {
        "all": str(int(everything)),
        "service": service,
        "environment": environment,
        "since": str(since_ms or _FOREVER_MS),
    }
    with reading(clickhouse, data) as connection:
        if (style or ("table" if sys.stdout.isatty() else "jsonl")) == "table":
            _table(connection, asked)
            return
        from faultstream.cli import sql_output  # noqa: PLC0415 - as in `reading`

        sql_output.write(connection, _PROGRAMS, style or "jsonl", asked)


def _table(connection: "Connection", asked: Mapping[str, str]) -> None:
    from rich.console import Console  # noqa: PLC0415 - as in `reading`
    from rich.table import Table  # noqa: PLC0415

    from faultstream.analytics.chain import fresh  # noqa: PLC0415
    from faultstream.cli.show_tree import freshness, state_text  # noqa: PLC0415
    from faultstream.core.report.text import clean, counted, rough  # noqa: PLC0415

    rows = connection.rows(_PEOPLE, asked)
    cells = [
        (incident_id[:8], clean(root, 20), severity, state, f"{rough(max(0, age_ms))} ago")
        for incident_id, root, severity, state, age_ms, _ in rows[:MOST]
    ]
    if cells:
        console = Console(highlight=False)
        left = console.width
        table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
        for at, name in enumerate(("id", "service", "severity", "state", "opened")):
            width = max(len(name), *(len(row[at]) for row in cells))
            table.add_column(name, no_wrap=True, min_width=width)
            left -= width + 1
        table.add_column("why", no_wrap=True, overflow="ellipsis", max_width=max(10, left - 1))
        for row, (*_, reason) in zip(cells, rows, strict=False):
            table.add_row(*row[:3], state_text(row[3]), row[4], clean(reason, 300))
        console.print(table)
    kind = "incident" if asked["all"] == "1" else "open incident"
    told = f"the newest {MOST}" if len(rows) > MOST else counted(len(rows), kind)
    click.echo(f"{told}; {freshness(*fresh(connection))}", err=True)
