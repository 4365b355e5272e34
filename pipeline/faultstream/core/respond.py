"""Respond: the stage that turns patterns into incidents, commands and notifications.

`step(state, input, now_ms)` takes one Pattern, RecoveryResult, Control or Tick. It may be
repeated from a saved state: ids are derived, so the same inputs give the same records, byte for
byte. A repeated pattern revision, result or wish changes nothing.
"""

from collections.abc import Iterable

from faultstream.core import cascade, loop, operate, recall, saving
from faultstream.core.answers import give_back
from faultstream.core.gather import gather
from faultstream.core.incident import (
    MEMORY_MS,
    STALE_MS,
    Case,
    EnvironmentState,
    Tick,
    forget,
)
from faultstream.core.intake import detach, take
from faultstream.core.orchestrate import DOES
from faultstream.core.policy import Topology
from faultstream.core.proceed import proceed
from faultstream.core.records import Control, Pattern, RecoveryCommand, RecoveryResult
from faultstream.core.running import answer
from faultstream.core.turn import Output, Turn
from faultstream.core.watching import watch
from faultstream.core.workflow import steps_of

Input = Pattern | RecoveryResult | Control | Tick

__all__ = ["EnvironmentState", "Input", "Output", "Respond", "Tick"]


class Respond:
    """Response for a topology, over one `EnvironmentState` per environment.

    A new state should be given the controls in force (pauses) before its first pattern.
    """

    def __init__(self, topology: Topology) -> None:
        """Raises msgspec.ValidationError for strategy parameters that `check` refuses."""
        for name in topology.strategies:
            steps_of(name, topology.strategies, {})
        self._topology = topology

    def new(self, environment: str) -> EnvironmentState:
        """The state of an environment of which nothing is known yet."""
        return EnvironmentState(environment=environment)

    def step(self, state: EnvironmentState, given: Input, now_ms: int) -> list[Output]:
        """What follows from one input; commands first, then incidents, patterns, notifications.

        `now_ms` is the wall clock, or the records' own time in a replay; it never goes back.
        """
        state.now_ms = max(state.now_ms, now_ms)
        turn = Turn(self._topology, state, DOES)
        if isinstance(given, Tick):
            state.now_ms = max(state.now_ms, given.now_ms)
        if state.refunds:
            give_back(state)
        if isinstance(given, Pattern):
            take(turn, given)
        elif isinstance(given, RecoveryResult):
            self._result(turn, given)
        elif isinstance(given, Control):
            operate.heed(turn, given)
            self._look(turn)
        else:
            operate.again(turn)
            self._look(turn)
            turn.patterns += cascade.look(self._topology, state)
            forget(state, self._topology.guards.attempts_window_ms)
            loop.forget(self._topology, state)
            recall.forget(state, MEMORY_MS)
        if state.early:
            self._catch_up(turn)
        for case in list(turn.touched.values()):
            detach(turn, case)
        if state.own:
            gather(turn)
            turn.patterns += loop.ended(state)
        return turn.outputs()

    def recall(self, state: EnvironmentState, commands: Iterable[RecoveryCommand]) -> int:
        """Hands over what was sent since the state was saved, before its first input; returns how
        much of it the state does not know. It is decided on the same way again."""
        return recall.remember(state, commands)

    def wants_tick(self, state: EnvironmentState) -> bool:
        """Whether time alone may change something."""
        return bool(state.cases or state.waiting or state.unseen)

    def save(self, state: EnvironmentState) -> bytes:
        """The state as bytes."""
        return saving.save(state)

    def load(self, raw: bytes) -> EnvironmentState:
        """The state that `save` wrote, also that of an older version.

        Raises:
            StateVersionError: a newer version wrote it.
        """
        return saving.load(raw)

    def _result(self, turn: Turn, result: RecoveryResult) -> None:
        state = turn.state
        if result.result_id in state.results:
            return
        state.results[result.result_id] = turn.now_ms + MEMORY_MS
        if result.command_id in state.commands:
            self._answer(turn, result)
        else:
            recall.keep(state, result)

    def _answer(self, turn: Turn, result: RecoveryResult) -> None:
        state = turn.state
        incident_id = state.commands[result.command_id]
        case = state.cases.get(incident_id) or state.finished.get(incident_id)
        if case is not None:
            answer(turn, case, result)

    def _catch_up(self, turn: Turn) -> None:
        """Answers that were there before their commands; each may lead to another command."""
        for command in turn.commands:  # grows meanwhile
            for result in turn.state.early.pop(command.command_id, ()):
                self._answer(turn, result)

    def _look(self, turn: Turn) -> None:
        """Deadlines, waits that are over, and incidents that nobody hears of any more."""
        for case in list(turn.state.cases.values()):
            if turn.now_ms - case.news_ms >= STALE_MS:
                turn.feed(case, "stale", "no news for too long")
            elif case.held_until_ms is not None and turn.now_ms >= case.held_until_ms:
                self._go_on(turn, case)
            else:
                watch(turn, case, news=False)
            detach(turn, case)

    def _go_on(self, turn: Turn, case: Case) -> None:
        """What was held is tried again."""
        if case.phase in {"open", "escalated"}:
            proceed(turn, case)
        else:
            turn.feed(case, "step", case.incident.reason)
