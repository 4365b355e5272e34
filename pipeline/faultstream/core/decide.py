"""Decide: which strategy is tried next, or why none is.

Routes are asked in order, the first match wins. Its strategies are asked in the order of what was
drawn from what is believed of them (see learn), until enough is known in the route's own order:
one that was tried, does not apply or is refused by a guard is passed over. One that may run by
itself is preferred; only when none is left is a person asked to approve one.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final, Literal

import msgspec

from faultstream.core import learn
from faultstream.core.guards import (
    ASK_AGAIN_MS,
    CHOSEN,
    STRATEGY_GUARDS,
    TARGET_GUARDS,
    Refusal,
    Situation,
    danger_of,
)
from faultstream.core.incident import Wanted
from faultstream.core.policy import LayerPolicy, RoutePolicy, StrategyPolicy, Topology
from faultstream.core.records import Pattern

DEFAULT_LAYER = "service"
"""The layer of services for which nobody named one."""
_SHOWN_ARMS: Final = 4


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """command: issue `strategy`. hold: nothing before `until_ms`. approve: ask a person for
    `strategy`. escalate: hand over to a person."""

    action: Literal["command", "hold", "approve", "escalate"]
    reason: str
    strategy: str = ""
    until_ms: int = 0
    route: str = ""


class _Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Strategies in the order in which they are asked, and why in that order."""

    route: str
    strategies: tuple[str, ...]
    why: str


def route(topology: Topology, pattern: Pattern) -> RoutePolicy | None:
    """The first route that matches."""
    for one in topology.routes:
        if _matches(one, pattern):
            return one
    return None


def layer_of(topology: Topology, layer: str) -> LayerPolicy | None:
    """The policy of a layer; '' means the default one; None if it is not in the topology."""
    return topology.layers.get(layer or DEFAULT_LAYER)


def decide(situation: Situation, wanted: Wanted | None = None) -> Decision:
    """What to do next about an incident. Pure: the same situation gives the same decision.

    `wanted`: what a person asked for, which counts as their approval; the reason names them.
    """
    decision = _decided(situation, wanted)
    if wanted is None:
        return decision
    by = f"asked for by {wanted.by}"
    if decision.action != "command":
        reason = f"{wanted.strategy or 'recovery'} {by}, but {decision.reason}"
    elif wanted.strategy:
        return decision
    else:
        reason = f"{by}; {decision.reason}"
    return msgspec.structs.replace(decision, reason=reason)


def _decided(situation: Situation, wanted: Wanted | None) -> Decision:
    topology = situation.topology
    layer = layer_of(topology, situation.layer)
    if layer is None and wanted is None:
        known = ", ".join(sorted(topology.layers))
        return Decision(
            action="escalate",
            reason=f"layer {situation.layer!r} is not in the topology ({known}): a person decides",
        )
    for guard in TARGET_GUARDS:
        refusal = guard(situation)
        if refusal is not None:
            return _refused(situation, refusal)
    chosen = _asked(topology, wanted) if wanted and wanted.strategy else _routed(situation)
    if chosen is None:
        return Decision(action="escalate", reason="no route matches")
    if situation.approved in chosen.strategies:
        rest = tuple(name for name in chosen.strategies if name != situation.approved)
        chosen = msgspec.structs.replace(chosen, strategies=(situation.approved, *rest))
    return _choose(situation, layer, chosen, wanted)


def _refused(situation: Situation, refusal: Refusal) -> Decision:
    if refusal.until_ms is not None:
        return Decision(action="hold", reason=refusal.reason, until_ms=refusal.until_ms)
    if situation.preventive:
        return _later(situation, refusal.reason)
    return Decision(action="escalate", reason=refusal.reason)


def _later(situation: Situation, reason: str) -> Decision:
    """Nobody is called for what has not happened."""
    until_ms = situation.now_ms + 60 * ASK_AGAIN_MS
    return Decision(action="hold", reason=f"only predicted: {reason}", until_ms=until_ms)


def _asked(topology: Topology, wanted: Wanted) -> _Choice | None:
    if wanted.strategy not in topology.strategies:
        return None
    return _Choice(route="", strategies=(wanted.strategy,), why=f"asked for by {wanted.by}")


def _routed(situation: Situation) -> _Choice | None:
    found = route(situation.topology, situation.pattern)
    if found is None:
        return None
    policies = situation.topology.strategies
    arms = [(name, policies[name].prior) for name in found.strategies if name in policies]
    ranked = learn.ranked(
        situation.topology.learning,
        situation.state.beliefs,
        (found.name, situation.pattern.error_type),
        arms,
        (situation.case.incident.incident_id, situation.case.runs),
        situation.now_ms,
    )
    if ranked is None:
        return _Choice(
            route=found.name, strategies=found.strategies, why=f"route {found.name} in its order"
        )
    shown = "; ".join(str(one) for one in ranked[:_SHOWN_ARMS])
    return _Choice(
        route=found.name,
        strategies=tuple(one.strategy for one in ranked),
        why=f"route {found.name} by verified outcomes: {shown}",
    )


def _choose(
    situation: Situation, layer: LayerPolicy | None, chosen: _Choice, wanted: Wanted | None
) -> Decision:
    refused: list[str] = []
    waits: list[int] = []
    asks: list[tuple[str, str]] = []
    for step, name in enumerate(chosen.strategies, 1):
        policy = situation.topology.strategies.get(name)
        refusal = _refusal(situation, layer, name, policy, wanted)
        if policy is None or refusal is not None:
            refused.append(f"{name}: {refusal.reason if refusal else 'unknown'}")
            waits += [refusal.until_ms] if refusal and refusal.until_ms is not None else []
            continue
        why = _why(chosen, step, policy.prior, refused)
        if situation.approved == name or wanted is not None:
            return Decision(action="command", strategy=name, reason=why, route=chosen.route)
        if layer is not None and not layer.automatic:
            asks.append((name, f"{why}; this layer is not recovered automatically"))
        elif danger_of(situation.topology, policy) == "high":
            asks.append((name, f"{why}; its danger is high"))
        else:
            return Decision(action="command", strategy=name, reason=why, route=chosen.route)
    if asks and not situation.approved and not situation.preventive:
        name, why = asks[0]
        return Decision(action="approve", strategy=name, reason=why, route=chosen.route)
    reason = "; ".join(refused) or "no strategy is left"
    if waits:
        return Decision(action="hold", reason=reason, until_ms=min(waits))
    if situation.preventive:
        return _later(situation, reason)
    return Decision(action="escalate", reason=reason)


def _refusal(
    situation: Situation,
    layer: LayerPolicy | None,
    name: str,
    policy: StrategyPolicy | None,
    wanted: Wanted | None,
) -> Refusal | None:
    if policy is None:
        return Refusal("not in the topology")
    if layer is not None and layer.strategies and name not in layer.strategies:
        return Refusal("not allowed in this layer")
    named = wanted is not None and bool(wanted.strategy)
    for guard in STRATEGY_GUARDS:
        refusal = None if named and guard in CHOSEN else guard(situation, name, policy)
        if refusal is not None:
            return refusal
    return None


def _why(chosen: _Choice, step: int, prior: float, refused: Sequence[str]) -> str:
    text = chosen.why
    if len(chosen.strategies) > 1:
        text += f", {step} of {len(chosen.strategies)}, prior {prior:.0%}"
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
