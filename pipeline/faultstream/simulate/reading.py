"""Reads scenario files, strictly: everything that is wrong is said with its line."""

from pathlib import Path

import msgspec

from faultstream.config.errors import ConfigError, Problem
from faultstream.config.shape import did_you_mean, misfits
from faultstream.config.source import Source
from faultstream.simulate.catalogue import ERRORS
from faultstream.simulate.packaged import names, source
from faultstream.simulate.scenario import Scenario, minutes_of
from faultstream.wire import parse_time

_FOLDER = "simulate/scenarios"


def packaged() -> list[str]:
    """The names of the scenarios in the package."""
    return names(_FOLDER)


def load(path: str | Path) -> Scenario:
    """The scenario in the file `path`, or the packaged one of that name.

    Raises:
        ConfigError: with every problem that was found, in the order of the file.
    """
    return judge(source(_FOLDER, path, absent="no such file, and no scenario of the package"))


def judge(source: Source) -> Scenario:
    """The scenario in `source`.

    Raises:
        ConfigError: as in `load`.
    """
    problems = source.problems + misfits(source, Scenario, source.value)
    if not problems:
        try:
            scenario = msgspec.convert(source.value, Scenario)
        except msgspec.ValidationError as exc:
            raise ConfigError(source.name, "", str(exc)) from exc
        problems = _wrongs(source, scenario)
        if not problems:
            return scenario
    raise ConfigError.of(sorted(problems, key=lambda problem: problem.line))


def _wrongs(source: Source, scenario: Scenario) -> list[Problem]:
    """What is wrong with parts that are right by themselves."""
    check = _Check(source, scenario)
    check.fleet()
    check.errors()
    check.times()
    return check.problems + _loops(source, scenario)


class _Check:
    """Names that nothing has, moments after the end, messages that cannot be filled in."""

    def __init__(self, source: Source, scenario: Scenario) -> None:
        self._source = source
        self._scenario = scenario
        self._errors = {*ERRORS, *scenario.errors}
        self.problems: list[Problem] = []

    def fleet(self) -> None:
        names = set(self._scenario.services)
        for name, service in self._scenario.services.items():
            for index, other in enumerate(service.depends_on):
                self._known(f"services.{name}.depends_on[{index}]", other, names, "service")
            for error in service.noise:
                self._known(f"services.{name}.noise.{error}", error, self._errors, "error")

    def errors(self) -> None:
        for name, spec in self._scenario.errors.items():
            for index, message in enumerate(spec.messages):
                try:
                    message.format(n=0, id="", ms=0, host="", other="")
                except (KeyError, IndexError, ValueError, AttributeError):
                    path = f"errors.{name}.messages[{index}]"
                    bound = "text with {n}, {id}, {ms}, {host} or {other}"
                    self._add(path, "wrong placeholder", bound=bound, value=repr(message))

    def times(self) -> None:
        scenario = self._scenario
        try:
            parse_time(scenario.start)
        except ValueError:
            value = repr(scenario.start)
            self._add("start", "wrong value", bound="an RFC 3339 time", value=value)
        for index, deploy in enumerate(scenario.deploys):
            names = set(scenario.services)
            self._known(f"deploys[{index}].service", deploy.service, names, "service")
            self._within(f"deploys[{index}].at", deploy.at)
        places = _places(scenario)
        for index, incident in enumerate(scenario.incidents):
            path = f"incidents[{index}]"
            self._within(f"{path}.at", incident.at)
            if incident.service is not None:
                self._known(f"{path}.service", incident.service, places, "service")
            if incident.error is not None:
                self._known(f"{path}.error", incident.error, self._errors, "error")
        for index, draw in enumerate(scenario.draws):
            self._within(f"draws[{index}].after", draw.after)

    def _known(self, path: str, name: str, names: set[str], noun: str) -> None:
        if name not in names:
            mend = did_you_mean(name, names)
            self._add(path, f"no such {noun}", value=repr(name), mend=mend)

    def _within(self, path: str, moment: str) -> None:
        if minutes_of(moment) >= self._scenario.hours * 60:
            bound = f"before the end at {self._scenario.hours:g} h"
            self._add(path, "too late", bound=bound, value=moment)

    def _add(
        self, path: str, problem: str, *, bound: str = "", value: str = "", mend: str = ""
    ) -> None:
        found = self._source.problem(path, problem, bound=bound, value=value, mend=mend)
        self.problems.append(found)


def _places(scenario: Scenario) -> set[str]:
    return {copy for name, one in scenario.services.items() for copy in names_of(name, one.copies)}


def names_of(name: str, copies: int) -> list[str]:
    """The names of the services that one entry stands for."""
    return [name] if copies == 1 else [f"{name}-{number}" for number in range(1, copies + 1)]


def _loops(source: Source, scenario: Scenario) -> list[Problem]:
    """Services that depend on themselves, directly or not."""
    done: set[str] = set()
    problems: list[Problem] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            way = " > ".join([*above[above.index(name) :], name])
            problems.append(source.problem(f"services.{name}.depends_on", f"a loop: {way}"))
        elif name not in done and name in scenario.services:
            for other in scenario.services[name].depends_on:
                visit(other, (*above, name))
            done.add(name)

    for name in scenario.services:
        visit(name, ())
    return problems
