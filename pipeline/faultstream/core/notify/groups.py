"""Groups: alerts wait for the timer of their group, and are told together when there is news."""

from collections.abc import Sequence
from typing import Final

from faultstream.core.ids import derive
from faultstream.core.notify import compose
from faultstream.core.notify.dedup import Reason, needed
from faultstream.core.notify.mute import closed, muted
from faultstream.core.notify.route import Route
from faultstream.core.notify.state import MAX_ENTRIES, MAX_NEWS, Alert, Group, Member, Send, Told
from faultstream.core.notify.turn import Turn
from faultstream.core.policy import ReceiverPolicy

AGAIN_MS: Final = 1_000
"""When to look again at a group whose last message is still on its way."""
KEEP_ENTRY_REPEATS: Final = 2
"""An entry of the log is forgotten after this many repeat intervals, as it says no more then."""


def place(turn: Turn, alert: Alert, notification_id: str, created_ms: int) -> None:
    """Put an alert into the groups that its routes give it. A group that was not looked at yet
    is looked at once when the alert is already older than group_wait."""
    for route in turn.rules.root.match(alert.labels):
        labels = route.group(alert.labels)
        key = "\x1f".join([route.path, *(f"{name}={value}" for name, value in labels.items())])
        group = turn.state.groups.get(key)
        if group is None:
            due_ms = turn.now_ms + route.group_wait_ms
            group = turn.state.groups[key] = Group(path=route.path, labels=labels, next_ms=due_ms)
        if not group.looked and created_ms + route.group_wait_ms <= turn.now_ms:
            group.next_ms = turn.now_ms
        member = group.members.setdefault(alert.alert_id, Member())
        if len(member.news) < MAX_NEWS:
            member.news.append(notification_id)
            turn.decide("grouped", shown(key), [notification_id])
        else:
            turn.decide("suppressed", "one of many before its group is told", [notification_id])


def look(turn: Turn) -> None:
    """Tell what there is to tell of every group whose time has come, one message after another."""
    under_way = {send.group for send in turn.state.due.values() if send.told is not None}
    for key, group in list(turn.state.groups.items()):
        if group.next_ms > turn.now_ms:
            continue
        if key in under_way:
            group.next_ms = turn.now_ms + AGAIN_MS
            continue
        route = turn.rules.routes.get(group.path)
        if route is None:
            _move(turn, key, group)
            continue
        group.next_ms = turn.now_ms + route.group_interval_ms
        group.looked = True
        _look(turn, key, group, route)
    _forget(turn)


def shown(key: str) -> str:
    """A group's key as people read it: `0.1{service=orders}`."""
    path, *labels = key.split("\x1f")
    return f"{path}{{{','.join(labels)}}}"


def _look(turn: Turn, key: str, group: Group, route: Route) -> None:
    heard = _heard(turn, group, route)
    firing = [alert for alert in heard if alert.fires(turn.now_ms)]
    resolved = [alert for alert in heard if not alert.fires(turn.now_ms)]
    receiver = turn.rules.receivers.get(route.receiver, ReceiverPolicy(channels=()))
    told = False
    for channel in receiver.channels if heard else ():
        entry = turn.state.log.get(_entry(key, channel))
        reason = needed(
            entry,
            {alert.alert_id for alert in firing},
            {alert.alert_id for alert in resolved},
            send_resolved=receiver.send_resolved,
            repeat_interval_ms=route.repeat_interval_ms,
            now_ms=turn.now_ms,
        )
        if reason is None or (reason == "repeat" and _acknowledged(turn, firing)):
            continue
        told = True
        channels = (channel, *receiver.fallback)
        send = _send(turn, key, group, channels=channels, reason=reason, heard=heard)
        if reason == "all_resolved" and not receiver.send_resolved:
            turn.state.log.pop(_entry(key, channel), None)
            turn.decide("suppressed", "send_resolved is off", send.sources, send)
        else:
            turn.hand_over(send)
    _clear(turn, key, group, heard, receiver, told=told)


