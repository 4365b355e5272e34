"""`faultstream show`: one incident, from its first error to the last message about it."""

from pathlib import Path

import click

from faultstream.cli.reading import chosen, reading, where


@click.command("show")
@click.argument("incident_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a tree.")
@where
def command(incident_id: str, *, as_json: bool, data: Path | None, clickhouse: str | None) -> None:
    """Show one incident: why it was opened, what was done and came of it, who was told.

    ID is the beginning of the incident's id, or of the id of one of its commands or patterns.
    Times are since the first error. What is not stored yet is said to be so.

    \b
    Example:  faultstream show 03a54aeb
    """
    from rich.console import Console  # noqa: PLC0415 - as in `reading`

    from faultstream.analytics.chain import read  # noqa: PLC0415
    from faultstream.cli.show_tree import freshness, tree  # noqa: PLC0415

    with reading(clickhouse, data) as connection:
        chain = read(connection, chosen(connection, incident_id))
    if as_json:
        from faultstream import wire  # noqa: PLC0415

        click.echo(wire.dumps(wire.plain(chain)))
        return
    Console(highlight=False).print(tree(chain))
    click.echo(freshness(chain.stored_at_ms, chain.now_ms), err=True)
