"""P9 recovery loop: the same fault comes back after recovery, again and again.

Every incident that ended after a command was carried out leaves a note (service, and fingerprint
or else category, time), and so does each return of its fault, also where guards let nothing more
be commanded. When a new incident finds `loop_count` notes of the last `loop_window_ms`,
recovery only treats a symptom: nothing more is commanded, a person is told, and a pattern of kind
`recovery_loop` stays open as long as the incident.
"""

from typing import Final

from faultstream.core.cascade import close
from faultstream.core.ids import derive
from faultstream.core.incident import Case, EnvironmentState, Own
from faultstream.core.policy import Topology
from faultstream.core.records import Affected, Pattern

_CARRIED_OUT: Final = frozenset({"done", "partial", "cured", "recurring", "worse", "rolled_back"})


def _key(case: Case) -> str:
    fault = case.fingerprint or case.category
    return f"{case.incident.experiment_id}/{case.service}/{fault}"


def note(topology: Topology, state: EnvironmentState, case: Case) -> None:
    """An incident is over; was anything done about it, now or when it was there before?"""
    since = state.now_ms - topology.guards.loop_window_ms
    before = any(at > since for at in state.returns.get(_key(case), ()))
    if before or any(one.outcome in _CARRIED_OUT for one in case.tries):
        state.returns.setdefault(_key(case), []).append(state.now_ms)


def looping(topology: Topology, state: EnvironmentState, case: Case) -> int:
    """How often the fault of a new incident was recovered before, if that is a loop; else 0."""
    since = state.now_ms - topology.guards.loop_window_ms
    times = [at for at in state.returns.get(_key(case), ()) if at > since]
    return len(times) if len(times) >= topology.guards.loop_count else 0


def told(topology: Topology, state: EnvironmentState, case: Case, pattern: Pattern) -> Pattern:
    """The pattern of a loop that `case` is in, because of `pattern`."""
    since = state.now_ms - topology.guards.loop_window_ms
    times = [at for at in state.returns.get(_key(case), ()) if at > since]
    made = Pattern(
        pattern_id=derive("pattern", "recovery_loop", case.incident.incident_id),
        revision=1,
        kind="recovery_loop",
        state="open",
        environment=state.environment,
        service=case.service,
        layer=case.layer,
        fingerprint=pattern.fingerprint,
        error_type=pattern.error_type,
        category=case.category,
        severity=pattern.severity,
        first_at_ms=min(times[0], pattern.first_at_ms),
        last_at_ms=pattern.last_at_ms,
        detected_at_ms=pattern.detected_at_ms,
        count=len(times),
        confidence=round(1 - 0.5 ** len(times), 4),
        affected=Affected((case.service,), (case.layer,) if case.layer else ()),
        root=case.service,
        evidence=list(pattern.evidence),
        reason=f"came back {len(times)} times after recovery",
        experiment_id=case.incident.experiment_id,
    )
    state.own[made.pattern_id] = Own(pattern=made, incident_id=case.incident.incident_id)
    return made


def ended(state: EnvironmentState) -> list[Pattern]:
    """Closes the loops whose incident is over."""
    return [
        close(state, own.pattern)
        for own in tuple(state.own.values())
        if own.incident_id and own.incident_id not in state.cases
    ]


def forget(topology: Topology, state: EnvironmentState) -> None:
    """Drops notes that are too old to count."""
    since = state.now_ms - topology.guards.loop_window_ms
    for key, times in list(state.returns.items()):
        kept = [at for at in times if at > since][-topology.guards.loop_count * 4 :]
        if kept:
            state.returns[key] = kept
        else:
            del state.returns[key]
