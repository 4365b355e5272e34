"""`faultstream runbook`: what to do about an error type, from what really worked."""

from pathlib import Path

import click

from faultstream.cli.reading import reading, where
from faultstream.cli.report_file import write


@click.command("runbook")
@click.argument("problem", metavar="[TYPE|FINGERPRINT]", default="")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write it to a file; a page for .html."
)
@where
def command(
    problem: str, *, output: Path | None, data: Path | None, clickhouse: str | None
) -> None:
    """Write the runbook of an error type, or of one fingerprint, as Markdown.

    Everything in it is what was recorded: how often it came, which strategies the stream saw cure
    it and how sure that is, what went before it, and what to ask. Without an argument, the types
    of which there are errors. A type may be given without its module.

    \b
    Example:  faultstream runbook
              faultstream runbook OperationalError -o runbooks/database.md
    """
    from faultstream.analytics import problem as facts  # noqa: PLC0415 - as in `reading`
    from faultstream.core.report import runbook  # noqa: PLC0415

    with reading(clickhouse, data) as connection:
        if not problem:
            text = runbook.contents(facts.overview(connection))
        else:
            try:
                text = runbook.runbook(facts.problem(connection, problem))
            except LookupError as exc:
                click.echo(
                    f"no error of type or fingerprint {problem!r} is stored; `faultstream runbook`"
                    " lists the types",
                    err=True,
                )
                raise click.exceptions.Exit(1) from exc
    if output is None:
        click.echo(text, nl=False)
    else:
        write(output, lambda _: text)
