"""Notify: the stage that turns notifications into messages to people.

`step(state, input, now_ms)` takes a Notification, a Control (silence, acknowledge, resolve), an
Incident (recovery in flight, or over), a Tick, or what became of a message (Delivered). It gives
the messages to deliver now, and every decision with its reason. Each notification ends sent, in a
digest, suppressed or undelivered with a reason, or it still waits in the state. Equal inputs give
equal outputs, saves and loads in between change nothing.
"""

from typing import Final

import msgspec

from faultstream.core.ids import derive
from faultstream.core.notify import climb, groups
from faultstream.core.notify.matchers import MatcherError, matcher
from faultstream.core.notify.state import (
    MAX_ALERTS,
    MAX_SEEN,
    MAX_SILENCES,
    MEMORY_MS,
    Alert,
    Decision,
    NotifyState,
    Send,
    Silence,
    load,
    save,
)
from faultstream.core.notify.turn import Rules, Turn
from faultstream.core.policy import Topology
from faultstream.core.records import Control, Incident, Notification

_FLYING: Final = frozenset({"recovering", "verifying"})
_OVER: Final = frozenset({"resolved", "closed"})


class Tick(msgspec.Struct, frozen=True):
    """Time has passed. Send a few times a second; it costs little when nothing is due."""


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message on a channel. `reason` "" means that it was delivered."""

    message_id: str
    channel: str
    reason: str = ""


Input = Notification | Control | Incident | Tick | Delivered
Output = Decision | Send


class Notify:
    """Notification for a topology, over one `NotifyState` per environment."""

    def __init__(self, topology: Topology) -> None:
        """Raises MatcherError for matchers that `check` refuses."""
        self._rules = Rules(topology)

    def new(self, environment: str) -> NotifyState:
        """The state of an environment of which nothing is known yet."""
        return NotifyState(environment=environment)

    def knows(self, state: NotifyState, notification: Notification) -> bool:
        """Whether this notification was taken already; it changes nothing then."""
        return notification.notification_id in state.seen

    def step(self, state: NotifyState, given: Input, now_ms: int) -> list[Output]:
        """What follows from one input. `now_ms` is the wall clock; it never goes back."""
        state.now_ms = max(state.now_ms, now_ms)
        turn = Turn(self._rules, state)
        if isinstance(given, Notification):
            self._notification(turn, given)
        elif isinstance(given, Incident):
            _incident(turn, given)
        elif isinstance(given, Control):
            _control(turn, given)
        elif isinstance(given, Delivered):
            turn.delivered(given.message_id, given.channel, given.reason)
        else:
            climb.proceed(turn)
            groups.look(turn)
            turn.digests()
            _forget(turn)
        return turn.outputs

    def due(self, state: NotifyState, now_ms: int) -> list[Send]:
        """The messages that wait to be delivered, also those of before a restart."""
        return [send for send in state.due.values() if send.at_ms <= now_ms]

    def wants_tick(self, state: NotifyState, now_ms: int) -> bool:
        """Whether a tick at `now_ms` would do anything."""
        return (
            any(group.next_ms <= now_ms for group in state.groups.values())
            or any(one.due_ms <= now_ms for one in state.digests.values())
            or any(one.over_ms is None and one.next_ms <= now_ms for one in state.climbs.values())
        )

    def save(self, state: NotifyState) -> bytes:
        """The state as bytes."""
        return save(state)

    def load(self, raw: bytes) -> NotifyState:
        """The state that `save` wrote."""
        return load(raw)

    def _notification(self, turn: Turn, given: Notification) -> None:
        state = turn.state
        if given.notification_id in state.seen:
            return
        state.seen[given.notification_id] = None
        if len(state.seen) > MAX_SEEN:
            del state.seen[next(iter(state.seen))]
        ids = [given.notification_id]
        if given.experiment_id:
            turn.decide("suppressed", "an experiment, which pages nobody", ids)
        elif given.status == "resolved":
            _resolved(turn, given)
        elif state.over.get(given.incident_id, -1) >= given.created_at_ms:
            turn.decide("suppressed", "its incident is over already", ids)
        else:
            self._alert(turn, given)

    def _alert(self, turn: Turn, given: Notification) -> None:
        state = turn.state
        about = given.incident_id or given.group
        alert_id = derive("alert", state.environment, about, given.level, given.title)
        known = state.alerts.get(alert_id)
        timeout_ms = self._rules.policy.resolve_timeout_ms
        alert = Alert(
            alert_id=alert_id,
            labels={
                **given.labels,
                "environment": state.environment,
                "group": given.group,
                "level": given.level,
                "title": given.title,
                "incident_id": given.incident_id,
            },
            level=given.level,
            title=given.title,
            body=given.body,
            incident_id=given.incident_id,
            pattern_ids=list(given.pattern_ids),
            ends_ms=None if given.incident_id else turn.now_ms + timeout_ms,
        )
        fired = known is not None and known.fires(turn.now_ms)
        state.alerts[alert_id] = alert
        while len(state.alerts) > MAX_ALERTS:
            del state.alerts[next(iter(state.alerts))]
        groups.place(turn, alert, given.notification_id, given.created_at_ms)
        if not fired:
            climb.begin(turn, alert, given.notification_id)


def _resolved(turn: Turn, given: Notification) -> None:
    """Those that fire about its incident, or else its group, are resolved by it."""
    found = [
        alert
        for alert in turn.state.alerts.values()
        if (
            alert.incident_id == given.incident_id
            if given.incident_id
            else alert.labels["group"] == given.group
        )
    ]
    _over(turn, given.incident_id, given.created_at_ms)
    held = False
    for alert in found:
        if alert.fires(turn.now_ms):
            alert.ends_ms = turn.now_ms
        alert.resolution = given.body or given.reason or given.title
        climb.end(turn, alert.subject)
        for group in turn.state.groups.values():
            member = group.members.get(alert.alert_id)
            if member is not None and not held:
                member.news.append(given.notification_id)
                held = True
    if held:
        turn.decide("grouped", "resolves what fires", [given.notification_id])
    else:
        turn.decide("suppressed", "nobody was told of what it resolves", [given.notification_id])


def _incident(turn: Turn, given: Incident) -> None:
    state, incident_id = turn.state, given.incident_id
    if given.state in _FLYING:
        state.flying[incident_id] = turn.now_ms
        return
    state.flying.pop(incident_id, None)
    if given.state in _OVER and incident_id not in state.over:
        _end(turn, incident_id, given.reason)


def _end(turn: Turn, incident_id: str, reason: str) -> bool:
    """An incident is over; whether anything fired for it."""
    _over(turn, incident_id, turn.now_ms)
    ended = False
    for alert in turn.state.alerts.values():
        if alert.subject == incident_id and alert.fires(turn.now_ms):
            alert.ends_ms, alert.resolution, ended = turn.now_ms, reason, True
    climb.end(turn, incident_id)
    return ended


def _over(turn: Turn, incident_id: str, at_ms: int) -> None:
    if incident_id:
        turn.state.over[incident_id] = max(at_ms, turn.state.over.get(incident_id, 0))


def _control(turn: Turn, given: Control) -> None:
    """Repeats change nothing."""
    state = turn.state
    if given.environment and given.environment != state.environment:
        return
    ended = given.until_at_ms is not None and given.until_at_ms <= turn.now_ms
    if given.kind == "silence":
        state.silences.pop(given.subject, None)
        wanted = given.parameters.get("matchers")
        if given.active and not ended and (texts := _matchers(wanted)):
            state.silences[given.subject] = Silence(
                matchers=texts,
                until_ms=given.until_at_ms,
                by=given.by,
                reason=given.reason,
                from_ms=given.from_at_ms or 0,
            )
            while len(state.silences) > MAX_SILENCES:
                del state.silences[next(iter(state.silences))]
    elif given.kind == "acknowledge":
        subject = _subject(given)
        if given.active:
            state.acknowledged.setdefault(subject, given.set_at_ms)
            climb.end(turn, subject)
        else:
            state.acknowledged.pop(subject, None)
    elif given.kind == "resolve" and given.active:
        by = given.by or "a person"
        _end(
            turn,
            _subject(given),
            f"resolved by {by}" + (f": {given.reason}" if given.reason else ""),
        )


def _matchers(wanted: object) -> list[str]:
    """The matchers of a silence; none when one of them cannot be used, so that it mutes nobody."""
    texts = [one for one in wanted if isinstance(one, str)] if isinstance(wanted, list) else []
    try:
        for text in texts:
            matcher(text)
    except MatcherError:
        return []
    return texts


def _subject(given: Control) -> str:
    named = given.parameters.get("incident_id")
    return named if isinstance(named, str) else given.subject.rsplit("/", 1)[-1]


def _forget(turn: Turn) -> None:
    """What is past its time."""
    state, now_ms = turn.state, turn.now_ms
    for memory in (state.flying, state.over, state.acknowledged):
        for key in [key for key, at_ms in memory.items() if at_ms + MEMORY_MS <= now_ms]:
            del memory[key]
    for subject, silence in list(state.silences.items()):
        if silence.until_ms is not None and silence.until_ms <= now_ms:
            del state.silences[subject]
    longest = max((one.per_ms for one in turn.rules.policy.rate_limits.values()), default=0)
    for key, window in list(state.windows.items()):
        if key not in state.digests and (not window or window[-1] + longest <= now_ms):
            del state.windows[key]
    climb.forget(turn)
