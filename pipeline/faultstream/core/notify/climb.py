"""Climb: escalation policies, step by step, until somebody acknowledges or it is resolved."""

from collections.abc import Sequence

from faultstream.core.ids import derive
from faultstream.core.notify import compose, oncall
from faultstream.core.notify.matchers import match_all
from faultstream.core.notify.mute import muted
from faultstream.core.notify.state import MAX_CLIMBS, MEMORY_MS, Alert, Climb, Send
from faultstream.core.notify.turn import Turn
from faultstream.core.policy import EscalationPolicy

HELD_MS = 1_000
"""How often a held escalation is looked at."""


def begin(turn: Turn, alert: Alert, notification_id: str) -> None:
    """Start, or add to, the escalations of an alert that fires."""
    state = turn.state
    for name, policy in turn.rules.policy.escalations.items():
        if not match_all(policy.matchers, alert.labels):
            continue
        key = f"{name}\x1f{alert.subject}"
        climb = state.climbs.get(key)
        if climb is None or (climb.over_ms is not None and alert.subject not in state.acknowledged):
            first = turn.now_ms + policy.steps[0].after_ms
            again = climb.round + 1 if climb else 0
            state.climbs.pop(key, None)
            climb = state.climbs[key] = Climb(
                policy=name,
                subject=alert.subject,
                started_ms=turn.now_ms,
                next_ms=first,
                round=again,
            )
            while len(state.climbs) > MAX_CLIMBS:
                del state.climbs[next(iter(state.climbs))]
        if len(climb.sources) < 20:
            climb.sources.append(notification_id)


def proceed(turn: Turn) -> None:
    """Take the steps that are due."""
    state = turn.state
    due = {
        key: climb
        for key, climb in state.climbs.items()
        if climb.over_ms is None and climb.next_ms <= turn.now_ms
    }
    if not due:
        return
    subjects: dict[str, list[Alert]] = {}
    for alert in state.alerts.values():
        if alert.fires(turn.now_ms):
            subjects.setdefault(alert.subject, []).append(alert)
    for climb in due.values():
        policy = turn.rules.policy.escalations.get(climb.policy)
        alerts = subjects.get(climb.subject, [])
        if policy is not None:
            alerts = [one for one in alerts if match_all(policy.matchers, one.labels)]
        if policy is None or not alerts:
            climb.over_ms = turn.now_ms
        elif climb.subject in state.acknowledged:
            climb.over_ms = turn.now_ms
            turn.decide("suppressed", "acknowledged", climb.sources)
        else:
            _step(turn, climb, policy, alerts)


def end(turn: Turn, subject: str) -> None:
    """Nobody needs to be told any more."""
    for climb in turn.state.climbs.values():
        if climb.subject == subject and climb.over_ms is None:
            climb.next_ms = turn.now_ms


def forget(turn: Turn) -> None:
    """Drop escalations that have long been over."""
    for key, climb in list(turn.state.climbs.items()):
        if climb.over_ms is not None and climb.over_ms + MEMORY_MS <= turn.now_ms:
            del turn.state.climbs[key]


def _step(turn: Turn, climb: Climb, policy: EscalationPolicy, alerts: Sequence[Alert]) -> None:
    rules = turn.rules.policy.inhibit_rules
    reasons = [muted(turn.state, rules, alert, in_flight=True) for alert in alerts]
    free = [alert for alert, reason in zip(alerts, reasons, strict=True) if not reason]
    if not free:
        if climb.held != reasons[0]:
            climb.held = reasons[0]
            turn.decide("suppressed", reasons[0], climb.sources)
        climb.next_ms = turn.now_ms + HELD_MS
        return
    climb.held = ""
    steps = policy.steps
    while climb.step < len(steps):
        step = steps[climb.step]
        if climb.started_ms + step.after_ms > turn.now_ms:
            climb.next_ms = climb.started_ms + step.after_ms
            return
        climb.step += 1
        reason = f"escalation {climb.policy}, step {climb.step}"
        told = dict.fromkeys(step.channels, "")
        for channel, who in oncall.channels(turn.rules.policy, step.on_call, turn.now_ms):
            told.setdefault(channel, f", {who}")
        for channel, why in told.items():
            turn.hand_over(_send(turn, climb, free, reason + why, channel))
        if not told:
            turn.decide("suppressed", f"{reason}: it names nobody", climb.sources)
    if policy.repeat_ms:
        climb.step, climb.round = 0, climb.round + 1
        climb.started_ms = turn.now_ms + policy.repeat_ms
        climb.next_ms = climb.started_ms + steps[0].after_ms
    else:
        climb.over_ms = turn.now_ms


def _send(turn: Turn, climb: Climb, alerts: Sequence[Alert], reason: str, channel: str) -> Send:
    environment = turn.state.environment
    message_id = derive(
        "escalation", environment, climb.policy, climb.subject, climb.round, climb.step, channel
    )
    message = compose.message(
        message_id,
        alerts,
        [],
        labels={},
        reason=reason,
        environment=environment,
        now_ms=turn.now_ms,
    )
    message.step = climb.step
    return Send(message=message, channels=[channel], reason=reason, sources=list(climb.sources))
