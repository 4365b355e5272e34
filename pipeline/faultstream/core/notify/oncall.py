"""On call: whose turn it is in a schedule. Turns follow the clock on the wall: a shift that is
handed over at nine stays so when summer time begins or ends, and is an hour longer or shorter.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from faultstream.core.notify.calendar import within, zone
from faultstream.core.policy import (
    NotificationPolicy,
    RotationPolicy,
    SchedulePolicy,
    TimeIntervalPolicy,
)


def on_call(
    schedule: SchedulePolicy,
    intervals: Mapping[str, Sequence[TimeIntervalPolicy]],
    now_ms: int,
) -> tuple[str, ...]:
    """Who is on call: one person, or everybody of the schedule when it is nobody's turn."""
    local = datetime.fromtimestamp(now_ms / 1000, zone(schedule.location)).replace(tzinfo=None)
    for override in reversed(schedule.overrides):
        if _local(override.start) <= local < _local(override.end):
            return (override.person,)
    for rotation in schedule.rotations:
        person = _turn(rotation, local)
        names = rotation.active_time_intervals
        if person and (not names or within(names, intervals, now_ms)):
            return (person,)
    everybody = (person for one in schedule.rotations for person in one.people)
    return tuple(dict.fromkeys(everybody))


def channels(
    policy: NotificationPolicy, names: Sequence[str], now_ms: int
) -> list[tuple[str, str]]:
    """The channels that reach whoever is on call in the schedules of these names, each with who it
    is and where."""
    found: dict[str, str] = {}
    for name in names:
        schedule = policy.schedules.get(name)
        people = on_call(schedule, policy.time_intervals, now_ms) if schedule else ()
        for person in people:
            for channel in policy.people.get(person, ()):
                found.setdefault(channel, f"{person} is on call ({name})")
    return list(found.items())


def _turn(rotation: RotationPolicy, local: datetime) -> str:
    """Whose turn it is, "" before the first one."""
    since = local - _local(rotation.start)
    if since < timedelta(0) or not rotation.people:
        return ""
    return rotation.people[since // timedelta(days=rotation.days) % len(rotation.people)]


def _local(text: str) -> datetime:
    return datetime.fromisoformat(text)
