"""`faultstream post-incident`: the analysis of one incident."""

from functools import partial
from pathlib import Path

import click

from faultstream.cli.reading import chosen, reading, where
from faultstream.cli.report_file import write


@click.command("post-incident")
@click.argument("incident_id", metavar="ID")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path),
    help="Write it here, the picture beside it; one page with the picture in it for FILE.html.",
)  # fmt: skip
@where
def command(
    incident_id: str, *, output: Path | None, data: Path | None, clickhouse: str | None
) -> None:
    """Write the analysis of an incident as Markdown: root cause, impact, what was tried, timeline.

    ID is the beginning of its id. With -o FILE.md the picture is FILE.svg; without it, a line of
    characters stands for it. -o FILE.html writes a page that needs no other file.

    \b
    Example:  faultstream post-incident 03a54aeb -o reports/payments.md
              faultstream post-incident 03a54aeb -o payments.html
    """
    from faultstream.analytics.analysis import analyse  # noqa: PLC0415 - as in `reading`
    from faultstream.core.report.post_incident import picture, post_incident  # noqa: PLC0415

    with reading(clickhouse, data) as connection:
        facts = analyse(connection, chosen(connection, incident_id))
    if output is None:
        click.echo(post_incident(facts), nl=False)
        return
    write(output, partial(post_incident, facts), picture(facts))
