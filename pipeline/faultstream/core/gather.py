"""Gather: the incidents of a cascade follow its root.

Each incident of a service in it names the root. Where the root has an open incident that recovery
still works on, the others join it as soon as no command of theirs is under way: what they show
is a symptom.
"""

from typing import Final

from faultstream.core.escalate import weigh
from faultstream.core.incident import Case, involved, patterns_of
from faultstream.core.records import Pattern
from faultstream.core.turn import Turn

_SURE: Final = 0.8


def gather(turn: Turn) -> None:
    """Looks at the open cascades that have changed in this turn, or with an incident that has."""
    changed = {one.pattern_id for one in turn.patterns}
    for own in tuple(turn.state.own.values()):
        pattern = own.pattern
        if pattern.kind == "cascade" and (pattern.pattern_id in changed or _touched(turn, pattern)):
            _cascade(turn, pattern)


def _touched(turn: Turn, pattern: Pattern) -> bool:
    names = involved(pattern)
    return any(case.service in names for case in turn.touched.values())


def reweigh(turn: Turn, case: Case) -> None:
    """The severity of an incident, from its patterns."""
    severity = weigh(turn.topology, case, patterns_of(turn.state, case))
    if severity != case.incident.severity:
        case.incident.severity = severity
        turn.touch(case)


def _cascade(turn: Turn, pattern: Pattern) -> None:
    names = involved(pattern)
    cases = [
        case
        for case in turn.state.cases.values()
        if case.service in names
        and case.incident.experiment_id == pattern.experiment_id
        and not case.over
    ]
    for case in cases:
        if case.incident.root != pattern.root:
            case.incident.root = pattern.root
            turn.touch(case)
    root = next((case for case in cases if case.service == pattern.root), None)
    if root is None:
        return
    if pattern.confidence > _SURE and not root.pressed:
        root.pressed = f"{pattern.kind} with confidence {pattern.confidence:.2f}"
        reweigh(turn, root)
    if root.incident.state == "escalated":
        return
    for case in cases:
        if case.service != pattern.root and case.incident.state in {"open", "escalated"}:
            _join(turn, case, root)


def _join(turn: Turn, case: Case, root: Case) -> None:
    """Closes an incident in favour of the one of its root."""
    incident_id = root.incident.incident_id
    for pattern in patterns_of(turn.state, case):
        turn.state.sights[pattern.pattern_id].incident_id = incident_id
        if pattern.pattern_id not in root.incident.pattern_ids:
            root.incident.pattern_ids.append(pattern.pattern_id)
    turn.touch(root)
    case.incident.resolved_at_ms = turn.now_ms
    turn.feed(case, "joined", f"follows from {root.service}, see incident {incident_id}")
