"""Escalate: when a fault weighs more, and what people are told.

People hear of an incident when it opens (info), when it is resolved (info), and when recovery
needs them (error, critical) with what was tried. In between, nothing: recovery is in flight.
"""

from collections.abc import Sequence

from faultstream.core.decide import layer_of
from faultstream.core.ids import derive
from faultstream.core.incident import Case
from faultstream.core.policy import LayerPolicy, Topology
from faultstream.core.records import Level, Notification, Pattern, Priority
from faultstream.core.severity import RANK, Severity, shifted, worst

_PRIORITIES: tuple[Priority, ...] = ("low", "medium", "high", "critical")
_RISING = frozenset({"cascade", "degradation"})


def pressure(layer: LayerPolicy, patterns: Sequence[Pattern]) -> str:
    """Why the layer's threshold is passed (row R2), or ''."""
    limit = layer.escalation_threshold
    count = max((one.count for one in patterns), default=0)
    score = max((one.count * getattr(layer.weights, one.severity) for one in patterns), default=0.0)
    rate = max((one.rate for one in patterns), default=0.0) * 60
    if count >= limit:
        return f"{count} errors, the threshold of the layer is {limit}"
    if score >= 2 * limit:
        return f"severity score {score:g}, twice the threshold of the layer is {2 * limit}"
    if rate > layer.max_errors_per_minute:
        return f"{rate:.0f} errors a minute, the layer allows {layer.max_errors_per_minute}"
    for one in patterns:
        if one.kind in _RISING and one.confidence > 0.8:
            return f"{one.kind} with confidence {one.confidence:.2f}"
    return ""


def weigh(topology: Topology, case: Case, patterns: Sequence[Pattern]) -> Severity:
    """The incident's severity: its gravest pattern's, one step up when pressed. Never sinks."""
    layer = layer_of(topology, case.layer)
    if not case.pressed and layer is not None:
        case.pressed = pressure(layer, patterns)
    severity = patterns[0].severity if patterns else case.incident.severity
    for one in patterns:
        severity = worst(severity, one.severity)
    if case.pressed and RANK[severity] < RANK["critical"]:
        severity = shifted(severity, 1)
    return worst(severity, case.incident.severity)


def priority(case: Case, normal: Priority) -> Priority:
    """A command's priority: one step up when pressed."""
    step = _PRIORITIES.index(normal) + (1 if case.pressed else 0)
    return _PRIORITIES[min(step, len(_PRIORITIES) - 1)]


def tried(case: Case) -> str:
    """What was tried, a line each."""
    lines = [
        f"{n}. {one.command.strategy}: {one.outcome}" + (f" ({one.reason})" if one.reason else "")
        for n, one in enumerate(case.tries, 1)
    ]
    return "\n".join(lines) or "nothing was tried"


def notice(case: Case, level: Level, title: str, reason: str, now_ms: int) -> Notification | None:
    """A notification about an incident; None for experiments, which never page anyone."""
    incident = case.incident
    if incident.experiment_id:
        return None
    case.notices += 1
    return Notification(
        notification_id=derive("notification", incident.incident_id, case.notices, title),
        group=f"{incident.environment}/{case.service}",
        level=level,
        title=title,
        body=f"{reason}\n{tried(case)}" if case.tries else reason,
        environment=incident.environment,
        incident_id=incident.incident_id,
        pattern_ids=list(incident.pattern_ids),
        step=case.notices,
        reason=reason,
        created_at_ms=now_ms,
        status="resolved" if case.over else "firing",
        labels={
            name: value
            for name, value in {
                "service": case.service,
                "layer": case.layer,
                "category": case.category,
                "severity": incident.severity,
            }.items()
            if value
        },
    )
