"""Triggering: recovery that a person asked for, of an open incident or of errors of the past."""

import msgspec

from faultstream.core import controls
from faultstream.core.controls import Trigger
from faultstream.core.incident import MAX_CASES, Case, Wanted, patterns_of
from faultstream.core.policy import Topology
from faultstream.core.records import Control, Pattern
from faultstream.core.strategy import check
from faultstream.core.turn import Turn
from faultstream.core.workflow import steps_of


def trigger(turn: Turn, control: Control, wish: Trigger, case: Case | None) -> None:
    """Heeds a trigger. `case`: the incident that it names, open or over; None when it names
    none. What cannot be done is said in the incident's reason, of a new one if need be."""
    if case is None:
        case = _of_service(turn, wish)
    if case is None or case.over:
        if len(turn.state.cases) >= MAX_CASES:
            turn.state.overflow += 1
            return
        case = _open(turn, control, wish, case)
    by = control.by or "a person"
    what = wish.strategy or "recovery"
    problem = _problem(turn.topology, wish)
    if problem:
        turn.feed(case, "acknowledge", f"{what} asked for by {by}, but {problem}")
        if case.asked is not None:
            turn.feed(case, "resolve", case.incident.reason)
        return
    reason = f"{what} asked for by {by}" + (f": {control.reason}" if control.reason else "")
    if case.phase not in {"open", "escalated"}:
        under_way = case.run.strategy if case.run is not None else "something"
        turn.feed(case, "trigger", f"{reason}, but {under_way} is under way: cancel it first")
        return
    case.wanted = Wanted(
        by=by,
        strategy=wish.strategy,
        parameters=wish.strategy_parameters,
        dry_run=wish.dry_run,
        until_ms=control.set_at_ms + controls.WISH_MS,
    )
    case.news_ms = turn.now_ms
    turn.feed(case, "trigger", reason)


def _problem(topology: Topology, wish: Trigger) -> str:
    if not wish.strategy:
        return ""
    if wish.strategy not in topology.strategies:
        return f"there is no strategy {wish.strategy!r} in the topology"
    try:
        steps = steps_of(wish.strategy, topology.strategies, wish.strategy_parameters)
    except msgspec.ValidationError as exc:
        return f"its parameters are wrong: {exc}"
    wrong = [text for step in steps for text in check(step.strategy, step.parameters)]
    return f"its parameters are wrong: {wrong[0]}" if wrong else ""


def _of_service(turn: Turn, wish: Trigger) -> Case | None:
    """The open incident of the service, with the fingerprint where one is named; the oldest."""
    for case in turn.state.cases.values():
        if case.service != wish.service or case.incident.experiment_id:
            continue
        prints = {case.fingerprint, *(one.fingerprint for one in patterns_of(turn.state, case))}
        if not wish.fingerprint or wish.fingerprint in prints:
            return case
    return None


def _open(turn: Turn, control: Control, wish: Trigger, past: Case | None) -> Case:
    """A new incident for errors that no open one is about. What the wish leaves out comes from the
    incident of the past."""
    state, now = turn.state, turn.now_ms
    incident_id = controls.opened_by(
        msgspec.structs.replace(control, environment=state.environment)
    )
    service = wish.service or (past.service if past else "")
    known = turn.topology.services.get(service)
    layer = wish.layer or (past.layer if past else "") or (known.layer if known else "")
    reason = f"opened by {control.by or 'a person'}"
    asked = Pattern(
        pattern_id=incident_id,
        revision=1,
        kind="recurring",
        state="open",
        environment=state.environment,
        service=service,
        layer=layer,
        fingerprint=wish.fingerprint or (past.fingerprint if past else ""),
        error_type=wish.error_type or (past.error_type if past else ""),
        category=wish.category or (past.category if past else ""),
        transient=wish.transient or (past.transient if past else False),
        severity=past.incident.severity if past else "medium",
        first_at_ms=past.incident.first_error_at_ms if past else now,
        last_at_ms=now,
        detected_at_ms=now,
        reason=reason,
        experiment_id=past.incident.experiment_id if past else "",
    )
    case = turn.open(incident_id, asked, list(past.incident.pattern_ids) if past else [])
    case.asked = asked
    return case
