"""The world of a recovery simulation: faults make errors, errors make patterns, patterns make
commands, and commands end faults or make them worse.

Classification and response are the real ones. Executors and faults are simulated, and detection is
taken for granted: see Sighting. One second a step. The same scenario, seed and topology give the
same run.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from faultstream.core.decide import route
from faultstream.core.group import Group
from faultstream.core.grouping import Grouper
from faultstream.core.ids import derive
from faultstream.core.policy import ServicePolicy, Topology
from faultstream.core.records import Incident, Pattern, RecoveryCommand, RecoveryResult
from faultstream.core.respond import Input, Respond, Tick
from faultstream.formats.native import admit
from faultstream.simulate.chance import poisson, stream
from faultstream.simulate.respond_faults import START_MS, Fault, draw, sample
from faultstream.simulate.respond_foresight import Prediction, foresee, patterns
from faultstream.simulate.respond_scenario import RecoveryScenario
from faultstream.simulate.respond_sighting import Sighting
from faultstream.wire import encode_event

_STEP_MS: Final = 1_000
_DRAIN_MS: Final = 900_000


def told(topology: Topology, scenario: RecoveryScenario) -> Topology:
    """`topology` that knows the scenario's fleet."""
    services = {
        name: ServicePolicy(layer=one.layer, depends_on=one.depends_on, instances=one.instances)
        for name, one in scenario.services.items()
    }
    return msgspec.structs.replace(topology, services=services)


