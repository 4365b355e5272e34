"""What must hold of time intervals, schedules, people and templates of notification."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from faultstream.config.errors import Problem, shown
from faultstream.config.shape import unknown
from faultstream.config.source import Source
from faultstream.core.notify.calendar import CalendarError, interval, zone
from faultstream.core.policy import NotifyRoutePolicy, Topology


def time_intervals(source: Source, topology: Topology) -> Iterator[Problem]:
    """Every interval can be read, and a name stands for at least one."""
    for name, intervals in topology.notification.time_intervals.items():
        path = f"notification.time_intervals.{name}"
        if not intervals:
            yield source.problem(path, "no interval", bound="at least one")
        for place, one in enumerate(intervals):
            try:
                interval(one)
            except CalendarError as exc:
                yield source.problem(f"{path}[{place}]", str(exc))


def known_intervals(source: Source, topology: Topology) -> Iterator[Problem]:
    """Routes and rotations name intervals that exist."""
    policy = topology.notification
    places: list[tuple[str, tuple[str, ...]]] = []
    for path, route in walk(policy.route):
        places.append((f"{path}.mute_time_intervals", route.mute_time_intervals))
        places.append((f"{path}.active_time_intervals", route.active_time_intervals))
    for name, schedule in policy.schedules.items():
        for number, rotation in enumerate(schedule.rotations):
            path = f"notification.schedules.{name}.rotations[{number}].active_time_intervals"
            places.append((path, rotation.active_time_intervals))
    for path, names in places:
        for place, name in enumerate(names):
            if name not in policy.time_intervals:
                where = f"{path}[{place}]"
                yield unknown(source, where, "time interval", name, policy.time_intervals)


def root_always_tells(source: Source, topology: Topology) -> Iterator[Problem]:
    """The root takes what no other route takes, so it has no time intervals."""
    route = topology.notification.route
    for field in ("mute_time_intervals", "active_time_intervals"):
        if getattr(route, field):
            mend = "Put them on a route under notification.route.routes."
            path = f"notification.route.{field}"
            yield source.problem(path, "the root must tell at any time", mend=mend)


def people(source: Source, topology: Topology) -> Iterator[Problem]:
    """People are reached by channels that exist."""
    for name, channels in topology.notification.people.items():
        path = f"notification.people.{name}"
        if not channels:
            yield source.problem(path, "no channel", bound="at least one")
        for place, channel in enumerate(channels):
            if channel not in topology.channels:
                yield unknown(source, f"{path}[{place}]", "channel", channel, topology.channels)


def schedules(source: Source, topology: Topology) -> Iterator[Problem]:
    """A schedule has a time zone, turns, people that exist, and times that do."""
    for name, schedule in topology.notification.schedules.items():
        path = f"notification.schedules.{name}"
        try:
            zone(schedule.location)
        except CalendarError as exc:
            yield source.problem(f"{path}.location", str(exc))
        if not schedule.rotations:
            yield source.problem(f"{path}.rotations", "no rotation", bound="at least one")
        for place, rotation in enumerate(schedule.rotations):
            where = f"{path}.rotations[{place}]"
            if not rotation.people:
                yield source.problem(f"{where}.people", "nobody", bound="at least one")
            yield from _known(source, topology, f"{where}.people", rotation.people)
            yield from _real(source, f"{where}.start", rotation.start)
        for place, override in enumerate(schedule.overrides):
            where = f"{path}.overrides[{place}]"
            yield from _known(source, topology, f"{where}.person", (override.person,))
            wrong = [
                *_real(source, f"{where}.start", override.start),
                *_real(source, f"{where}.end", override.end),
            ]
            yield from wrong
            if not wrong and override.start >= override.end:
                bound = f"after {override.start}"
                yield source.problem(
                    f"{where}.end", "before its start", bound=bound, value=override.end
                )


def on_call(source: Source, topology: Topology) -> Iterator[Problem]:
    """Escalations name schedules that exist."""
    policy = topology.notification
    for name, escalation in policy.escalations.items():
        for number, step in enumerate(escalation.steps):
            path = f"notification.escalations.{name}.steps[{number}].on_call"
            for place, schedule in enumerate(step.on_call):
                if schedule not in policy.schedules:
                    where = f"{path}[{place}]"
                    yield unknown(source, where, "schedule", schedule, policy.schedules)


def templates(source: Source, topology: Topology) -> Iterator[Problem]:
    """Channels name templates that exist, and every template works."""
    policy = topology.notification
    for name, channel in topology.channels.items():
        if channel.template is not None and channel.template not in policy.templates:
            path = f"channels.{name}.template"
            yield unknown(source, path, "template", channel.template, policy.templates)
    if not policy.templates:
        return
    from faultstream.notify.template import BadTemplateError, MessageTemplate  # noqa: PLC0415

    for name, template in policy.templates.items():
        try:
            MessageTemplate(template)
        except BadTemplateError as exc:
            part, _, problem = str(exc).partition(": ")
            path = f"notification.templates.{name}.{part.partition(',')[0]}"
            yield source.problem(path, f"no template: {problem}")


def walk(
    route: NotifyRoutePolicy, path: str = "notification.route"
) -> Iterator[tuple[str, NotifyRoutePolicy]]:
    """Every route with its place."""
    yield path, route
    for place, child in enumerate(route.routes):
        yield from walk(child, f"{path}.routes[{place}]")


def _known(
    source: Source, topology: Topology, path: str, names: tuple[str, ...]
) -> Iterator[Problem]:
    for place, name in enumerate(names):
        if name not in topology.notification.people:
            where = path if path.endswith("person") else f"{path}[{place}]"
            yield unknown(source, where, "person", name, topology.notification.people)


def _real(source: Source, path: str, text: str) -> Iterator[Problem]:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        yield source.problem(path, "no such day", value=shown(text))


CALENDAR_RULES: Final[tuple[Callable[[Source, Topology], Iterator[Problem]], ...]] = (
    time_intervals,
    known_intervals,
    root_always_tells,
    people,
    schedules,
    on_call,
    templates,
)
