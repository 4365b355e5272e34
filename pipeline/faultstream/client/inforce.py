"""What is in force in this process: each primitive's state, and what a command holds elsewhere."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from faultstream.client import lifetime, roster
from faultstream.client.breaker import CircuitBreaker
from faultstream.client.bulkhead import Bulkhead
from faultstream.client.degradation import LEVELS, Degradation
from faultstream.client.fallback import Fallback
from faultstream.client.held import Held
from faultstream.client.pool import ResourcePool
from faultstream.client.reporter import Reporter
from faultstream.client.retry import Retry, RetryPlan
from faultstream.client.throttle import Rate, RateLimiter
from faultstream.client.timeout import Timeout

Kind = Literal[
    "breaker",
    "timeout",
    "retry",
    "throttle",
    "bulkhead",
    "fallback",
    "pool",
    "degradation",
    "sampling",
]


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """One primitive. `state` is in force; `local` is what the application set.

    `held` says that a command keeps it elsewhere, for `left_ms` more. `figures` are numbers of the
    kind, such as `failure_ratio` of a breaker (0..1); `counts` are calls since the start by how
    they ended.
    """

    kind: Kind
    name: str
    dependency: str = ""
    state: str
    local: str
    held: bool = False
    left_ms: int = 0
    figures: Mapping[str, float] = {}
    counts: Mapping[str, int] = {}


def in_force() -> list[InForce]:
    """Every primitive of this process that somebody uses, and the sampling of reporters.

    By kind and name.
    """
    found = [_look(one) for one in roster.primitives()]
    for reporter in lifetime.alive():
        if isinstance(reporter, Reporter):
            found += [_sampling(reporter.service, rule) for rule in reporter.sampling()]
    return sorted(found, key=lambda one: (one.kind, one.name, one.dependency, one.state))


def _look(one: Any) -> InForce:  # noqa: PLR0911 - one line a kind
    match one:
        case CircuitBreaker():
            return _breaker(one)
        case Timeout():
            counts = {"exceeded": one.exceeded}
            return _held(one, "timeout", one.limit_ms, lambda ms: f"{ms} ms", counts=counts)
        case Retry():
            return _held(one, "retry", one.plan, _plan, counts=dict(one.counts))
        case RateLimiter():
            return _held(one, "throttle", one.rate, _rate, counts={"refused": one.refused})
        case Fallback():
            shown = {True: "answers otherwise", False: "stands by"}
            figures = {"answers": float(one.answers)}
            counts = {"answered": one.answers}
            return _held(
                one, "fallback", one.forced, shown.__getitem__, figures=figures, counts=counts
            )
        case Bulkhead():
            figures = {"available": float(one.available), "waiting": float(one.waiting)}
            counts = {"refused": one.refused}
            shown_calls = "{} calls".format
            return _held(one, "bulkhead", one.limit, shown_calls, figures=figures, counts=counts)
        case ResourcePool():
            figures = {name: float(value) for name, value in one.stats()._asdict().items()}
            return _held(one, "pool", one.limit, lambda size: f"size {size}", figures=figures)
        case Degradation():
            return InForce(
                kind="degradation",
                name=one.name,
                dependency=one.dependency,
                state=f"level {one.level}, {LEVELS[one.level]}",
                local=f"level {one.local}, {LEVELS[one.local]}",
                held=one.left_ms > 0,
                left_ms=one.left_ms,
                figures={"level": float(one.level)},
            )
    raise TypeError(f"no primitive: {type(one).__name__}")


def _sampling(service: str, rule: Any) -> InForce:
    about = rule.fingerprint or rule.error_type or "every error"
    return InForce(
        kind="sampling",
        name=service,
        state=f"{about}: the first {rule.first}, then a share of {rule.ratio:g}",
        local="every error",
        held=True,
        figures={"ratio": rule.ratio},
    )


def _breaker(one: CircuitBreaker) -> InForce:
    seen = one.metrics()
    return InForce(
        kind="breaker",
        name=one.name,
        dependency=one.dependency,
        state=seen.state.value,
        local="closed" if one.held_ms else seen.state.value,
        held=one.held_ms > 0,
        left_ms=one.held_ms,
        figures={name: float(value) for name, value in seen._asdict().items() if name != "state"},
        counts={"not_permitted": seen.not_permitted},
    )


def _held(
    one: Any,
    kind: Kind,
    held: Held[Any],
    text: Any,
    *,
    figures: Mapping[str, float] | None = None,
    counts: Mapping[str, int] | None = None,
) -> InForce:
    left_ms = held.left_ms
    return InForce(
        kind=kind,
        name=one.name,
        dependency=one.dependency,
        state=text(held.get()),
        local=text(held.local),
        held=left_ms > 0,
        left_ms=left_ms,
        figures=figures or {},
        counts=counts or {},
    )


def _plan(plan: RetryPlan) -> str:
    return f"{plan.max_attempts} attempts"


def _rate(rate: Rate | None) -> str:
    return "no limit" if rate is None else f"{rate.per_minute:g} a minute, {rate.burst} at once"
