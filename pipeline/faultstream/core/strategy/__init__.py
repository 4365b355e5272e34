"""Strategies: the ways to recover and their typed parameters. STRATEGIES is the list.

A strategy of your own is an entry in topology.yaml plus a handler in an executor; it is not
listed here and its parameters are passed on as they are.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from faultstream.core.strategy import parameters as p

STRATEGIES: Final[dict[str, type[msgspec.Struct]]] = {
    "retry": p.Retry,
    "timeout_increase": p.TimeoutIncrease,
    "cache_clear": p.CacheClear,
    "pool_increase": p.PoolIncrease,
    "resource_scale": p.ResourceScale,
    "circuit_break": p.CircuitBreak,
    "fallback": p.Fallback,
    "queue_priority": p.QueuePriority,
    "request_throttle": p.RequestThrottle,
    "service_restart": p.ServiceRestart,
    "reconnect": p.Reconnect,
    "failover": p.Failover,
    "reset_state": p.ResetState,
    "fallback_algorithm": p.FallbackAlgorithm,
    "fallback_response": p.FallbackResponse,
    "fallback_service": p.FallbackService,
    "rollback": p.Rollback,
    "inject": p.Inject,
}
"""Parameters by strategy; one struct and one line here make a new built-in one."""

BY_HAND: Final = frozenset({"inject"})
"""What only a person may ask for: no route chooses it, and no workflow has it as a step."""


SCOPES: Final = ("operation", "dependency")
"""Parameters that limit a command to a part of a service."""


def limited(name: str, parameters: Mapping[str, Any], found: Mapping[str, str]) -> dict[str, str]:
    """What of `found` (scope to name, '' for unknown) narrows a command of the strategy `name`.

    Nothing where its `parameters` name a part already: what a person wrote stands.
    """
    if any(parameters.get(scope) for scope in SCOPES) or not scopable(name):
        return {}
    return {scope: found[scope] for scope in SCOPES if found.get(scope)}


def scopable(name: str) -> bool:
    """Whether the strategy can be limited to a part of a service; one that is not built in may."""
    kind = STRATEGIES.get(name)
    return kind is None or issubclass(kind, p.Steered)


def check(name: str, parameters: Mapping[str, Any]) -> list[str]:
    """What is wrong with `parameters` of the strategy `name`; empty when nothing is.

    Strategies that are not built in may carry anything.
    """
    kind = STRATEGIES.get(name)
    if kind is None:
        return []
    try:
        made = msgspec.convert(dict(parameters), kind)
    except msgspec.ValidationError as exc:
        return [str(exc)]
    problem = getattr(made, "problem", None)
    found: str | None = problem() if problem is not None else None
    return [found] if found else []


def complete(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """`parameters` with the defaults of the strategy `name` filled in, in a fixed order.

    Raises:
        msgspec.ValidationError: `check` would have named a problem.
    """
    kind = STRATEGIES.get(name)
    if kind is None:
        return dict(sorted(parameters.items()))
    plain: dict[str, Any] = msgspec.to_builtins(msgspec.convert(dict(parameters), kind))
    return plain
