"""Experiments: a fault on purpose, and a grade for what the pipeline made of it. Pure.

Every record of an experiment carries its id, from the injected error to the verified incident, so
nothing real is mixed in, and nobody is paged.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from faultstream.core.ids import derive
from faultstream.core.records import (
    Incident,
    Notification,
    Pattern,
    Record,
    RecoveryCommand,
    RecoveryResult,
    Target,
)

STRATEGY: Final = "inject"
GRACE_MS: Final = 5_000
_MOST: Final = 10_000

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Ratio = Annotated[float, Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, Meta(gt=0.0, le=3_600.0)]


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is injected, as in `Injector.inject`. `error` is a name that the executor knows."""

    target: Name
    error: str | None = None
    probability: Ratio = 1.0
    latency_ms: Annotated[int, Meta(ge=0, le=600_000)] = 0
    lose_ratio: Ratio = 0.0
    duration_s: Seconds = 60.0


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a good answer is. Without `strategies` every strategy is right but the `forbidden`."""

    detected_within_s: Seconds = 10.0
    recovered_within_s: Seconds = 60.0
    strategies: tuple[Name, ...] = ()
    forbidden: tuple[Name, ...] = ()
    services: tuple[Name, ...] = ()
    """Whom commands may be for besides the service itself."""


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One experiment file. `environment` "" is that of topology.yaml."""

    name: Name
    service: Name
    environment: str = ""
    instances: Literal["all", "one"] | list[Name] = "all"
    inject: Fault
    expect: Expected = Expected()


class Check(msgspec.Struct, frozen=True):
    """One question of the grade. `seconds` from the injection, where that is what was asked."""

    name: str
    passed: bool
    text: str
    seconds: float | None = None


class Grade(msgspec.Struct, frozen=True, kw_only=True):
    """The report of a run. `injected` are instances that said so."""

    experiment: str
    experiment_id: str
    service: str
    injected: list[str]
    checks: list[Check]
    strategies: list[str]
    """What was commanded, in order."""
    wrong: list[str]
    notifications: int
    """Those of the experiment, which page nobody."""

    @property
    def passed(self) -> bool:
        """Whether every check did."""
        return all(check.passed for check in self.checks)


def order(experiment: Experiment, experiment_id: str, now_ms: int, *, end: bool) -> RecoveryCommand:
    """The command that begins the experiment, or the one that ends it."""
    begin_id = derive("inject", experiment_id)
    lasts_ms = round(experiment.inject.duration_s * 1_000) + GRACE_MS
    parameters: dict[str, Any] = msgspec.to_builtins(experiment.inject)
    return RecoveryCommand(
        command_id=derive("inject-end", experiment_id) if end else begin_id,
        incident_id=f"experiment/{experiment_id}",
        attempt=1,
        strategy=STRATEGY,
        parameters={key: value for key, value in parameters.items() if value is not None},
        target=Target(
            environment=experiment.environment,
            service=experiment.service,
            instances=experiment.instances,
        ),
        reason=f"experiment {experiment.name}",
        issued_at_ms=now_ms,
        expires_at_ms=now_ms + lasts_ms,
        rollback_of=begin_id if end else "",
        experiment_id=experiment_id,
    )


