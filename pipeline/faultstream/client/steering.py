"""Commands of the pipeline change primitives, for a time; then local control is back by itself.

A change lasts for the command's parameter `hold_ms`, else `ttl_ms` where the strategy has that for
it, else until the command expires. Its parameters
`name` (or `operation`, which is the same) and `dependency` limit it to the primitives of that name
or dependency. `rollback_of` takes a change back.
Commands never loosen a breaker or a rate: those only become stricter. The `probes` of a breaker
that a command opens are one budget for all instances that the command is for (see fleet).
"""

import fnmatch
import weakref
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final

import msgspec

from faultstream.client import checks
from faultstream.client.backoff import jittered, named
from faultstream.client.breaker import BreakerState, CircuitBreaker
from faultstream.client.bulkhead import Bulkhead
from faultstream.client.degradation import Degradation
from faultstream.client.executor import Executor
from faultstream.client.fallback import Fallback
from faultstream.client.handler import Outcome
from faultstream.client.inforce import in_force
from faultstream.client.pool import ResourcePool
from faultstream.client.retry import Retry, RetryPlan
from faultstream.client.throttle import Rate, RateLimiter
from faultstream.client.timeout import Timeout
from faultstream.core.records import RecoveryCommand

MAX_HOLD_MS: Final = 3_600_000
MAX_ATTEMPTS: Final = 10
MAX_TIMEOUT_MS: Final = 600_000
MAX_TOLD: Final = 200
"""Primitives in an answer to client_state."""
_HELD_FOR_TTL: Final = frozenset({"retry", "timeout_increase", "pool_increase", "request_throttle"})
"""Strategies whose parameter `ttl_ms` says how long they last; in `fallback` it is an age."""
REDUCED: Final = "reduced"
"""The mode of `fallback` that is for what has levels."""
_SCOPES: Final = ("name", "operation", "dependency")

Cache = MutableMapping[str, Any] | Callable[[str], object]
"""A mapping by string keys, or a function that takes the pattern of keys to forget."""


Pool = ResourcePool[Any] | Bulkhead
"""What `pool_increase` widens."""

_telling: Final[weakref.WeakSet[Executor]] = weakref.WeakSet()


def steer(
    executor: Executor,
    *,
    breaker: CircuitBreaker | Sequence[CircuitBreaker] | None = None,
    pool: Pool | Sequence[Pool] | None = None,
    timeout: Timeout | Sequence[Timeout] | None = None,
    fallback: Fallback[Any] | Degradation | Sequence[Fallback[Any] | Degradation] | None = None,
    retry: Retry | Sequence[Retry] | None = None,
    throttle: RateLimiter | Sequence[RateLimiter] | None = None,
    cache: Cache | None = None,
) -> None:
    """Register a handler for the strategy of each primitive that is given, before `start`.

    circuit_break, pool_increase, timeout_increase, fallback, retry, request_throttle, cache_clear;
    their parameters are those of topology.yaml. Besides, client_state tells what is in force.

    Raises:
        TypeError: no executor, or a primitive of another kind.
        ValueError: such a strategy has a handler, or the executor runs already.
    """
    if not isinstance(executor, Executor):
        raise TypeError(f"steer: expected an Executor, got {executor!r}")
    if cache is not None and not isinstance(cache, MutableMapping):
        checks.handler("cache_clear", cache)
    for strategy, given, change, kinds in (
        ("circuit_break", breaker, _break, (CircuitBreaker,)),
        ("pool_increase", pool, _widen, (ResourcePool, Bulkhead)),
        ("timeout_increase", timeout, _prolong, (Timeout,)),
        ("fallback", fallback, _fall_back, (Fallback, Degradation)),
        ("retry", retry, _retry, (Retry,)),
        ("request_throttle", throttle, _throttle, (RateLimiter,)),
    ):
        if given is not None:
            primitives = list(given) if isinstance(given, Sequence) else [given]
            for one in primitives:
                if not isinstance(one, kinds):
                    names = " or ".join(kind.__name__ for kind in kinds)
                    raise TypeError(f"steer, {strategy}: expected a {names}, got {one!r}")
            after = _fleet(executor) if strategy == "circuit_break" else None
            executor.handles(strategy, undoes=True)(_handler(executor, primitives, change, after))
    if cache is not None:
        executor.handles("cache_clear")(_clearer(cache))
    if executor not in _telling:
        _telling.add(executor)
        executor.handles("client_state")(_tell)


def _fleet(executor: Executor) -> Callable[[RecoveryCommand, CircuitBreaker, int], None]:
    from faultstream.client.fleet import Fleet  # noqa: PLC0415 - half of the import time

    return Fleet(executor).join


def _handler(
    executor: Executor,
    primitives: list[Any],
    change: Callable[[Any, dict[str, Any], int], str],
    after: Callable[[RecoveryCommand, Any, int], None] | None = None,
) -> Callable[[RecoveryCommand], Outcome]:
    def handle(command: RecoveryCommand) -> Outcome:
        chosen = [one for one in primitives if _meant(one, command.parameters)]
        if not chosen:
            return Outcome("not_attempted", f"nothing here has {_wanted(command.parameters)}")
        if command.rollback_of:
            for one in chosen:
                _let_go(one)
            return Outcome("success", "back to local control")
        for_ms = _length_ms(command, command.expires_at_ms - executor.now_ms())
        if not 0 < for_ms <= MAX_HOLD_MS:
            return Outcome("not_attempted", f"hold_ms: expected 1 to {MAX_HOLD_MS}, got {for_ms}")
        try:
            done = {one.name or str(at): change(one, command.parameters, for_ms)
                    for at, one in enumerate(chosen)}  # fmt: skip
        except (KeyError, TypeError, ValueError) as exc:
            return Outcome("not_attempted", f"parameters: {type(exc).__name__}: {exc}")
        if after is not None and command.target.instances != "one":
            for one in chosen:
                after(command, one, int(command.parameters.get("probes", 1)))
        refused = [text for text in done.values() if text.startswith("left alone")]
        message = "; ".join(f"{name}: {text}" for name, text in done.items())
        details = {"hold_ms": for_ms, "done": done}
        if not refused:
            return Outcome("success", message, details)
        return Outcome("partial" if len(refused) < len(done) else "not_attempted", message, details)

    return handle


