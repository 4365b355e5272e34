"""Turn: one step of response, the state it works on and what it has said so far."""

from collections.abc import Callable, Mapping

from faultstream.core import machine
from faultstream.core.escalate import notice
from faultstream.core.guards import Situation
from faultstream.core.incident import Case, EnvironmentState, patterns_of
from faultstream.core.machine import MOVES, Given, Move, told
from faultstream.core.policy import Topology
from faultstream.core.records import (
    Attempt,
    Incident,
    Level,
    Notification,
    Pattern,
    RecoveryCommand,
)
from faultstream.core.severity import RANK

Does = Mapping[machine.Output, Callable[["Turn", Case], None]]
Output = Incident | RecoveryCommand | Notification | Pattern


class Turn:
    """See the module. What was touched is published once, at the end."""

    __slots__ = ("commands", "does", "notices", "patterns", "state", "topology", "touched")

    def __init__(self, topology: Topology, state: EnvironmentState, does: Does) -> None:
        """`does`: what to do for each output of the machine."""
        self.topology = topology
        self.does = does
        self.state = state
        self.commands: list[RecoveryCommand] = []
        self.notices: list[Notification] = []
        self.patterns: list[Pattern] = []
        self.touched: dict[str, Case] = {}

    @property
    def now_ms(self) -> int:
        """The present."""
        return self.state.now_ms

    def feed(self, case: Case, given: Given, reason: str) -> None:
        """Gives the machine an input and does what follows."""
        for output in self.move(case, given, reason).does:
            self.does[output](self, case)

    def move(self, case: Case, given: Given, reason: str) -> Move:
        """Moves a case as the table says; what the table says is to be done is up to the caller.

        An input that means nothing in this phase changes nothing, nor does it touch the case.
        """
        move = MOVES[case.phase, given]
        if move.to != case.phase or move.does:
            case.phase = move.to
            case.incident.state = told(move.to)
            case.incident.reason = reason
            self.touch(case)
        return move

    def tell(self, case: Case, level: Level, title: str, reason: str) -> None:
        """Tells people."""
        made = notice(case, level, title, reason, self.now_ms)
        if made is not None:
            self.notices.append(made)

    def open(self, incident_id: str, pattern: Pattern, pattern_ids: list[str]) -> Case:
        """A new incident at its first news, which `pattern` tells."""
        case = Case(
            incident=Incident(
                incident_id=incident_id,
                revision=0,
                state="open",
                severity=pattern.severity,
                environment=self.state.environment,
                root=pattern.service,
                pattern_ids=pattern_ids,
                first_error_at_ms=pattern.first_at_ms,
                opened_at_ms=self.now_ms,
                updated_at_ms=self.now_ms,
                reason=pattern.reason,
                experiment_id=pattern.experiment_id,
            ),
            service=pattern.service,
            layer=pattern.layer,
            fingerprint=pattern.fingerprint,
            category=pattern.category,
            error_type=pattern.error_type,
            transient=pattern.transient,
            news_ms=self.now_ms,
        )
        self.state.cases[incident_id] = case
        self.touch(case)
        return case

    def touch(self, case: Case) -> None:
        """Marks a case as changed."""
        self.touched[case.incident.incident_id] = case

    def archive(self, case: Case) -> None:
        """Moves a case that is over to those that are remembered."""
        incident_id = case.incident.incident_id
        self.state.cases.pop(incident_id, None)
        self.state.finished[incident_id] = case

    def outputs(self) -> list[Output]:
        """Commands first, then incidents, patterns, notifications."""
        return [*self.commands, *self._incidents(), *self.patterns, *self.notices]

    def _incidents(self) -> list[Incident]:
        """The touched incidents as they are now, each with its next revision."""
        made: list[Incident] = []
        for case in self.touched.values():
            incident = case.incident
            incident.revision += 1
            incident.updated_at_ms = self.now_ms
            incident.attempts = [
                Attempt(
                    command_id=one.command.command_id,
                    strategy=one.command.strategy,
                    outcome=one.outcome,
                    reason=one.reason,
                    step_id=one.command.step_id,
                    rollback_of=one.command.rollback_of,
                )
                for one in case.tries
            ]
            made.append(_copy(incident))
        return made


def _copy(incident: Incident) -> Incident:
    fields = {name: getattr(incident, name) for name in incident.__struct_fields__}
    fields["pattern_ids"] = list(incident.pattern_ids)
    return Incident(**fields)


def lead(turn: Turn, case: Case) -> Pattern | None:
    """The pattern a decision is made on: of the root service, of what is there and not predicted,
    with a category, the gravest; else what stands for one that a person named. While nothing has
    happened yet it is the prediction."""
    found = patterns_of(turn.state, case, case.service)
    if preventive(turn, case):
        found = [one for one in found if one.kind == "predicted"]
    if not found:
        return case.asked
    return max(
        found,
        key=lambda one: (
            one.kind != "predicted",
            bool(one.category),
            RANK[one.severity],
            -one.first_at_ms,
        ),
    )


def rate_of(state: EnvironmentState, case: Case) -> float:
    """The highest rate among the patterns of the incident's root service."""
    return max(
        (one.rate for one in patterns_of(state, case, case.service) if one.kind != "predicted"),
        default=0.0,
    )


def preventive(turn: Turn, case: Case) -> bool:
    """Whether something is foreseen and nothing has happened yet. Patterns of a kind that opens no
    incident have joined it and are none."""
    opens = turn.topology.incidents.opened_by
    kinds = {one.kind for one in patterns_of(turn.state, case, case.service)}
    return "predicted" in kinds and kinds.isdisjoint(set(opens) - {"predicted"})


def situation(turn: Turn, case: Case, pattern: Pattern) -> Situation:
    """What a decision about the case is made on."""
    return Situation(
        topology=turn.topology,
        state=turn.state,
        case=case,
        pattern=pattern,
        service=case.service,
        layer=case.layer,
        approved=case.proposal if case.approved_by else "",
        by_hand=case.wanted is not None,
        preventive=preventive(turn, case),
    )


def stands_for(case: Case) -> Pattern:
    """Stands for the pattern of a case whose patterns have all closed meanwhile."""
    incident = case.incident
    return Pattern(
        pattern_id=incident.incident_id,
        revision=0,
        kind="recurring",
        state="closed",
        environment=incident.environment,
        service=case.service,
        layer=case.layer,
        category=case.category,
        error_type=case.error_type,
        first_at_ms=incident.first_error_at_ms,
        last_at_ms=incident.updated_at_ms,
        detected_at_ms=incident.opened_at_ms,
        reason=incident.reason,
    )
