"""Ending: when a person is needed, when it is over, and when somebody calls it off."""

from faultstream.core import loop, verify
from faultstream.core.incident import Case, patterns_of
from faultstream.core.severity import RANK
from faultstream.core.turn import Turn
from faultstream.core.workflow import to_undo


def tell(turn: Turn, case: Case) -> None:
    """A person is needed."""
    reason = case.incident.reason
    if case.proposal:
        turn.tell(case, "error", f"{case.service}: {case.proposal} needs approval", reason)
        return
    grave = RANK[case.incident.severity] >= RANK["critical"]
    title = f"{case.service}: not recovered, a person is needed"
    turn.tell(case, "critical" if grave else "error", title, reason)


def alarm(turn: Turn, case: Case) -> None:
    """A person is needed, and nothing is being done."""
    title = f"{case.service}: recovery does not last"
    turn.tell(case, "critical", title, case.incident.reason)


def finish(turn: Turn, case: Case) -> None:
    """The errors are gone. A pattern that lasts must rise above its bar to be a new fault."""
    case.incident.resolved_at_ms = turn.now_ms
    turn.tell(case, "info", f"{case.service}: resolved", case.incident.reason)
    bar = verify.bar(turn.topology, case.run) if case.run is not None else 0.0
    for pattern in patterns_of(turn.state, case, case.service):
        turn.state.sights[pattern.pattern_id].bar = bar
    loop.note(turn.topology, turn.state, case)


def abandon(turn: Turn, case: Case) -> None:  # noqa: ARG001 - as all outputs
    """What is under way counts no more; what was done can still be taken back."""
    run = case.run
    case.proposal, case.approved_by, case.wanted, case.held_until_ms = "", "", None, None
    if run is None:
        return
    steps = case.steps()
    if run.outcome == "pending":
        run.undo = to_undo(run.steps, steps, flying=True)
        run.outcome = "cancelled"
    for one in case.tries:
        if one.flying or (one.outcome == "done" and one.run == run.number):
            one.outcome = "cancelled"


def archive(turn: Turn, case: Case) -> None:
    """It is over, and remembered for a while."""
    turn.archive(case)


def note(turn: Turn, case: Case) -> None:
    """The reason is what there is to say."""
