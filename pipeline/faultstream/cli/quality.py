"""`faultstream quality`: how good the core is, in figures, and where it is weak."""

import os
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from faultstream import wire
from faultstream.cli import offline, progress
from faultstream.cli.simulate import Seeds
from faultstream.quality.data import Data
from faultstream.quality.report import SECTIONS, measured
from faultstream.quality.section import Section, Table, Task
from faultstream.simulate.goals import failed, lines

_WIDTH = 80
_VARIABLE = "FAULTSTREAM_QUALITY_DATA"


class Names(click.ParamType):
    """Names of sections, with commas between them."""

    name = "sections"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[str]:
        """The names, each known."""
        if isinstance(value, list):
            return value
        names = [one.strip() for one in str(value).split(",") if one.strip()]
        for one in names:
            if one not in SECTIONS:
                self.fail(f"{one!r} is none of {', '.join(SECTIONS)}", param, ctx)
        return names


@click.command("quality")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with all that is weak.")
@click.option(
    "--only",
    type=Names(),
    default=",".join(SECTIONS),
    help="Sections, with commas; all by default.",
)
@click.option(
    "--data", "folder", type=click.Path(path_type=Path, file_okay=False, exists=True),
    help=f"Folder of real data sets; by default {_VARIABLE}.",
)  # fmt: skip
@click.option(
    "--seed", "--seeds", "seeds", type=Seeds(), default="1", show_default=True,
    help="Seeds of the simulation, like 1-3; one takes a minute or more.",
)  # fmt: skip
@click.option(
    "-j", "--jobs", type=click.IntRange(1, 64), default=1, show_default=True,
    help="Processes that share the seeds.",
)  # fmt: skip
@click.option(
    "--show", "shown", type=click.IntRange(0, 1000), default=10, show_default=True,
    help="How many of each kind of weakness to list.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Exit with 1 when a goal is not met.")
@offline.topology
def command(
    *,
    only: list[str],
    folder: Path | None,
    seeds: range,
    jobs: int,
    shown: int,
    topology_file: Path | None,
    as_json: bool,
    strict: bool,
) -> None:
    """Measure the core: classification, grouping, patterns, cascades, limits and cost.

    Simulated fleets and cost need nothing else. The rest is measured on data sets that nobody of
    this project made; without their folder these sections are skipped, and say so. At the end
    comes one line for each goal: whether it was met, the figure, and what is wanted.

    Exit code 0: measured; 1: with --strict a goal was not met; 2: the command line is wrong.

    \b
    Example:  faultstream quality --only patterns,cost
              faultstream quality --data ../shared/data --only cascades,incidents
              faultstream quality --seeds 1-3 --jobs 2 --json > quality.json
    """
    given = folder or (Path(text) if (text := os.environ.get(_VARIABLE, "").strip()) else None)
    task = Task(
        data=Data(given),
        topology=offline.load_topology(topology_file),
        seeds=seeds,
        jobs=jobs,
        shown=shown,
        tell=progress.tell,
    )
    found = []
    for name, section in measured(task, only):
        found.append((name, section))
        if not as_json:
            _print(name, section)
    if as_json:
        sections = {
            name: {"skipped": one.skipped} if one.skipped else one.figures for name, one in found
        }
        reached = {name: msgspec.to_builtins(one.goals) for name, one in found if one.goals}
        click.echo(
            wire.dumps({"seeds": [seeds[0], seeds[-1]], "sections": sections, "goals": reached})
        )
    else:
        _print_goals(found)
    if strict and any(failed(one.goals) for _, one in found):
        raise click.exceptions.Exit(1)


def _print(name: str, section: Section) -> None:
    progress.clear()
    console = _console()
    console.print(Text(name, style="bold"))
    if section.skipped:
        console.print(Text(f"skipped: {section.skipped}\n"))
        return
    console.print(Text(section.says))
    for table in section.tables:
        if table.rows:
            if table.title:  # a title of the grid's own would be folded to its width
                console.print(Text(f"\n{table.title}"))
            console.print(_grid(table))
    for note in section.notes:
        console.print(Text(note))
    console.print()


def _print_goals(found: Sequence[tuple[str, Section]]) -> None:
    console = _console()
    console.print(Text("goals", style="bold"))
    for name, section in found:
        if section.goals:
            console.print(Text(name))
        for line in lines(section.goals):
            console.print(Text(line))


def _console() -> Console:
    return Console(width=_WIDTH, highlight=False, soft_wrap=False)


def _grid(table: Table) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for index, name in enumerate(table.columns):
        words = index < table.texts
        grid.add_column(
            Text(name), justify="left" if words else "right", overflow="fold", no_wrap=not words
        )
    for row in table.rows:
        grid.add_row(*(Text(cell) for cell in row))
    return grid
