"""Recall: commands that were sent after a state was saved, and what executors said of them.

After a crash the inputs since then come again, at another time and in another order between
topics, so they could be decided on otherwise. What was commanded stands on its topic: it is given
to `remember` before the first input, and decided on the same way again. An answer that comes
before its command does is kept for it.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from faultstream.core.incident import Case, EnvironmentState, Try
from faultstream.core.records import RecoveryCommand, RecoveryResult

MAX_RECALLED: Final = 1_000
MAX_EARLY: Final = 200
"""Commands whose answers are kept before they are known, with at most `MAX_ANSWERS` each."""
MAX_ANSWERS: Final = 20


def remember(state: EnvironmentState, commands: Iterable[RecoveryCommand]) -> int:
    """Takes in what was sent of this environment; how many of them the state does not know."""
    before = len(state.recalled)
    for one in commands:
        new = one.command_id not in state.commands and one.issued_at_ms >= state.now_ms
        room = len(state.recalled) < MAX_RECALLED
        if new and room and one.target.environment == state.environment:
            state.recalled[one.command_id] = one
    return len(state.recalled) - before


def next_run(state: EnvironmentState, case: Case) -> RecoveryCommand | None:
    """The command that the next run of a case began with."""
    incident_id = case.incident.incident_id
    for one in state.recalled.values():
        if (one.incident_id, one.attempt) == (incident_id, case.runs + 1) and not one.rollback_of:
            return one
    return None


def undone(state: EnvironmentState, tries: Sequence[Try]) -> bool:
    """Whether one of these commands was taken back."""
    names = {one.command.command_id for one in tries}
    return any(one.rollback_of in names for one in state.recalled.values())


def sent(state: EnvironmentState, command: RecoveryCommand) -> RecoveryCommand:
    """The command as it was sent before, if it was."""
    return state.recalled.pop(command.command_id, command)


def keep(state: EnvironmentState, result: RecoveryResult) -> None:
    """An answer to a command that is not known yet."""
    found = state.early.setdefault(result.command_id, [])
    if len(found) < MAX_ANSWERS:
        found.append(result)
    while len(state.early) > MAX_EARLY:
        del state.early[next(iter(state.early))]


def forget(state: EnvironmentState, memory_ms: int) -> None:
    """Drops what is older than `memory_ms`, of which nothing came."""
    limit = state.now_ms - memory_ms
    for key in [key for key, one in state.recalled.items() if one.issued_at_ms <= limit]:
        del state.recalled[key]
    for key in [key for key, all_ in state.early.items() if all_[-1].finished_at_ms <= limit]:
        del state.early[key]
