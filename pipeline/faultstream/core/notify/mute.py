"""Mute: why nobody is told of an alert now, if so. Inhibition, recovery in flight, silences, and
the time intervals of a route."""

from collections.abc import Iterable, Mapping, Sequence

from faultstream.core.notify.calendar import within
from faultstream.core.notify.matchers import match_all
from faultstream.core.notify.route import Route
from faultstream.core.notify.state import FLIGHT_MS, Alert, NotifyState
from faultstream.core.policy import InhibitRulePolicy, NotificationPolicy

_ALWAYS_TOLD = frozenset({"error", "critical"})


def muted(
    state: NotifyState, rules: Sequence[InhibitRulePolicy], alert: Alert, *, in_flight: bool
) -> str:
    """The reason, or ''. `in_flight`: whether recovery in flight mutes alerts below error."""
    source = inhibitor(rules, alert.labels, firing(state))
    if source:
        return f"inhibited by {source}"
    quiet = in_flight and alert.level not in _ALWAYS_TOLD
    if quiet and state.now_ms - state.flying.get(alert.incident_id, -FLIGHT_MS) < FLIGHT_MS:
        return "recovery is in flight"
    return silenced(state, alert.labels)


def closed(route: Route, policy: NotificationPolicy, now_ms: int) -> str:
    """Why a route tells nobody at this time, or ''."""
    name = within(route.mute_time_intervals, policy.time_intervals, now_ms)
    if name:
        return f"muted at this time ({name})"
    names = route.active_time_intervals
    if names and not within(names, policy.time_intervals, now_ms):
        return f"not active at this time ({', '.join(names)})"
    return ""


def firing(state: NotifyState) -> Iterable[Alert]:
    """The alerts that are not resolved."""
    return (alert for alert in state.alerts.values() if alert.fires(state.now_ms))


def inhibitor(
    rules: Sequence[InhibitRulePolicy], labels: Mapping[str, str], alerts: Iterable[Alert]
) -> str:
    """The title of an alert among the firing `alerts` that inhibits one with `labels`, or ''.

    A target that matches the source side as well is not inhibited by alerts that match both.
    """
    meant = [rule for rule in rules if match_all(rule.target_matchers, labels)]
    if not meant:
        return ""
    both = {id(rule): match_all(rule.source_matchers, labels) for rule in meant}
    for alert in alerts:
        for rule in meant:
            if (
                match_all(rule.source_matchers, alert.labels)
                and all(alert.labels.get(name, "") == labels.get(name, "") for name in rule.equal)
                and not (both[id(rule)] and match_all(rule.target_matchers, alert.labels))
            ):
                return alert.title
    return ""


def silenced(state: NotifyState, labels: Mapping[str, str]) -> str:
    """Which silence in force matches, and whose it is, or ''."""
    for subject, silence in state.silences.items():
        if silence.holds(state.now_ms) and match_all(silence.matchers, labels):
            by = f" by {silence.by}" if silence.by else ""
            why = f": {silence.reason}" if silence.reason else ""
            return f"silenced{by} ({subject}){why}"
    return ""
