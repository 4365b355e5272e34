"""What a recovery scenario can say: a fleet, kinds of faults, and what ends or worsens each.

That truth is known to the simulation only. Chances are drawn once per fault and strategy.
"""

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from faultstream.config.errors import ConfigError, Problem
from faultstream.config.shape import did_you_mean, misfits
from faultstream.config.source import Source
from faultstream.core.policy import Name
from faultstream.simulate.catalogue import ERRORS
from faultstream.simulate.packaged import names, source

_FOLDER: Final = "simulate/recoveries"

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Worsening(_Part, frozen=True, kw_only=True):
    """With this chance the strategy makes the errors `factor` times as many until taken back."""

    chance: Share
    factor: Annotated[float, Meta(gt=1.0, le=100.0)]


class FaultKind(_Part, frozen=True, kw_only=True):
    """Errors of this name (see simulate/catalogue.py) until the fault ends by itself, or a strategy
    cures it, each with its chance."""

    error: Name
    per_second: tuple[float, float] = (1.0, 4.0)
    minutes: tuple[float, float] = (5.0, 12.0)
    cures: dict[Name, Share]
    worsens: dict[Name, Worsening] = {}
    services: tuple[Name, ...] = ()
    foreseen: Share = 0.0
    """Of such faults so many are predicted before they come."""


class Foresight(_Part, frozen=True, kw_only=True):
    """How long before a fault its prediction is told, and how many predictions come true."""

    lead_minutes: tuple[float, float] = (1.0, 10.0)
    true_ratio: Annotated[float, Meta(ge=0.5, le=1.0)] = 0.85


class RecoveryService(_Part, frozen=True, kw_only=True):
    """A service of the fleet."""

    layer: Name
    instances: Annotated[int, Meta(ge=1, le=100)] = 2
    depends_on: tuple[Name, ...] = ()


class RecoveryScenario(_Part, frozen=True, kw_only=True):
    """The whole of a file."""

    version: Literal[1]
    name: Name
    hours: Annotated[float, Meta(gt=0.0, le=168.0)]
    faults_per_hour: Annotated[float, Meta(gt=0.0, le=1000.0)]
    refused_ratio: Share = 0.0
    failed_ratio: Share = 0.0
    foresight: Foresight = Foresight()
    services: dict[Name, RecoveryService]
    kinds: dict[Name, FaultKind]


def packaged() -> list[str]:
    """The names of the recovery scenarios in the package."""
    return names(_FOLDER)


def load(path: str | Path) -> RecoveryScenario:
    """The scenario in the file `path`, or the packaged one of that name.

    Raises:
        ConfigError: with every problem that was found, in the order of the file.
    """
    return judge(source(_FOLDER, path, absent="no such file, no recovery scenario of ours"))


def judge(source: Source) -> RecoveryScenario:
    """The scenario in `source`.

    Raises:
        ConfigError: as in `load`.
    """
    problems = source.problems + misfits(source, RecoveryScenario, source.value)
    if not problems:
        scenario = msgspec.convert(source.value, RecoveryScenario)
        problems = _wrongs(source, scenario)
        if not problems:
            return scenario
    raise ConfigError.of(sorted(problems, key=lambda problem: problem.line))


def _wrongs(source: Source, scenario: RecoveryScenario) -> list[Problem]:
    found: list[Problem] = []

    def known(path: str, name: str, names: object, noun: str) -> None:
        every = list(names) if isinstance(names, dict) else []
        if name not in every:
            mend = did_you_mean(name, every)
            found.append(source.problem(path, f"no such {noun}", value=repr(name), mend=mend))

    for name, service in scenario.services.items():
        for index, other in enumerate(service.depends_on):
            known(f"services.{name}.depends_on[{index}]", other, scenario.services, "service")
    low, high = scenario.foresight.lead_minutes
    if not 0 < low <= high <= 14:
        bound = "two numbers above 0 and up to 14, the larger one last"
        at, value = "foresight.lead_minutes", f"{low}, {high}"
        found.append(source.problem(at, "no range", bound=bound, value=value))
    for name, kind in scenario.kinds.items():
        known(f"kinds.{name}.error", kind.error, ERRORS, "error")
        for index, service_name in enumerate(kind.services):
            known(f"kinds.{name}.services[{index}]", service_name, scenario.services, "service")
        for path, (low, high) in (("per_second", kind.per_second), ("minutes", kind.minutes)):
            if not 0 < low <= high:
                bound = "two numbers above 0, the larger one last"
                at = f"kinds.{name}.{path}"
                found.append(source.problem(at, "no range", bound=bound, value=f"{low}, {high}"))
    return found
