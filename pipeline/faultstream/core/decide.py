"""Decide: which strategy is tried next, or why none is.

Routes are asked in order, the first match wins. Its strategies are asked in order: one that was
tried, does not apply or is refused by a guard is passed over. One that may run by itself is
preferred; only when none is left is a person asked to approve one.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from faultstream.core.guards import STRATEGY_GUARDS, TARGET_GUARDS, Refusal, Situation
from faultstream.core.policy import LayerPolicy, RoutePolicy, StrategyPolicy, Topology
from faultstream.core.records import Pattern

DEFAULT_LAYER = "service"
"""The layer of services for which nobody named one."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """command: issue `strategy`. hold: nothing before `until_ms`. approve: ask a person for
    `strategy`. escalate: hand over to a person."""

    action: Literal["command", "hold", "approve", "escalate"]
    reason: str
    strategy: str = ""
    until_ms: int = 0


def route(topology: Topology, pattern: Pattern) -> RoutePolicy | None:
    """The first route that matches."""
    for one in topology.routes:
        if _matches(one, pattern):
            return one
    return None


def layer_of(topology: Topology, layer: str) -> LayerPolicy | None:
    """The policy of a layer; '' means the default one; None if it is not in the topology."""
    return topology.layers.get(layer or DEFAULT_LAYER)


def decide(situation: Situation) -> Decision:
    """What to do next about an incident. Pure: the same situation gives the same decision."""
    topology, pattern = situation.topology, situation.pattern
    layer = layer_of(topology, situation.layer)
    if layer is None:
        known = ", ".join(sorted(topology.layers))
        return Decision(
            action="escalate",
            reason=f"layer {situation.layer!r} is not in the topology ({known}): a person decides",
        )
    for guard in TARGET_GUARDS:
        refusal = guard(situation)
        if refusal is not None:
            if refusal.until_ms is None:
                return Decision(action="escalate", reason=refusal.reason)
            return Decision(action="hold", reason=refusal.reason, until_ms=refusal.until_ms)
    chosen = route(topology, pattern)
    if chosen is None:
        return Decision(action="escalate", reason="no route matches")
    return _choose(situation, layer, chosen)


def _choose(situation: Situation, layer: LayerPolicy, chosen: RoutePolicy) -> Decision:
    refused: list[str] = []
    waits: list[int] = []
    asks: list[tuple[str, str]] = []
    for step, name in enumerate(chosen.strategies, 1):
        policy = situation.topology.strategies.get(name)
        refusal = _refusal(situation, layer, name, policy)
        if policy is None or refusal is not None:
            refused.append(f"{name}: {refusal.reason if refusal else 'unknown'}")
            waits += [refusal.until_ms] if refusal and refusal.until_ms is not None else []
            continue
        why = _why(chosen, step, policy.prior, refused)
        if situation.approved == name:
            return Decision(action="command", strategy=name, reason=why)
        if not layer.automatic:
            asks.append((name, f"{why}; this layer is not recovered automatically"))
        elif policy.dangerous:
            asks.append((name, f"{why}; it is dangerous"))
        else:
            return Decision(action="command", strategy=name, reason=why)
    if asks and not situation.approved:
        name, why = asks[0]
        return Decision(action="approve", strategy=name, reason=why)
    if waits:
        return Decision(action="hold", reason="; ".join(refused), until_ms=min(waits))
    return Decision(action="escalate", reason="; ".join(refused) or "no strategy is left")


def _refusal(
    situation: Situation, layer: LayerPolicy, name: str, policy: StrategyPolicy | None
) -> Refusal | None:
    if policy is None:
        return Refusal("not in the topology")
    if layer.strategies and name not in layer.strategies:
        return Refusal("not allowed in this layer")
    for guard in STRATEGY_GUARDS:
        refusal = guard(situation, name, policy)
        if refusal is not None:
            return refusal
    return None


def _why(chosen: RoutePolicy, step: int, prior: float, refused: Sequence[str]) -> str:
    text = f"route {chosen.name}, {step} of {len(chosen.strategies)}, prior {prior:.0%}"
    return f"{text}; passed over: {'; '.join(refused)}" if refused else text


def _matches(one: RoutePolicy, pattern: Pattern) -> bool:
    return (
        _within(pattern.category, one.categories)
        and _within(pattern.severity, one.severities)
        and _within(pattern.layer or DEFAULT_LAYER, one.layers)
        and _within(pattern.service, one.services)
        and _within(pattern.environment, one.environments)
        and _within(pattern.kind, one.patterns)
        and (not one.error_types or any(_named(pattern.error_type, t) for t in one.error_types))
    )


def _within(value: str, wanted: Sequence[str]) -> bool:
    return not wanted or value in wanted


def _named(error_type: str, wanted: str) -> bool:
    """Full name or the part behind the last dot; `*` and `?` stand for anything."""
    short = error_type.replace("::", ".").replace("\\", ".").rsplit(".", 1)[-1]
    return fnmatchcase(error_type, wanted) or fnmatchcase(short, wanted)
