"""What must hold within the section `notification`, and between it and the rest."""

from collections.abc import Callable, Iterator
from typing import Final

from faultstream.config.calendar_rules import CALENDAR_RULES, walk
from faultstream.config.errors import Problem
from faultstream.config.shape import unknown
from faultstream.config.source import Source
from faultstream.core.notify.matchers import MatcherError, matcher
from faultstream.core.policy import NotificationPolicy, Topology


def notify_partitions(source: Source, topology: Topology) -> Iterator[Problem]:
    """notify reads notifications and incidents of an environment together."""
    notes, incidents = topology.topics.get("notifications"), topology.topics.get("incidents")
    if notes and incidents and notes.partitions != incidents.partitions:
        yield source.problem(
            "topics.notifications.partitions",
            "notify reads incidents and notifications together",
            bound=f"{incidents.partitions} as topics.incidents.partitions",
            value=str(notes.partitions),
        )


def known_channels(source: Source, topology: Topology) -> Iterator[Problem]:
    """Receivers and escalations name channels that exist, and at least one."""
    policy = topology.notification
    places: list[tuple[str, tuple[str, ...], bool]] = []
    for name, receiver in policy.receivers.items():
        places.append((f"notification.receivers.{name}.channels", receiver.channels, True))
        places.append((f"notification.receivers.{name}.fallback", receiver.fallback, False))
    for name, escalation in policy.escalations.items():
        path = f"notification.escalations.{name}.steps"
        places += [
            (f"{path}[{n}].channels", step.channels, not step.on_call)
            for n, step in enumerate(escalation.steps)
        ]
    for path, names, needed in places:
        if needed and not names:
            yield source.problem(path, "no channel", bound="at least one")
        for place, name in enumerate(names):
            if name not in topology.channels:
                yield unknown(source, f"{path}[{place}]", "channel", name, topology.channels)


def known_receivers(source: Source, topology: Topology) -> Iterator[Problem]:
    """Routes name receivers that exist; `default` always does."""
    known = {"default": None, **topology.notification.receivers}
    for path, route in walk(topology.notification.route):
        if route.receiver is not None and route.receiver not in known:
            yield unknown(source, f"{path}.receiver", "receiver", route.receiver, known)


def root_route(source: Source, topology: Topology) -> Iterator[Problem]:
    """The root takes what no other route takes, so it has no matchers."""
    if topology.notification.route.matchers:
        path = "notification.route.matchers"
        mend = "Put them on a route under notification.route.routes."
        yield source.problem(path, "the root must match everything", mend=mend)


def stated(policy: NotificationPolicy) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Where matchers stand, which, and whether there must be any."""
    for path, route in walk(policy.route):
        yield f"{path}.matchers", route.matchers, False
    for n, rule in enumerate(policy.inhibit_rules):
        path = f"notification.inhibit_rules[{n}]"
        yield f"{path}.source_matchers", rule.source_matchers, True
        yield f"{path}.target_matchers", rule.target_matchers, True
    for name, escalation in policy.escalations.items():
        yield f"notification.escalations.{name}.matchers", escalation.matchers, True


def matchers(source: Source, topology: Topology) -> Iterator[Problem]:
    """Every matcher can be read, and what must not match everything has one."""
    for path, texts, needed in stated(topology.notification):
        if needed and not texts:
            yield source.problem(path, "no matcher", bound="at least one")
        for place, text in enumerate(texts):
            try:
                matcher(text)
            except MatcherError as exc:
                yield source.problem(f"{path}[{place}]", str(exc))


def escalation_steps(source: Source, topology: Topology) -> Iterator[Problem]:
    """An escalation has steps, each not before the one above it."""
    for name, escalation in topology.notification.escalations.items():
        path = f"notification.escalations.{name}.steps"
        if not escalation.steps:
            yield source.problem(path, "no step", bound="at least one")
        last_ms = 0
        for place, step in enumerate(escalation.steps):
            if step.after_ms < last_ms:
                yield source.problem(
                    f"{path}[{place}].after_ms",
                    "before the step above it",
                    bound=f"at least {last_ms}",
                    value=str(step.after_ms),
                )
            last_ms = step.after_ms


NOTIFY_RULES: Final[tuple[Callable[[Source, Topology], Iterator[Problem]], ...]] = (
    notify_partitions,
    known_channels,
    known_receivers,
    root_route,
    matchers,
    escalation_steps,
    *CALENDAR_RULES,
)