def _heard(turn: Turn, group: Group, route: Route) -> list[Alert]:
    """The alerts that are not muted."""
    heard: list[Alert] = []
    shut = closed(route, turn.rules.policy, turn.now_ms)
    for alert_id, member in list(group.members.items()):
        alert = turn.state.alerts.get(alert_id)
        if alert is None:
            _drop(turn, group, alert_id, "forgotten: too many alerts")
            continue
        reason = shut or muted(
            turn.state,
            turn.rules.policy.inhibit_rules,
            alert,
            in_flight=route.inhibit_in_flight,
        )
        if not reason:
            member.muted = ""
            heard.append(alert)
        elif member.news or reason != member.muted:
            turn.decide("suppressed", reason, member.news)
            member.news, member.muted = [], reason
        if reason and not alert.fires(turn.now_ms):
            del group.members[alert_id]
    return heard


def _send(
    turn: Turn,
    key: str,
    group: Group,
    *,
    channels: tuple[str, ...],
    reason: Reason,
    heard: Sequence[Alert],
) -> Send:
    firing = [alert for alert in heard if alert.fires(turn.now_ms)]
    resolved = [alert for alert in heard if not alert.fires(turn.now_ms)]
    fires, ends = [one.alert_id for one in firing], [one.alert_id for one in resolved]
    name = _entry(key, channels[0])
    entry = turn.state.log.get(name)
    before = entry.at_ms if entry else 0
    environment, receiver = turn.state.environment, turn.rules.routes[group.path].receiver
    message_id = derive("message", environment, name, before, reason, *fires, "resolved", *ends)
    send_resolved = turn.rules.receivers[receiver].send_resolved
    return Send(
        message=compose.message(
            message_id,
            firing,
            resolved if send_resolved or not firing else [],
            labels=group.labels,
            reason=reason,
            environment=environment,
            now_ms=turn.now_ms,
        ),
        channels=list(channels),
        reason=reason,
        sources=[one for member in group.members.values() for one in member.news],
        told=Told(entry=name, firing=fires, resolved=ends),
        group=key,
        receiver=receiver,
    )


def _clear(
    turn: Turn,
    key: str,
    group: Group,
    heard: Sequence[Alert],
    receiver: ReceiverPolicy,
    *,
    told: bool,
) -> None:
    """News are told or will not be; what is resolved leaves once no channel believes it fires."""
    believed = {
        alert_id
        for channel in receiver.channels
        if receiver.send_resolved and (entry := turn.state.log.get(_entry(key, channel)))
        for alert_id in entry.firing
    }
    for alert in heard:
        member = group.members[alert.alert_id]
        if member.news and not told:
            fires = alert.fires(turn.now_ms)
            why = "told already" if fires else "resolved before anybody was told"
            if not receiver.channels:
                why = "the receiver has no channels"
            turn.decide("suppressed", why, member.news)
        member.news = []
        if not alert.fires(turn.now_ms) and alert.alert_id not in believed:
            del group.members[alert.alert_id]
    if not group.members:
        del turn.state.groups[key]


def _move(turn: Turn, key: str, group: Group) -> None:
    """The topology has no such route any more: its alerts go where they go now."""
    del turn.state.groups[key]
    for alert_id, member in group.members.items():
        alert = turn.state.alerts.get(alert_id)
        if alert is None or not alert.fires(turn.now_ms):
            turn.decide("suppressed", "its route is gone and it does not fire", member.news)
            continue
        for notification_id in member.news:
            place(turn, alert, notification_id, turn.now_ms)


def _drop(turn: Turn, group: Group, alert_id: str, why: str) -> None:
    member = group.members.pop(alert_id)
    if member.news:
        turn.decide("undelivered", why, member.news)


def _forget(turn: Turn) -> None:
    """Resolved alerts that no group holds, and entries of the log that say no more."""
    state = turn.state
    held = {alert_id for group in state.groups.values() for alert_id in group.members}
    for alert_id, alert in list(state.alerts.items()):
        if alert_id not in held and not alert.fires(turn.now_ms):
            del state.alerts[alert_id]
    for name, entry in list(state.log.items()):
        route = turn.rules.routes.get(name.split("\x1f", 1)[0])
        keep_ms = KEEP_ENTRY_REPEATS * route.repeat_interval_ms if route else 0
        if entry.at_ms + keep_ms <= turn.now_ms or len(state.log) > MAX_ENTRIES:
            del state.log[name]


def _acknowledged(turn: Turn, firing: Sequence[Alert]) -> bool:
    return all(alert.subject in turn.state.acknowledged for alert in firing)


def _entry(key: str, channel: str) -> str:
    return f"{key}\x1f\x1f{channel}"
