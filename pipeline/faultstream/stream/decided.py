"""Decided: decisions of notification on their way to their topic.

They are saved with the state that they belong to and published once that is durable, so a decision
that a crash undoes was never told, and none is lost: those that a saved state still holds are
published after a restart, maybe again, with the same ids.
"""

from collections.abc import Iterable
from typing import Final

from faultstream import wire
from faultstream.core.notify.decision import records
from faultstream.core.notify.state import Decision, NotifyState
from faultstream.stream.stage import Output

MAX_HELD: Final = 5_000
"""Decisions and notification ids that a state holds; what is beyond is published at once, and may
then be told although a crash undoes it."""


class Decided:
    """See the module."""

    def __init__(self) -> None:
        self._ready: list[Output] = []
        self._saved: list[tuple[NotifyState, int]] = []

    def add(self, state: NotifyState, decision: Decision) -> None:
        """A decision was made."""
        held = sum(1 + len(one.notification_ids) for one in state.said)
        if held + 1 + len(decision.notification_ids) > MAX_HELD:
            self._tell(state, len(state.said))
        state.said.append(decision)

    def restored(self, state: NotifyState) -> None:
        """What a saved state holds is durable."""
        self._tell(state, len(state.said))

    def snapshot(self, states: Iterable[NotifyState]) -> None:
        """The states are written as they are now."""
        self._saved = [(state, len(state.said)) for state in states if state.said]

    def saved(self) -> None:
        """The latest snapshot is durable."""
        saved, self._saved = self._saved, []
        for state, many in saved:
            self._tell(state, many)

    def ready(self) -> list[Output]:
        """What may be published; each is given once."""
        ready, self._ready = self._ready, []
        return ready

    def forget(self) -> None:
        """All state is dropped; whoever reads it again publishes what it holds."""
        self._ready.clear()
        self._saved.clear()

    def _tell(self, state: NotifyState, many: int) -> None:
        for decision in state.said[:many]:
            self._ready += _outputs(state.environment, decision)
        del state.said[:many]


def _outputs(environment: str, decision: Decision) -> list[Output]:
    key = environment.encode()
    return [
        Output(
            "notification_decisions",
            key,
            wire.encode(made),
            wire.headers(made, made.decision_id, made.decided_at_ms),
        )
        for made in records(environment, decision)
    ]