class Run:
    """One experiment under way. `tell` takes records as they come; any order, repeats are fine."""

    def __init__(self, experiment: Experiment, experiment_id: str, begun_ms: int) -> None:
        self.experiment = experiment
        self.experiment_id = experiment_id
        self._begun_ms = begun_ms
        self._begin_id = derive("inject", experiment_id)
        self._answers: dict[str, RecoveryResult] = {}
        self._detected_ms: int | None = None
        self._incidents: dict[str, Incident] = {}
        self._commands: dict[str, RecoveryCommand] = {}
        self._stray: dict[str, RecoveryCommand] = {}
        self._notified: set[str] = set()
        self._outcomes: dict[str, str] = {}

    def tell(self, record: Record) -> None:
        """One record of the topics."""
        mine = getattr(record, "experiment_id", "") == self.experiment_id
        match record:
            case RecoveryResult(command_id=self._begin_id):
                if record.status != "in_progress":
                    self._answers[record.instance] = record
            case RecoveryResult() if record.status != "in_progress":
                # Topics are not read in step: an answer may come before its command.
                if len(self._outcomes) < _MOST:
                    self._outcomes[record.command_id] = record.status
            case Pattern() if mine:
                at = record.detected_at_ms
                self._detected_ms = min(self._detected_ms or at, at)
            case Incident() if mine:
                known = self._incidents.get(record.incident_id)
                if known is None or known.revision < record.revision:
                    self._incidents[record.incident_id] = record
            case RecoveryCommand() if record.strategy not in {STRATEGY, "client_state"}:
                self._ordered(record)
            case Notification() if mine:
                self._notified.add(record.notification_id)

    def _ordered(self, command: RecoveryCommand) -> None:
        if command.experiment_id == self.experiment_id:
            self._commands[command.command_id] = command
        elif not command.experiment_id and command.target.service == self.experiment.service:
            self._stray[command.command_id] = command

    @property
    def injected(self) -> list[str]:
        """Instances that injected it."""
        answers = self._answers.items()
        return sorted(name for name, answer in answers if answer.status == "success")

    @property
    def refusals(self) -> list[str]:
        """What the others said."""
        return sorted(
            f"{name}: {answer.status}, {answer.message}"
            for name, answer in self._answers.items()
            if answer.status != "success"
        )

    @property
    def over(self) -> bool:
        """Whether nothing more is to come: every incident of it is resolved, or was given up."""
        return bool(self._incidents) and all(
            one.state in {"resolved", "closed", "escalated"} for one in self._incidents.values()
        )

    def grade(self) -> Grade:
        """What the pipeline made of it so far."""
        commands = sorted(self._commands.values(), key=lambda one: (one.issued_at_ms, one.attempt))
        wrong = [text for one in commands if (text := self._wrong(one))]
        wrong += [f"{one.strategy}: not labelled" for one in self._stray.values()]
        return Grade(
            experiment=self.experiment.name,
            experiment_id=self.experiment_id,
            service=self.experiment.service,
            injected=self.injected,
            checks=[self._detection(), self._choice(commands), self._recovery(), _harm(wrong)],
            strategies=[one.strategy for one in commands],
            wrong=wrong,
            notifications=len(self._notified),
        )

    def _wrong(self, command: RecoveryCommand) -> str:
        expect = self.experiment.expect
        if command.strategy in expect.forbidden:
            return f"{command.strategy}: forbidden"
        if expect.strategies and command.strategy not in expect.strategies:
            return f"{command.strategy}: not expected"
        if command.target.service not in {self.experiment.service, *expect.services}:
            return f"{command.strategy}: for {command.target.service}"
        return ""

    def _seconds(self, at_ms: int) -> float:
        return max(0, at_ms - self._begun_ms) / 1_000

    def _detection(self) -> Check:
        within_s = self.experiment.expect.detected_within_s
        if self._detected_ms is None:
            return Check("detected", False, "no pattern")
        took_s = self._seconds(self._detected_ms)
        text = f"a pattern after {took_s:.1f} s, {within_s:g} s allowed"
        return Check("detected", took_s <= within_s, text, took_s)

    def _choice(self, commands: Sequence[RecoveryCommand]) -> Check:
        expect = self.experiment.expect
        right = [
            one.strategy
            for one in commands
            if not self._wrong(one) and self._outcomes.get(one.command_id) == "success"
        ]
        if right:
            return Check("right strategy", True, f"{', '.join(right)} carried out")
        wanted = ", ".join(expect.strategies) or "any"
        told = ", ".join(one.strategy for one in commands) or "nothing"
        return Check(
            "right strategy",
            False,
            f"expected {wanted} to be carried out; {told} was commanded",
        )

    def _recovery(self) -> Check:
        within_s = self.experiment.expect.recovered_within_s
        states = sorted({one.state for one in self._incidents.values()})
        times = [one.resolved_at_ms for one in self._incidents.values()]
        if not self._incidents or states != ["resolved"]:
            text = f"incident {', '.join(states)}" if states else "no incident"
            return Check("verified recovery", False, text)
        took_s = self._seconds(max(at for at in times if at is not None))
        text = f"verified after {took_s:.1f} s, {within_s:g} s allowed"
        return Check("verified recovery", took_s <= within_s, text, took_s)


def _harm(wrong: Sequence[str]) -> Check:
    return Check("no wrong commands", not wrong, "; ".join(wrong) or "none")
