"""Reads topology.yaml into a Topology, or says everything that is wrong with it."""

from importlib.resources import as_file, files
from pathlib import Path

import msgspec

from faultstream.config.errors import ConfigError, Problem
from faultstream.config.hints import hints
from faultstream.config.rules import wrongs
from faultstream.config.shape import misfits
from faultstream.config.source import Source
from faultstream.core.policy import Topology


class Report(msgspec.Struct, frozen=True):
    """What reading a file gave: no topology when there are problems; warnings in either case."""

    file: str
    topology: Topology | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def examine(path: Path | None = None) -> Report:
    """Reads and checks `path`, by default the topology that the package carries. Never raises
    for what stands in the file."""
    try:
        if path is not None:
            source = Source.of(path)
        else:
            with as_file(files("faultstream").joinpath("topology.yaml")) as packaged:
                source = Source.of(packaged)
    except ConfigError as exc:
        return Report(exc.problems[0].file, None, exc.problems)
    return judge(source)


def judge(source: Source) -> Report:
    """Checks what was read: first each value by itself, then the parts against each other."""
    problems = source.problems + misfits(source, Topology, source.value)
    if problems:
        return Report(source.name, None, _ordered(problems))
    topology = msgspec.convert(source.value, Topology)
    problems = wrongs(source, topology)
    found = topology if not problems else None
    return Report(source.name, found, _ordered(problems), _ordered(hints(source, topology)))


def load(path: Path | None = None) -> Topology:
    """The topology in `path`, by default the one that the package carries.

    Raises:
        ConfigError: with every problem that was found, in the order of the file.
    """
    report = examine(path)
    if report.topology is None:
        raise ConfigError.of(report.problems)
    return report.topology


def _ordered(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: problem.line))