class World:
    """One run. Afterwards `faults`, `commands`, `needless`, `prevented`, `worsened`, `incidents`
    and `handed_over` tell how it went. Faults are foreseen where prevention is on."""

    def __init__(self, scenario: RecoveryScenario, topology: Topology, seed: int) -> None:
        self._scenario = scenario
        self._topology = told(topology, scenario)
        self._seed = seed
        self._respond = Respond(self._topology)
        self._environment = self._respond.new("production")
        self._due: list[tuple[int, int, RecoveryCommand, str]] = []
        self._chances = {name: stream(seed, "errors", name) for name in scenario.services}
        self._sightings: dict[tuple[str, str], Sighting] = {}
        self._groups: dict[str, Group] = {}
        self._serial = 0
        self.faults = draw(scenario, seed)
        foreseen = foresee(scenario, self.faults, seed) if topology.prevention.enabled else []
        self._predictions = foreseen[::-1]
        self._foreseen: list[Prediction] = []
        self.commands: list[RecoveryCommand] = []
        self.needless = 0
        self.prevented = 0
        self.worsened = 0
        self.handed_over: set[str] = set()
        self.incidents: set[str] = set()

    def run(self) -> "World":
        """Lets the scenario's time pass."""
        end_ms = START_MS + round(self._scenario.hours * 3_600_000) + _DRAIN_MS
        waiting = list(reversed(self.faults))
        active: list[Fault] = []
        for now in range(START_MS, end_ms, _STEP_MS):
            self._foresee(now)
            while waiting and waiting[-1].begins_ms <= now:
                active.append(waiting.pop())
            active = [fault for fault in active if fault.ends_ms > now]
            for fault in active:
                self._errors(fault, now)
            for key, sighting in list(self._sightings.items()):
                self._tell(sighting.step(now), now)
                if sighting.over:
                    del self._sightings[key]
            self._answers(active, now)
            if self._respond.wants_tick(self._environment):
                self._give(Tick(now), now)
        return self

    def recoverable(self, fault: Fault) -> bool:
        """Whether some strategy that its route names, and that may run by itself, would cure it."""
        group = self._group(fault.error)
        names = self._automatic(group.error_type, group.verdict.category)
        transient = group.verdict.transient
        known = self._topology.strategies
        return any(
            name in fault.cures and (transient or not known[name].only_transient) for name in names
        )

    def _foresee(self, now: int) -> None:
        """Tell predictions that are due, and that they are over."""
        while self._predictions and self._predictions[-1].told_ms <= now:
            one = self._predictions.pop()
            self._foreseen.append(one)
            self._predict(one, one.told_ms, now)
        for one in [one for one in self._foreseen if one.ends_ms <= now]:
            self._foreseen.remove(one)
            self._predict(one, one.ends_ms, now)

    def _predict(self, one: Prediction, at_ms: int, now: int) -> None:
        layer = self._scenario.services[one.service].layer
        self._tell(patterns(one, self._group(one.error), layer, at_ms), now)

    def _errors(self, fault: Fault, now: int) -> None:
        count = poisson(self._chances[fault.service], fault.rate())
        if not count:
            return
        fault.errors += count
        fault.harm += count * (1 - fault.per_second / fault.rate())
        key = (fault.service, fault.error)
        if key not in self._sightings:
            self._serial += 1
            layer = self._scenario.services[fault.service].layer
            self._sightings[key] = Sighting(
                self._group(fault.error), fault.service, layer, f"{self._seed}-{self._serial}"
            )
        self._sightings[key].add(count, now)

    def _group(self, error: str) -> Group:
        if error not in self._groups:
            one = admit(encode_event(sample(error)), timestamp_ms=START_MS)
            self._groups[error] = Grouper(self._topology).group(one)
        return self._groups[error]

    def _automatic(self, error_type: str, category: str) -> frozenset[str]:
        """The strategies of the route of such errors that need no approval."""
        asked = Pattern(
            pattern_id="", revision=1, kind="burst", state="open", environment="production",
            service="", error_type=error_type, category=category,
            first_at_ms=0, last_at_ms=0, detected_at_ms=0,
        )  # fmt: skip
        found = route(self._topology, asked)
        known = self._topology.strategies
        names = found.strategies if found is not None else ()
        return frozenset(name for name in names if name in known and known[name].danger != "high")

    def _tell(self, patterns: Iterable[Pattern], now: int) -> None:
        for one in patterns:
            self._give(one, now)

    def _give(self, one: Input, now: int) -> None:
        for made in self._respond.step(self._environment, one, now):
            if isinstance(made, RecoveryCommand):
                self.commands.append(made)
                self._execute(made, now)
            elif isinstance(made, Incident):
                self.incidents.add(made.incident_id)
                if made.state == "escalated":
                    self.handed_over.add(made.incident_id)

    def _execute(self, command: RecoveryCommand, now: int) -> None:
        if command.dry_run:
            return
        chance = stream(self._seed, "executor", command.command_id)
        status = "success"
        drawn = chance.random()
        if drawn < self._scenario.refused_ratio:
            status = "not_attempted"
        elif drawn < self._scenario.refused_ratio + self._scenario.failed_ratio:
            status = "failed"
        slow = command.delivery == "exactly_one"
        after = chance.uniform(4_000, 15_000) if slow else chance.uniform(100, 1_500)
        self._serial += 1
        self._due.append((now + round(after), self._serial, command, status))
        self._due.sort(key=lambda item: item[:2])

    def _answers(self, active: list[Fault], now: int) -> None:
        while self._due and self._due[0][0] <= now:
            _, _, command, status = self._due.pop(0)
            if status == "success":
                self._carry_out(command, active, now)
            service = self._scenario.services[command.target.service]
            count = 1 if command.delivery == "exactly_one" else service.instances
            for number in range(count):
                self._give(_result(command, f"{command.target.service}-{number}", status, now), now)

    def _carry_out(self, command: RecoveryCommand, active: list[Fault], now: int) -> None:
        mine = [
            one for one in active if one.service == command.target.service and one.ends_ms > now
        ]
        if command.rollback_of:
            for fault in self.faults:  # one that is foreseen, too
                fault.worse.pop(command.rollback_of, None)
            return
        numbers = [one.fault for one in self._foreseen if one.service == command.target.service]
        named = [self.faults[number] for number in numbers if number is not None]
        coming = [fault for fault in named if fault.begins_ms > now]
        self.needless += not mine and not coming
        for fault in coming:
            if command.strategy in fault.cures and not fault.ended_by:
                self.prevented += 1
                fault.ends_ms, fault.ended_by = fault.begins_ms, command.command_id
                fault.strategy = command.strategy
            elif command.strategy in fault.worsens:
                self.worsened += 1
                fault.worse[command.command_id] = fault.worsens[command.strategy]
        for fault in mine:
            if command.strategy in fault.cures:
                fault.ends_ms, fault.ended_by = now, command.command_id
                fault.strategy = command.strategy
            elif command.strategy in fault.worsens:
                self.worsened += 1
                fault.worse[command.command_id] = fault.worsens[command.strategy]


def _result(command: RecoveryCommand, instance: str, status: str, now: int) -> RecoveryResult:
    return msgspec.convert(
        {
            "result_id": derive("simulated", command.command_id, instance),
            "command_id": command.command_id,
            "incident_id": command.incident_id,
            "environment": command.target.environment,
            "executor": "simulated",
            "instance": instance,
            "status": status,
            "started_at": now,
            "finished_at": now,
        },
        RecoveryResult,
    )
