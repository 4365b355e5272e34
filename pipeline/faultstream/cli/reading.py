"""What the commands share that read ClickHouse: where it is, and what they say when it is empty."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from faultstream.analytics.client import Connection

F = TypeVar("F", bound=Callable[..., Any])

NOTHING: Final = frozenset({60, 81})
"""ClickHouse's codes for a table, or a database, that is not there."""


def where(function: F) -> F:
    """Adds --data and --clickhouse."""
    function = click.option(
        "--clickhouse", help="Address of a server. Default: FAULTSTREAM_CLICKHOUSE if set."
    )(function)
    return click.option(
        "--data",
        type=click.Path(path_type=Path),
        help="Data folder of `faultstream up`, running or at rest. Default: FAULTSTREAM_DATA.",
    )(function)


@contextmanager
def reading(clickhouse: str | None, data: Path | None) -> Iterator["Connection"]:
    """A connection for questions. Where nothing was recorded yet the command ends with 1 and says
    so; a refused question ends it with 2.

    Raises:
        ConfigError, SinkAway: as `sql_source.open_source`.
    """
    # The drivers take half a second to import, and `faultstream --help` must not pay for it.
    from faultstream.analytics.errors import SinkRefused  # noqa: PLC0415
    from faultstream.cli.sql_source import open_source  # noqa: PLC0415

    with open_source(clickhouse, data) as connection:
        try:
            yield connection
        except SinkRefused as exc:
            if exc.code in NOTHING:
                click.echo("nothing was recorded here yet: the recorder makes the tables", err=True)
                raise click.exceptions.Exit(1) from exc
            click.echo(exc.reason, err=True)
            raise click.exceptions.Exit(2) from exc


def chosen(connection: "Connection", prefix: str) -> str:
    """The id of the one incident that `prefix` means; it may be of one of its commands or patterns.
    Ends the command with 1 when there is none, with 2 when it is not clear which one."""
    from faultstream.analytics.chain import MOST_FOUND, find, fresh  # noqa: PLC0415
    from faultstream.cli.show_tree import freshness  # noqa: PLC0415

    found = find(connection, prefix) if prefix else []
    if len(found) == 1:
        return found[0]
    if found:
        many = f"{MOST_FOUND} or more" if len(found) == MOST_FOUND else str(len(found))
        lines = "\n".join(f"  {one}" for one in found)
        click.echo(f"{many} incidents begin with {prefix!r}:\n{lines}", err=True)
        raise click.exceptions.Exit(2)
    age = freshness(*fresh(connection))
    click.echo(
        f"no incident {prefix!r} is stored ({age}); `faultstream incidents --all` lists them",
        err=True,
    )
    raise click.exceptions.Exit(1)
