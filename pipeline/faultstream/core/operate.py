"""Operate: what people ask for. Pauses last until they are taken back or run out."""

from faultstream.core.incident import Case
from faultstream.core.orchestrate import Turn, proceed
from faultstream.core.records import Control


def operate(turn: Turn, control: Control) -> None:
    """Heeds a control; controls of other environments or for other stages change nothing."""
    state = turn.state
    if control.environment and control.environment != state.environment:
        return
    if control.kind == "pause":
        _pause(turn, control)
        return
    case = _case(turn, control)
    if case is None or not control.active:
        return
    by = control.by or "a person"
    why = f": {control.reason}" if control.reason else ""
    if control.kind == "approve":
        _approve(turn, case, control.by or "unnamed")
    elif control.kind == "acknowledge":
        turn.set(case, case.incident.state, f"{by} takes care of it{why}")
    elif control.kind == "cancel":
        _cancel(turn, case, f"cancelled by {by}{why}")
    elif control.kind == "resolve":
        turn.set(case, "closed", f"closed by {by}{why}")
        case.incident.resolved_at_ms = turn.now_ms
        _abandon(case)
        for sight in state.sights.values():
            if sight.incident_id == case.incident.incident_id:
                sight.bar = sight.pattern.rate


def _pause(turn: Turn, control: Control) -> None:
    key = f"{control.kind} {control.subject}"
    over = control.until_at_ms is not None and control.until_at_ms <= turn.now_ms
    if control.active and not over:
        turn.state.controls[key] = control
    else:
        turn.state.controls.pop(key, None)


def _approve(turn: Turn, case: Case, by: str) -> None:
    """A person agrees to the strategy that waits; the guards still have the last word."""
    if case.incident.state != "escalated" or not case.proposal:
        return
    case.approved_by = by
    proceed(turn, case)


def _cancel(turn: Turn, case: Case, reason: str) -> None:
    _abandon(case)
    case.proposal = ""
    case.held_until_ms = None
    turn.set(case, "escalated", reason)


def _abandon(case: Case) -> None:
    attempt = case.current
    if attempt is not None and attempt.outcome in {"pending", "running", "done"}:
        attempt.outcome = "cancelled"


def _case(turn: Turn, control: Control) -> Case | None:
    """The open incident that a control names, by its id or by that of one of its commands."""
    named = control.parameters.get("incident_id")
    subject = named if isinstance(named, str) else control.subject
    last = subject.replace(":", "/").rsplit("/", 1)[-1]
    for candidate in (subject, last):
        incident_id = turn.state.commands.get(candidate, candidate)
        case = turn.state.cases.get(incident_id)
        if case is not None:
            return case
    return None
