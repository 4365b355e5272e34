"""`faultstream sql`: questions to ClickHouse, wherever it is."""

import re
import sys
from pathlib import Path
from typing import IO, Final

import click

from faultstream.cli import sql_output
from faultstream.cli.sql_source import open_source
from faultstream.config.shape import did_you_mean

_NAME: Final = re.compile(r"[A-Za-z][\w-]*")
"""One word is no SQL."""


@click.command("sql")
@click.argument("sql", required=False)
@click.option("--file", "-f", type=click.File("r", encoding="utf-8"), help="Read the SQL here.")
@click.option(
    "--format", "style", type=click.Choice(sql_output.STYLES),
    help="Default: table on a terminal, else jsonl.",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(path_type=Path),
    help="Data folder of `faultstream up`, running or at rest. Default: FAULTSTREAM_DATA.",
)  # fmt: skip
@click.option("--clickhouse", help="Address of a server. Default: FAULTSTREAM_CLICKHOUSE if set.")
@click.option("--examples", is_flag=True, help="List ready questions, or show the one named SQL.")
def command(
    sql: str | None,
    file: IO[str] | None,
    style: str | None,
    data: Path | None,
    clickhouse: str | None,
    *,
    examples: bool,
) -> None:
    """Ask ClickHouse what happened.

    SQL is a statement, the name of a ready question (see --examples), or `-` for standard
    input. Asked is, in this order: --clickhouse, --data, the server in FAULTSTREAM_CLICKHOUSE,
    and the data folder, whether `faultstream up` runs in it or not.

    \b
    Example:  faultstream sql "SELECT * FROM incidents"
              faultstream sql what-happened
              faultstream sql --format csv -f report.sql > report.csv
    """
    # The drivers take half a second to import, and `faultstream --help` must not pay for it.
    from faultstream.analytics.errors import SinkRefused  # noqa: PLC0415
    from faultstream.analytics.queries import EXAMPLES  # noqa: PLC0415

    ready = {query.name: query for query in EXAMPLES}
    if examples:
        click.echo(sql_output.examples([ready[sql]] if sql in ready else list(EXAMPLES)))
        return
    text = _text(sql, file)
    text = ready[text].sql if text in ready else text
    if _NAME.fullmatch(text):
        mend = did_you_mean(text, ready)
        raise click.UsageError(f"there is no ready question {text!r}. {mend}")
    if not text:
        raise click.UsageError("no SQL: give a statement, a name from --examples, -f FILE or -")
    chosen = style or ("table" if sys.stdout.isatty() else "jsonl")
    with open_source(clickhouse, data) as connection:
        try:
            sql_output.write(connection, text, chosen)
        except SinkRefused as exc:
            click.echo(sql_output.explained(connection, exc), err=True)
            raise click.exceptions.Exit(2) from exc


def _text(sql: str | None, file: IO[str] | None) -> str:
    if sql is not None and file is not None:
        raise click.UsageError("SQL as argument or as file, not both")
    if file is not None:
        return file.read().strip()
    if sql == "-" or (sql is None and not sys.stdin.isatty()):
        return sys.stdin.read().strip()
    return (sql or "").strip()
