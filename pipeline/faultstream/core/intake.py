"""Intake: what patterns do to incidents. They open one, join one, keep it going, or end it."""

from faultstream.core import cascade, loop
from faultstream.core.correlate import correlate
from faultstream.core.gather import reweigh
from faultstream.core.ids import derive
from faultstream.core.incident import (
    MAX_CASES,
    MEMORY_MS,
    Case,
    Remembered,
    Sight,
    patterns_of,
)
from faultstream.core.proceed import proceed
from faultstream.core.records import Pattern
from faultstream.core.turn import Turn
from faultstream.core.watching import cured, watch


def take(turn: Turn, pattern: Pattern) -> None:
    """A pattern was told. What was told before, or later than this, changes nothing."""
    state, pattern_id = turn.state, pattern.pattern_id
    if pattern_id in state.own:
        return
    known = state.sights.get(pattern_id)
    gone = state.gone.get(pattern_id)
    told = max(known.pattern.revision if known else 0, gone.revision if gone else 0)
    if pattern.revision <= told:
        return
    turn.patterns += cascade.heed(turn.topology, state, pattern)
    if pattern.state == "closed":
        state.gone[pattern_id] = Remembered(pattern.revision, turn.now_ms + MEMORY_MS)
        if known is not None:
            del state.sights[pattern_id]
            _stopped(turn, state.cases.get(known.incident_id), pattern)
        return
    case = state.cases.get(known.incident_id) if known is not None else None
    if known is not None:
        known.pattern = pattern
        if case is None and pattern.rate <= known.bar:
            return
    if case is None:
        place(turn, pattern)
        return
    _news(turn, case)


def detach(turn: Turn, case: Case) -> None:
    """Patterns of dependent services leave an incident that no longer acts for them."""
    if case.phase not in {"resolved", "escalated"}:
        return
    for pattern in patterns_of(turn.state, case):
        if pattern.service != case.service and pattern.rate > 0:
            place(turn, pattern)


def place(turn: Turn, pattern: Pattern) -> None:
    """Puts a pattern into an open incident, or opens one for it."""
    state = turn.state
    if pattern.kind == "predicted" and not turn.topology.prevention.enabled:
        return
    case = correlate(turn.topology, state, pattern)
    if case is not None:
        _join(turn, case, pattern)
        return
    if pattern.kind not in turn.topology.incidents.opened_by:
        return
    if len(state.cases) >= MAX_CASES:
        state.overflow += 1
        return
    case = _open(turn, pattern)
    reweigh(turn, case)
    turn.tell(case, "info", f"{pattern.service}: {pattern.kind} errors", pattern.reason)
    times = loop.looping(turn.topology, state, case)
    if times:
        turn.patterns.append(loop.told(turn.topology, state, case, pattern))
        turn.feed(case, "looping", f"recovery loop: it came back {times} times after recovery")
    else:
        proceed(turn, case)


def _join(turn: Turn, case: Case, pattern: Pattern) -> None:
    incident = case.incident
    if pattern.pattern_id not in incident.pattern_ids:
        incident.pattern_ids.append(pattern.pattern_id)
        turn.touch(case)
    incident.first_error_at_ms = min(incident.first_error_at_ms, pattern.first_at_ms)
    turn.state.sights[pattern.pattern_id] = Sight(pattern=pattern, incident_id=incident.incident_id)
    _news(turn, case)


def _news(turn: Turn, case: Case) -> None:
    """A pattern of the case has changed."""
    case.news_ms = turn.now_ms
    reweigh(turn, case)
    watch(turn, case, news=True)


def _open(turn: Turn, pattern: Pattern) -> Case:
    state = turn.state
    serial = state.serials.get(pattern.pattern_id, 0) + 1
    state.serials[pattern.pattern_id] = serial
    incident_id = derive("incident", state.environment, pattern.pattern_id, serial)
    case = turn.open(incident_id, pattern, [pattern.pattern_id])
    state.sights[pattern.pattern_id] = Sight(pattern=pattern, incident_id=incident_id)
    return case


def _stopped(turn: Turn, case: Case | None, pattern: Pattern) -> None:
    """`pattern`, which is of the case, has closed."""
    if case is None:
        return
    case.news_ms = turn.now_ms
    if _lasts(turn, case):
        watch(turn, case, news=True)
        return
    if case.phase == "verifying" and case.run is not None:
        strategy = case.run.strategy
        if pattern.kind == "predicted" and not pattern.came_true:
            cured(turn, case, f"what was foreseen did not come, {strategy} was carried out")
        else:
            cured(turn, case, f"{strategy} cured it: the stream saw the errors fall")
    elif case.phase == "escalated":
        turn.feed(case, "stopped", "the errors stopped after escalation")
    elif case.run is not None:
        turn.feed(case, "stopped", f"the errors stopped; {case.run.strategy} was tried")
    else:
        turn.feed(case, "stopped", "the errors stopped by themselves")


def _lasts(turn: Turn, case: Case) -> bool:
    """Whether the root service still has a pattern of a kind that makes an incident."""
    opens = turn.topology.incidents.opened_by
    return any(one.kind in opens for one in patterns_of(turn.state, case, case.service))
