"""`faultstream simulate`: labelled fleets, and how well detection finds what was planted."""

import re
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from faultstream import wire
from faultstream.cli import offline, progress, simulate_respond
from faultstream.core.policy import Topology
from faultstream.simulate.figures import figures
from faultstream.simulate.generate import Run
from faultstream.simulate.goals import Goal, failed, goals
from faultstream.simulate.kinds import KINDS
from faultstream.simulate.planting import Truth
from faultstream.simulate.reading import load, packaged
from faultstream.simulate.report import text
from faultstream.simulate.scenario import Scenario
from faultstream.simulate.score import Tally
from faultstream.simulate.seeds import each

_MAX_SEEDS: Final = 10_000


class Seeds(click.ParamType):
    """One seed, or a range with both ends: `7`, `1..20` or `1-20`."""

    name = "seeds"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> range:
        """The seeds in order."""
        if isinstance(value, range):
            return value
        found = re.fullmatch(r"(\d{1,9})(?:(?:\.\.|-)(\d{1,9}))?", str(value))
        if found is None:
            self.fail(f"{value!r} is neither a seed nor a range like 1..20", param, ctx)
        first = int(found[1])
        seeds = range(first, int(found[2] or first) + 1)
        if not 0 < len(seeds) <= _MAX_SEEDS:
            self.fail(f"{value!r} is no range of 1 to {_MAX_SEEDS} seeds", param, ctx)
        return seeds


@click.command("simulate")
@click.argument("scenario", required=False)
@click.option(
    "--seed", "--seeds", "seeds", type=Seeds(), default="1", show_default=True,
    help="A seed, or a range like 1..20.",
)  # fmt: skip
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, file_okay=False),
    help="Write events.jsonl and truth.jsonl into this folder; a folder per seed for a range.",
)  # fmt: skip
@click.option("--score", is_flag=True, help="Say what detection finds of what was planted.")
@click.option("--json", "as_json", is_flag=True, help="The score as JSON.")
@click.option("--blind", is_flag=True, help="Do not tell detection the fleet's dependencies.")
@click.option(
    "-j", "--jobs", type=click.IntRange(1, 64), default=1, show_default=True,
    help="Processes that share a range of seeds when scoring.",
)  # fmt: skip
@click.option("--min-recall", type=click.FloatRange(0, 1), help="Exit with 1 below this recall.")
@click.option("--strict", is_flag=True, help="With --score: exit with 1 when a goal is not met.")
@click.option(
    "--respond", is_flag=True,
    help="Say how well recovery does on faults whose cures it does not know; SCENARIO is `shop` "
    "or a file of that kind.",
)  # fmt: skip
@click.option(
    "--min-rate", type=click.FloatRange(0, 1), help="With --respond: exit with 1 below this rate."
)
@click.option("--list", "listed", is_flag=True, help="List the scenarios in the package.")
@click.option("--kinds", "kinds", is_flag=True, help="List the kinds of incident.")
@offline.topology
def command(
    scenario: str | None,
    seeds: range,
    out: Path | None,
    topology_file: Path | None,
    *,
    score: bool,
    as_json: bool,
    blind: bool,
    jobs: int,
    min_recall: float | None,
    strict: bool,
    respond: bool,
    min_rate: float | None,
    listed: bool,
    kinds: bool,
) -> None:
    """Make the errors of a fleet with planted incidents; SCENARIO is a file or a packaged name.

    The same scenario and seed give the same bytes. Events come in order of arrival: late ones,
    skewed clocks and all. The truth says what was planted where, and what must be found. A score
    ends with one line for each goal: whether it was met, the figure, and what is wanted.

    Exit code 0: done; 1: below --min-recall or --min-rate, or with --strict a goal was not met;
    2: the scenario or the command line is wrong.

    \b
    Example:  faultstream simulate zoo --seed 7 --out zoo-7
              faultstream simulate busy-day --score
              faultstream simulate zoo --seeds 1..20 --score --json
              faultstream simulate my-fleet.yaml --score --strict
              faultstream simulate --respond --seeds 1..20
    """
    if listed or kinds:
        _list(kinds=kinds)
        return
    if respond:
        topology = offline.load_topology(topology_file)
        simulate_respond.run(
            scenario, topology, seeds, jobs=jobs, as_json=as_json, min_rate=min_rate
        )
        return
    if scenario is None:
        raise click.UsageError("Missing argument 'SCENARIO'; --list shows those in the package.")
    if out is None and not score:
        raise click.UsageError("Nothing to do: give --out FOLDER, --score, or both.")
    found = load(scenario)
    topology = offline.load_topology(topology_file)
    if out is not None:
        for seed in seeds:
            _write(Run(found, seed), out if len(seeds) == 1 else out / str(seed))
    if score:
        tally = _scored(found, topology, seeds, blind=blind, jobs=jobs)
        measured = figures(tally)
        reached = goals(measured)
        _say(found, tally, measured, reached, as_json=as_json)
        if _is_low(measured["recall"], min_recall) or (strict and failed(reached)):
            raise click.exceptions.Exit(1)


def _list(*, kinds: bool) -> None:
    """The scenarios in the package, or the kinds of incident."""
    if not kinds:
        click.echo("\n".join(packaged()))
        return
    for name, kind in KINDS.items():
        click.echo(f"{name:<18} {kind.says}; must be found: {', '.join(kind.must)}")


def _is_low(recall: float | None, least: float | None) -> bool:
    return least is not None and recall is not None and recall < least


def _scored(
    scenario: Scenario, topology: Topology, seeds: range, *, blind: bool, jobs: int
) -> Tally:
    """All seeds together; of more than one it is told how each went."""
    tally = Tally()
    tell = progress.tell if progress.wanted() else None
    for seed, one in each(scenario, topology, seeds, blind=blind, jobs=jobs, tell=tell):
        tally.add(one)
        progress.clear()
        if len(seeds) > 1:
            right = sum(not hit.missing for hit in one.hits)
            click.echo(f"seed {seed}: {right} of {len(one.hits)} found", err=True)
    return tally


def _write(run: Run, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "events.jsonl").open("wb") as file:
        for one in run.arrivals():
            file.write(wire.encode_event(one.event) + b"\n")
    with (folder / "truth.jsonl").open("wb") as file:
        for truth in run.truths:
            file.write(truth_line(truth))


def truth_line(truth: Truth) -> bytes:
    """A line of truth.jsonl: the fields of Truth, times as RFC 3339."""
    plain = msgspec.to_builtins(truth)
    for name in [name for name in plain if name.endswith("_at_ms")]:
        plain[name.removesuffix("_ms")] = wire.rfc3339(plain.pop(name))
    return wire.dumps(plain) + b"\n"


def _say(
    scenario: Scenario, tally: Tally, found: dict[str, Any], reached: list[Goal], *, as_json: bool
) -> None:
    if not as_json:
        click.echo(text(scenario.name, tally), nl=False)
        return
    missed = [hit for hit in tally.hits if hit.missing]
    plain = {
        "scenario": scenario.name,
        **found,
        "missed": [{**msgspec.to_builtins(hit), "missing": hit.missing} for hit in missed],
        "false": msgspec.to_builtins(tally.wrong),
        "goals": msgspec.to_builtins(reached),
    }
    click.echo(wire.dumps(plain))
