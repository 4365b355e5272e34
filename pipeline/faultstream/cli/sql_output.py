"""How an answer is shown: as a table for people, or in a format for programs."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from faultstream.analytics.client import Connection
from faultstream.analytics.errors import SinkAway, SinkRefused
from faultstream.analytics.queries import Query

FORMATS: Final = {
    "jsonl": "JSONEachRow",
    "csv": "CSVWithNames",
    "tsv": "TabSeparatedWithNames",
    "pretty": "PrettyCompactMonoBlock",
}
STYLES: Final = ("table", *FORMATS)
_OWN_FORMAT: Final = re.compile(r"\bFORMAT\s+\w+\s*$", re.IGNORECASE)
_NUMERIC: Final = re.compile(r"(Nullable\(|LowCardinality\()*(U?Int|Float|Decimal)")


def write(
    connection: Connection, sql: str, style: str, parameters: Mapping[str, str] | None = None
) -> None:
    """Asks and writes the answer to standard output; a FORMAT in the SQL goes before `style`.
    `{name:Type}` in the SQL is taken from `parameters`.

    Raises:
        SinkRefused: the question is not understood or not allowed.
        SinkAway: ClickHouse is away.
    """
    sql = sql.rstrip().removesuffix(";").rstrip()
    if _OWN_FORMAT.search(sql):
        _copy(connection, sql, None, parameters)
    elif style == "table":
        _table(connection, sql, parameters)
    else:
        _copy(connection, sql, FORMATS[style], parameters)


def _copy(
    connection: Connection, sql: str, form: str | None, parameters: Mapping[str, str] | None
) -> None:
    for piece in connection.pieces(sql, form, parameters):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _table(connection: Connection, sql: str, parameters: Mapping[str, str] | None) -> None:
    raw = b"".join(connection.pieces(sql, "JSONCompact", parameters))
    if not raw.strip():
        click.echo("done")
        return
    answer = json.loads(raw.decode("utf-8", "replace"))
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", show_edge=False, padding=(0, 1, 0, 0))
    for column in answer["meta"]:
        numeric = _NUMERIC.match(column["type"]) is not None
        table.add_column(Text(column["name"]), justify="right" if numeric else "left")
    for row in answer["data"]:
        table.add_row(*(_cell(value) for value in row))
    Console().print(table)
    rows = len(answer["data"])
    click.echo(f"{rows} row{'' if rows == 1 else 's'}", err=True)


def _cell(value: Any) -> Text:
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, str):
        text = "".join(char if char.isprintable() or char == "\n" else "�" for char in value)
        return Text(text)
    if isinstance(value, float):
        return Text(f"{value:.6g}")
    return Text(json.dumps(value, ensure_ascii=False) if not isinstance(value, int) else str(value))


def explained(connection: Connection, exc: SinkRefused) -> str:
    """What went wrong, with what there is to ask when the name was wrong."""
    text = exc.reason
    if exc.code == 81:
        return f"{text}\nnothing was recorded here yet: the database is made by the recorder"
    if exc.code != 60:
        return text
    try:
        rows = connection.rows(
            "SELECT name FROM system.tables WHERE database = currentDatabase() "
            "AND engine NOT IN ('MaterializedView') ORDER BY name"
        )
    except (SinkAway, SinkRefused):
        return text
    if not rows:
        return f"{text}\nnothing was recorded here yet: there are no tables"
    return f"{text}\ntables and views: {', '.join(name for (name,) in rows)}"


def examples(queries: Sequence[Query]) -> str:
    """Ready questions, by name, as they can be typed."""
    parts = []
    for query in queries:
        indented = "\n".join(f"    {line}" for line in query.sql.splitlines())
        parts.append(f"{query.name}\n  {query.question}\n{indented}")
    return "\n\n".join(parts)
