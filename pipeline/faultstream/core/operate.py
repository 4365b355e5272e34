"""Operate: what people ask for. Pauses last until they are taken back or run out; the rest is done
once, and waits a while for an incident that is not known yet."""

from typing import Final

from faultstream.core import controls
from faultstream.core.controls import Approve, Cancel, Resolve, Trigger
from faultstream.core.errors import DataError
from faultstream.core.incident import MAX_WAITING, MEMORY_MS, Case
from faultstream.core.records import Control
from faultstream.core.triggering import trigger
from faultstream.core.turn import Turn

_BEFORE: Final = ". Before: "


def heed(turn: Turn, control: Control) -> None:
    """Heeds a control; controls of other environments or for other stages change nothing."""
    state = turn.state
    if control.environment and control.environment != state.environment:
        return
    if control.kind == "pause":
        _pause(turn, control)
    elif control.kind in controls.WISHES:
        _wish(turn, control)


def again(turn: Turn) -> None:
    """Wishes for incidents that were not known when they came."""
    for control in list(turn.state.waiting.values()):
        _wish(turn, control)


def _wish(turn: Turn, control: Control) -> None:
    state, key = turn.state, control.control_id
    state.waiting.pop(key, None)
    if key in state.heard or not control.active or not controls.timely(control, turn.now_ms):
        return
    try:
        wish = controls.wish_of(control, controls.WISHES[control.kind])
    except DataError:
        return  # whoever read it has told
    case = _case(turn, wish.incident_id)
    past = state.finished.get(state.commands.get(wish.incident_id, wish.incident_id))
    known = case is not None or (isinstance(wish, Trigger) and bool(past or wish.service))
    if not known:
        if len(state.waiting) < MAX_WAITING:
            state.waiting[key] = control
        return
    state.heard[key] = turn.now_ms + MEMORY_MS
    if isinstance(wish, Trigger):
        trigger(turn, control, wish, case or past)
    elif case is not None:
        _done(turn, control, wish, case)


def _done(turn: Turn, control: Control, wish: controls.Wish, case: Case) -> None:
    by = control.by or "a person"
    why = f": {control.reason}" if control.reason else ""
    if isinstance(wish, Approve):
        if case.proposal and wish.strategy in {"", case.proposal}:
            case.approved_by = control.by or "unnamed"
            case.approved_until_ms = control.set_at_ms + controls.WISH_MS
            turn.feed(case, "approve", f"{case.proposal} approved by {by}{why}")
        else:
            _misses(turn, case, f"{by} approved {wish.strategy or 'recovery'}, but ")
    elif isinstance(wish, Cancel):
        takes_back = wish.rollback and case.phase in {"recovering", "verifying", "undoing"}
        turn.feed(case, "withdraw" if takes_back else "cancel", f"cancelled by {by}{why}")
    elif control.kind == "acknowledge":
        turn.feed(case, "acknowledge", f"{by} takes care of it{why}")
    else:
        wrong = isinstance(wish, Resolve) and wish.false_alarm
        case.incident.false_alarm = wrong
        _resolve(turn, case, f"closed by {by}{' as a false alarm' if wrong else ''}{why}")


def _misses(turn: Turn, case: Case, said: str) -> None:
    """An approval of what does not wait: whoever gave it hears so, and the reason stays."""
    reason = case.incident.reason.rpartition(_BEFORE)[2]
    waits = case.proposal or "nothing"
    case.incident.reason = f"{said}{waits} waits for approval{_BEFORE}{reason}"
    turn.touch(case)


def _resolve(turn: Turn, case: Case, reason: str) -> None:
    case.incident.resolved_at_ms = turn.now_ms
    turn.feed(case, "resolve", reason)
    for sight in turn.state.sights.values():
        if sight.incident_id == case.incident.incident_id:
            sight.bar = sight.pattern.rate


def _pause(turn: Turn, control: Control) -> None:
    key = f"{control.kind} {control.subject}"
    over = control.until_at_ms is not None and control.until_at_ms <= turn.now_ms
    if control.active and not over:
        turn.state.controls[key] = control
    else:
        turn.state.controls.pop(key, None)


def _case(turn: Turn, named: str) -> Case | None:
    """The open incident of that id, or that one of whose commands has it."""
    return turn.state.cases.get(turn.state.commands.get(named, named))
