"""`faultstream post-incident`: the analysis of one incident."""

from pathlib import Path

import click

from faultstream.cli.reading import chosen, reading, where


@click.command("post-incident")
@click.argument("incident_id", metavar="ID")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write it here, the picture beside it."
)
@where
def command(
    incident_id: str, *, output: Path | None, data: Path | None, clickhouse: str | None
) -> None:
    """Write the analysis of an incident as Markdown: root cause, impact, what was tried, timeline.

    ID is the beginning of its id. With -o FILE.md the picture is FILE.svg; without it, a line of
    characters stands for it.

    \b
    Example:  faultstream post-incident 03a54aeb -o reports/payments.md
    """
    from faultstream.analytics.analysis import analyse  # noqa: PLC0415 - as in `reading`
    from faultstream.core.report.post_incident import picture, post_incident  # noqa: PLC0415

    with reading(clickhouse, data) as connection:
        facts = analyse(connection, chosen(connection, incident_id))
    if output is None:
        click.echo(post_incident(facts), nl=False)
        return
    image = output.with_suffix(".svg")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(post_incident(facts, image.name.replace(" ", "%20")), "utf-8")
    image.write_text(picture(facts), "utf-8")
