"""`faultstream report`: how good recovery was, goal by goal, and what to do about it."""

from datetime import UTC, datetime
from pathlib import Path

import click

from faultstream.cli.duration import DURATION
from faultstream.cli.reading import reading, where
from faultstream.cli.report_file import write


@click.command("report")
@click.option(
    "--since", "since_ms", type=DURATION, default="24h", show_default=True, help="How far back."
)
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Its end, in UTC. Default: now.",
)  # fmt: skip
@click.option("--environment", default="", help="Every environment by default.")
@click.option(
    "--availability",
    type=click.FloatRange(0, 100, max_open=True),
    default=99.9,
    show_default=True,
    help="Percent of the time that no critical incident of a service may be open.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write it to a file; a page for .html."
)
@click.option("--strict", is_flag=True, help="Exit with 1 when a goal is missed.")
@where
def command(
    *,
    since_ms: int,
    until: datetime | None,
    environment: str,
    availability: float,
    as_json: bool,
    output: Path | None,
    strict: bool,
    data: Path | None,
    clickhouse: str | None,
) -> None:
    """Say how good recovery was: availability, time to detect and to recover, recovered, false
    alarms, categories, recurring faults found; each beside its goal. Then what to do.

    What is right and wrong comes from people: `faultstream correct`, `faultstream resolve
    --false-alarm`, and categories that clients give.

    \b
    Example:  faultstream report --since 7d
              faultstream report --since 30d --environment production -o october.html
    """
    # As in `reading`: what imports the drivers is imported late.
    from faultstream.analytics.chain import fresh  # noqa: PLC0415
    from faultstream.analytics.reliability import facts  # noqa: PLC0415
    from faultstream.core.report import reliability  # noqa: PLC0415

    with reading(clickhouse, data) as connection:
        end_ms = fresh(connection)[1]
        if until is not None:
            end_ms = int(until.replace(tzinfo=UTC).timestamp() * 1000)
        read = facts(connection, end_ms - since_ms, end_ms, environment)
    judged = reliability.goals(read, availability / 100)
    text = (reliability.as_json if as_json else reliability.report)(read, availability / 100)
    if output is None:
        click.echo(text, nl=False)
    else:
        write(output, lambda _: text)
    if strict and any(one.met is False for one in judged):
        raise click.exceptions.Exit(1)
