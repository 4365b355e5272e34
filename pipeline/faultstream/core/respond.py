"""Respond: the stage that turns patterns into incidents, commands and notifications.

`step(state, input, now_ms)` takes one Pattern, RecoveryResult, Control or Tick. It may be
repeated from a saved state: ids are derived, so the same inputs give the same records, byte for
byte. A repeated pattern revision or result changes nothing.
"""

from faultstream.core import cascade, loop, verify
from faultstream.core.correlate import correlate
from faultstream.core.gather import gather, reweigh
from faultstream.core.ids import derive
from faultstream.core.incident import (
    MAX_CASES,
    MEMORY_MS,
    STALE_MS,
    Case,
    EnvironmentState,
    Remembered,
    Sight,
    Tick,
    forget,
    load,
    patterns_of,
    save,
)
from faultstream.core.operate import operate
from faultstream.core.orchestrate import Output, Turn, answer, proceed, watch
from faultstream.core.policy import Topology
from faultstream.core.records import Attempt, Control, Incident, Pattern, RecoveryResult
from faultstream.core.strategy import complete

Input = Pattern | RecoveryResult | Control | Tick

__all__ = ["EnvironmentState", "Input", "Output", "Respond", "Tick"]


class Respond:
    """Response for a topology, over one `EnvironmentState` per environment.

    A new state should be given the controls in force (pauses) before its first pattern.
    """

    def __init__(self, topology: Topology) -> None:
        """Raises msgspec.ValidationError for strategy parameters that `check` refuses."""
        for name, policy in topology.strategies.items():
            complete(name, policy.parameters)
        self._topology = topology

    def new(self, environment: str) -> EnvironmentState:
        """The state of an environment of which nothing is known yet."""
        return EnvironmentState(environment=environment)

    def step(self, state: EnvironmentState, given: Input, now_ms: int) -> list[Output]:
        """What follows from one input; commands first, then incidents, patterns, notifications.

        `now_ms` is the wall clock, or the records' own time in a replay; it never goes back.
        """
        state.now_ms = max(state.now_ms, now_ms)
        turn = Turn(self._topology, state)
        if isinstance(given, Pattern):
            self._pattern(turn, given)
        elif isinstance(given, RecoveryResult):
            self._result(turn, given)
        elif isinstance(given, Control):
            operate(turn, given)
            self._look(turn)
        else:
            state.now_ms = max(state.now_ms, given.now_ms)
            self._look(turn)
            forget(state, self._topology.guards.attempts_window_ms)
            loop.forget(self._topology, state)
        if state.own:
            gather(turn)
            turn.patterns += loop.ended(state)
        return [*turn.commands, *self._incidents(turn), *turn.patterns, *turn.notices]

    def wants_tick(self, state: EnvironmentState) -> bool:
        """Whether time alone may change something."""
        return bool(state.cases)

    def save(self, state: EnvironmentState) -> bytes:
        """The state as bytes."""
        return save(state)

    def load(self, raw: bytes) -> EnvironmentState:
        """The state that `save` wrote."""
        return load(raw)

    def _pattern(self, turn: Turn, pattern: Pattern) -> None:
        state, pattern_id = turn.state, pattern.pattern_id
        if pattern_id in state.own:
            return
        known = state.sights.get(pattern_id)
        gone = state.gone.get(pattern_id)
        told = max(known.pattern.revision if known else 0, gone.revision if gone else 0)
        if pattern.revision <= told:
            return
        turn.patterns += cascade.heed(self._topology, state, pattern)
        if pattern.state == "closed":
            state.gone[pattern_id] = Remembered(pattern.revision, turn.now_ms + MEMORY_MS)
            if known is not None:
                del state.sights[pattern_id]
                self._stopped(turn, state.cases.get(known.incident_id))
            return
        case = state.cases.get(known.incident_id) if known is not None else None
        if known is not None:
            known.pattern = pattern
            if case is None and pattern.rate <= known.bar:
                return
        if case is None:
            self._place(turn, pattern)
            return
        self._news(turn, case)

    def _news(self, turn: Turn, case: Case) -> None:
        """A pattern of the case has changed."""
        case.news_ms = turn.now_ms
        reweigh(turn, case)
        if watch(turn, case, news=True):
            self._cured(turn, case)

    def _place(self, turn: Turn, pattern: Pattern) -> None:
        """Puts a pattern into an open incident, or opens one for it."""
        state = turn.state
        case = correlate(self._topology, state, pattern)
        if case is None and pattern.kind not in self._topology.incidents.opened_by:
            return
        if case is None and len(state.cases) >= MAX_CASES:
            state.overflow += 1
            return
        if case is not None:
            ids = case.incident.pattern_ids
            if pattern.pattern_id not in ids:
                ids.append(pattern.pattern_id)
                turn.touch(case)
            case.incident.first_error_at_ms = min(
                case.incident.first_error_at_ms, pattern.first_at_ms
            )
            state.sights[pattern.pattern_id] = Sight(
                pattern=pattern, incident_id=case.incident.incident_id
            )
            self._news(turn, case)
            return
        case = self._open(turn, pattern)
        reweigh(turn, case)
        turn.tell(case, "info", f"{pattern.service}: {pattern.kind} errors", pattern.reason)
        times = loop.looping(self._topology, state, case)
        if times:
            turn.patterns.append(loop.told(self._topology, state, case, pattern))
            reason = f"recovery loop: it came back {times} times after recovery"
            turn.set(case, "escalated", reason)
            turn.tell(case, "critical", f"{case.service}: recovery does not last", reason)
        else:
            proceed(turn, case)
        self._detach(turn, case)

    def _open(self, turn: Turn, pattern: Pattern) -> Case:
        state, now = turn.state, turn.now_ms
        serial = state.serials.get(pattern.pattern_id, 0) + 1
        state.serials[pattern.pattern_id] = serial
        incident_id = derive("incident", state.environment, pattern.pattern_id, serial)
        case = Case(
            incident=Incident(
                incident_id=incident_id,
                revision=0,
                state="open",
                severity=pattern.severity,
                environment=state.environment,
                root=pattern.service,
                pattern_ids=[pattern.pattern_id],
                first_error_at_ms=pattern.first_at_ms,
                opened_at_ms=now,
                updated_at_ms=now,
                reason=pattern.reason,
                experiment_id=pattern.experiment_id,
            ),
            service=pattern.service,
            layer=pattern.layer,
            fingerprint=pattern.fingerprint,
            category=pattern.category,
            news_ms=now,
        )
        state.cases[incident_id] = case
        state.sights[pattern.pattern_id] = Sight(pattern=pattern, incident_id=incident_id)
        turn.touch(case)
        return case

    def _stopped(self, turn: Turn, case: Case | None) -> None:
        """A pattern of the case has closed."""
        if case is None:
            return
        case.news_ms = turn.now_ms
        if self._lasts(turn, case):
            if watch(turn, case, news=True):
                self._cured(turn, case)
            return
        attempt = case.current
        if case.incident.state == "verifying" and attempt is not None:
            attempt.outcome = "cured"
            self._cured(turn, case)
        elif case.incident.state == "escalated":
            self._finish(turn, case, "the errors stopped after escalation")
        elif attempt is not None:
            self._finish(turn, case, f"the errors stopped; {attempt.command.strategy} was tried")
        else:
            self._finish(turn, case, "the errors stopped by themselves")

    def _lasts(self, turn: Turn, case: Case) -> bool:
        """Whether the root service still has a pattern of a kind that makes an incident."""
        opens = self._topology.incidents.opened_by
        return any(one.kind in opens for one in patterns_of(turn.state, case, case.service))

    def _cured(self, turn: Turn, case: Case) -> None:
        attempt = case.current
        strategy = attempt.command.strategy if attempt is not None else "nothing"
        self._finish(turn, case, f"{strategy} cured it: the stream saw the errors fall")

    def _finish(self, turn: Turn, case: Case, reason: str) -> None:
        """Resolves an incident. What still lasts elsewhere becomes an incident of its own."""
        turn.set(case, "resolved", reason)
        case.incident.resolved_at_ms = turn.now_ms
        turn.tell(case, "info", f"{case.service}: resolved", reason)
        attempt = case.current
        bar = verify.bar(self._topology, attempt) if attempt is not None else 0.0
        for pattern in patterns_of(turn.state, case, case.service):
            turn.state.sights[pattern.pattern_id].bar = bar
        loop.note(turn.state, case)
        self._archive(turn, case)
        self._detach(turn, case)

    def _archive(self, turn: Turn, case: Case) -> None:
        incident_id = case.incident.incident_id
        turn.state.cases.pop(incident_id, None)
        turn.state.finished[incident_id] = case

    def _detach(self, turn: Turn, case: Case) -> None:
        """Patterns of dependent services leave an incident that no longer acts for them."""
        if case.incident.state not in {"resolved", "escalated"}:
            return
        for pattern in patterns_of(turn.state, case):
            if pattern.service != case.service and pattern.rate > 0:
                self._place(turn, pattern)

    def _result(self, turn: Turn, result: RecoveryResult) -> None:
        state = turn.state
        if result.result_id in state.results:
            return
        state.results[result.result_id] = turn.now_ms + MEMORY_MS
        incident_id = state.commands.get(result.command_id, "")
        case = state.cases.get(incident_id) or state.finished.get(incident_id)
        if case is None:
            return
        answer(turn, case, result)
        self._detach(turn, case)

    def _look(self, turn: Turn) -> None:
        """Deadlines, waits that are over, and incidents that nobody hears of any more."""
        for case in list(turn.state.cases.values()):
            if case.over:
                self._archive(turn, case)
            elif turn.now_ms - case.news_ms >= STALE_MS:
                turn.set(case, "closed", "no news for too long")
                self._archive(turn, case)
            elif case.held_until_ms is not None and turn.now_ms >= case.held_until_ms:
                proceed(turn, case)
                self._detach(turn, case)
            elif watch(turn, case, news=False):
                self._cured(turn, case)
            else:
                self._detach(turn, case)

    def _incidents(self, turn: Turn) -> list[Incident]:
        """The touched incidents as they are now, each with its next revision."""
        made: list[Incident] = []
        for case in turn.touched.values():
            incident = case.incident
            incident.revision += 1
            incident.updated_at_ms = turn.now_ms
            incident.attempts = [
                Attempt(
                    command_id=one.command.command_id,
                    strategy=one.command.strategy,
                    outcome=one.outcome,
                    reason=one.reason,
                )
                for one in case.tries
            ]
            made.append(_copy(incident))
        return made


def _copy(incident: Incident) -> Incident:
    fields = {name: getattr(incident, name) for name in incident.__struct_fields__}
    fields["pattern_ids"] = list(incident.pattern_ids)
    return Incident(**fields)