def _length_ms(command: RecoveryCommand, left_ms: int) -> int:
    """How long the change is to last."""
    given = command.parameters
    if command.strategy in _HELD_FOR_TTL and "ttl_ms" in given:
        left_ms = min(int(given["ttl_ms"]), MAX_HOLD_MS)
    return int(given.get("hold_ms", left_ms))


def _meant(primitive: Any, parameters: Mapping[str, Any]) -> bool:
    """Whether a command is for this primitive; what it does not name matches everything."""
    wanted = {
        "name": primitive.name, "operation": primitive.name, "dependency": primitive.dependency
    }  # fmt: skip
    if parameters.get("mode") == REDUCED and isinstance(primitive, Fallback):
        return False  # that is for what has levels
    return all(parameters.get(scope) in (None, "", wanted[scope]) for scope in _SCOPES)


def _wanted(parameters: Mapping[str, Any]) -> str:
    """What a command is limited to, in words."""
    scope = {name: parameters.get(name) for name in _SCOPES}
    if parameters.get("mode") == REDUCED:
        scope["mode"] = REDUCED
    return ", ".join(f"{name} {given!r}" for name, given in scope.items() if given)


def _break(breaker: CircuitBreaker, parameters: dict[str, Any], for_ms: int) -> str:
    open_ms = min(int(parameters.get("open_ms", for_ms)), MAX_HOLD_MS)
    if not breaker.open_for(open_ms, probes=int(parameters.get("probes", 1))):
        return f"left alone, it is {breaker.state.value}"
    if "failure_threshold" in parameters:
        breaker.tighten(int(parameters["failure_threshold"]), max(for_ms, open_ms))
    return f"open for {open_ms} ms"


def _widen(pool: Pool, parameters: dict[str, Any], for_ms: int) -> str:
    return f"size {pool.hold(int(parameters['to_size']), for_ms)}"


def _prolong(timeout: Timeout, parameters: dict[str, Any], for_ms: int) -> str:
    limit_ms = max(timeout.limit_ms.local, min(int(parameters["to_ms"]), MAX_TIMEOUT_MS))
    timeout.limit_ms.hold(limit_ms, for_ms)
    return f"{limit_ms} ms"


def _fall_back(
    fallback: Fallback[Any] | Degradation, parameters: dict[str, Any], for_ms: int
) -> str:
    if isinstance(fallback, Degradation):
        return f"level {fallback.hold(int(parameters.get('level', 1)), for_ms)}"
    ttl_ms = parameters.get("ttl_ms")
    fallback.force(for_ms, cache_ms=None if ttl_ms is None else int(ttl_ms))
    return "answers otherwise"


def _retry(retry: Retry, parameters: dict[str, Any], for_ms: int) -> str:
    attempts = max(1, min(int(parameters.get("max_attempts", 3)), MAX_ATTEMPTS))
    delay_ms = float(parameters.get("delay_ms", 1_000))
    backoff = named(str(parameters.get("backoff", "exponential")), delay_ms)
    retry.plan.hold(RetryPlan(attempts, jittered(backoff)), for_ms)
    return f"{attempts} attempts"


def _throttle(throttle: RateLimiter, parameters: dict[str, Any], for_ms: int) -> str:
    per_minute, burst = float(parameters["per_minute"]), int(parameters.get("burst", 1))
    if per_minute <= 0 or burst < 1:
        raise ValueError("per_minute must be above 0 and burst at least 1")
    local = throttle.rate.local
    if local is not None:
        per_minute, burst = min(per_minute, local.per_minute), min(burst, local.burst)
    throttle.rate.hold(Rate(per_minute, burst), for_ms)
    return f"{per_minute:g} a minute, {burst} at once"


def _let_go(primitive: Any) -> None:
    match primitive:
        case CircuitBreaker() if primitive.state is BreakerState.OPEN:
            primitive.half_open()
        case ResourcePool() | Bulkhead() | Fallback() | Degradation():
            primitive.let_go()
        case Timeout():
            primitive.limit_ms.let_go()
        case Retry():
            primitive.plan.let_go()
        case RateLimiter():
            primitive.rate.let_go()


def _tell(_: RecoveryCommand) -> Outcome:
    """Somebody asks what is in force; nothing is changed."""
    found = msgspec.to_builtins(in_force())
    return Outcome("success", f"{len(found)} in force", {"in_force": found[:MAX_TOLD]})


def _clearer(cache: Cache) -> Callable[[RecoveryCommand], Outcome]:
    def handle(command: RecoveryCommand) -> Outcome:
        pattern = str(command.parameters.get("pattern", "*"))
        if not isinstance(cache, MutableMapping):
            cache(pattern)
            return Outcome("success", f"cleared {pattern}")
        gone = [key for key in list(cache) if fnmatch.fnmatchcase(str(key), pattern)]
        for key in gone:
            cache.pop(key, None)
        return Outcome("success", f"cleared {len(gone)} entries", {"entries": len(gone)})

    return handle
