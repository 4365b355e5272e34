"""Outlook: who would be told of an alert with certain labels, by which routes and when.

For people who write routes. Nothing is sent and no state is needed, so what depends on other alerts
(inhibition, recovery in flight, silences, rate limits) is named, not decided.
"""

from collections.abc import Mapping

import msgspec

from faultstream.core.notify import oncall
from faultstream.core.notify.compose import RANK
from faultstream.core.notify.matchers import match_all
from faultstream.core.notify.mute import closed
from faultstream.core.notify.route import Route
from faultstream.core.notify.turn import Rules
from faultstream.core.policy import EscalationPolicy, InhibitRulePolicy


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A route that takes the alert. `channels` are told each, `fallback` one after the other when
    one gives up; `too_low` are those that do not want the level; `closed`: why nobody is told at
    this time, or ''."""

    route: Route
    channels: tuple[str, ...]
    too_low: tuple[str, ...]
    fallback: tuple[str, ...]
    group: dict[str, str]
    closed: str


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """A step of an escalation: channels, each with who is on call there, or ''."""

    after_ms: int
    channels: dict[str, str]


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """An escalation that the alert climbs."""

    name: str
    rungs: tuple[Rung, ...]
    repeat_ms: int


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What awaits the alert. `inhibited_by`: rules whose target it is."""

    taken: tuple[Taken, ...]
    ladders: tuple[Ladder, ...]
    inhibited_by: tuple[InhibitRulePolicy, ...]


def outlook(rules: Rules, labels: Mapping[str, str], now_ms: int) -> Outlook:
    """What awaits an alert with these labels at this time; a label left out is an empty one."""
    policy = rules.policy
    return Outlook(
        taken=tuple(_taken(rules, route, labels, now_ms) for route in rules.root.match(labels)),
        ladders=tuple(
            _ladder(rules, name, one, now_ms)
            for name, one in policy.escalations.items()
            if match_all(one.matchers, labels)
        ),
        inhibited_by=tuple(
            one for one in policy.inhibit_rules if match_all(one.target_matchers, labels)
        ),
    )


def _taken(rules: Rules, route: Route, labels: Mapping[str, str], now_ms: int) -> Taken:
    receiver = rules.receivers[route.receiver]
    low = tuple(name for name in receiver.channels if _too_low(rules, name, labels.get("level")))
    return Taken(
        route=route,
        channels=tuple(name for name in receiver.channels if name not in low),
        too_low=low,
        fallback=receiver.fallback,
        group=route.group(labels),
        closed=closed(route, rules.policy, now_ms),
    )


def _too_low(rules: Rules, channel: str, level: str | None) -> bool:
    if level not in RANK:
        return False
    return RANK[level] < RANK[rules.channels[channel].min_level]


def _ladder(rules: Rules, name: str, policy: EscalationPolicy, now_ms: int) -> Ladder:
    return Ladder(
        name=name,
        rungs=tuple(
            Rung(
                after_ms=step.after_ms,
                channels={
                    **dict.fromkeys(step.channels, ""),
                    **{
                        channel: who
                        for channel, who in oncall.channels(
                            rules.policy, step.on_call, now_ms + step.after_ms
                        )
                        if channel not in step.channels
                    },
                },
            )
            for step in policy.steps
        ),
        repeat_ms=policy.repeat_ms,
    )
