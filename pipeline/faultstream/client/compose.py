"""All primitives around one function, in the one order that does what people expect.

Fallback(Retry(CircuitBreaker(Timeout(Bulkhead(function))))), with the rate limit just inside the
retry: a fallback inside would hide failures from the retry, a retry inside would hide them from
the breaker.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, ParamSpec, TypeVar

from faultstream.client.backoff import Backoff, exponential, jittered, named
from faultstream.client.breaker import CircuitBreaker
from faultstream.client.bulkhead import Bulkhead
from faultstream.client.executor import Executor
from faultstream.client.fallback import Fallback
from faultstream.client.retry import Retry
from faultstream.client.steering import steer
from faultstream.client.throttle import RateLimiter
from faultstream.client.timeout import AdaptiveTimeout, Timeout

P = ParamSpec("P")
R = TypeVar("R")


def resilient(
    *,
    fallback: Fallback[Any] | None = None,
    retry: Retry | None = None,
    throttle: RateLimiter | None = None,
    breaker: CircuitBreaker | None = None,
    timeout: Timeout | None = None,
    bulkhead: Bulkhead | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator for functions and coroutine functions; what is left out is not there."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        for layer in (bulkhead, timeout, breaker, throttle, retry, fallback):
            if layer is not None:
                function = layer(function)
        return function

    return decorate


class Operation:
    """The primitives of one operation, and a decorator that puts them around its function."""

    def __init__(
        self,
        name: str,
        *,
        fallback: Fallback[Any] | None = None,
        retry: Retry | None = None,
        throttle: RateLimiter | None = None,
        breaker: CircuitBreaker | None = None,
        timeout: Timeout | None = None,
        bulkhead: Bulkhead | None = None,
        dependency: str = "",
    ) -> None:
        """`dependency` is what the operation calls; commands may be meant for it alone."""
        self.name = name
        self.dependency = dependency
        self.fallback = fallback
        self.retry = retry
        self.throttle = throttle
        self.breaker = breaker
        self.timeout = timeout
        self.bulkhead = bulkhead
        if dependency:
            for one in (fallback, retry, throttle, breaker, timeout, bulkhead):
                if one is not None:
                    one.dependency = dependency

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or coroutine function."""
        return resilient(
            fallback=self.fallback,
            retry=self.retry,
            throttle=self.throttle,
            breaker=self.breaker,
            timeout=self.timeout,
            bulkhead=self.bulkhead,
        )(function)


class Operations(dict[str, Operation]):
    """Operations by name."""

    def steer(self, executor: Executor) -> None:
        """Let commands change them all; a command's `name` picks those of one operation."""

        def given(kind: str) -> Any:
            return [one for each in self.values() if (one := getattr(each, kind)) is not None]

        kinds = ("breaker", "timeout", "fallback", "retry", "throttle")
        steer(executor, **{kind: found for kind in kinds if (found := given(kind))})


def operations(
    config: Mapping[str, Mapping[str, Any]],
    *,
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> Operations:
    """Operations from what a YAML or JSON file says of them.

        charge:
          dependency: stripe
          retry: {max_attempts: 3, backoff: fibonacci, delay_ms: 200}
          breaker: {window_size: 20, minimum_calls: 10}
          timeout: {ms: 2000}                 # or {adaptive: true, min_ms: 50, max_ms: 5000}
          bulkhead: {max_concurrent_calls: 10}
          throttle: {per_minute: 600, burst: 20}
          fallback: {use: [from_cache], value: null, cache_ms: 60000}

    The settings are those of the classes; each primitive is called like its operation. `use` names
    `functions`; `value` is a fixed answer after them. Order in the file means nothing.

    Raises:
        ValueError: something unknown or out of bounds; the message begins with its path.
    """
    made = Operations()
    for name, parts in config.items():
        built: dict[str, Any] = {}
        for part, settings in parts.items():
            if part == "dependency":
                if not isinstance(settings, str):
                    raise ValueError(f"{name}.dependency: expected a name, got {settings!r}")
            elif part in _PARTS:
                built[part] = _built(name, part, settings, functions or {})
            else:
                raise ValueError(
                    f"{name}.{part}: expected one of {', '.join(_PARTS)}, dependency"
                    f"{_near(part, [*_PARTS, 'dependency'])}"
                )
        made[name] = Operation(name, dependency=str(parts.get("dependency", "")), **built)
    return made


_Functions = Mapping[str, Callable[..., Any]]


def _built(name: str, part: str, settings: Any, functions: _Functions) -> object:
    """One primitive of one operation.

    Raises:
        ValueError: with the path of what is wrong.
    """
    path = f"{name}.{part}"
    if not isinstance(settings, Mapping):
        raise ValueError(f"{path}: expected settings, got {settings!r}")  # noqa: TRY004
    known = _settings(part, adaptive=bool(settings.get("adaptive")))
    for given in settings:
        if given not in known:
            expected = ", ".join(known)
            near = _near(str(given), known)
            raise ValueError(f"{path}.{given}: expected one of {expected}{near}")
    for needed, required in known.items():
        if required and needed not in settings:
            raise ValueError(f"{path}.{needed}: is missing")
    try:
        return _PARTS[part](name, dict(settings), functions)
    except (TypeError, ValueError) as exc:
        text = str(exc)
        inside = text.partition(":")[0] in settings
        raise ValueError(f"{path}{'.' if inside else ': '}{text}") from exc


def _settings(part: str, *, adaptive: bool) -> dict[str, bool]:
    """What may be said of a primitive, and whether it must be."""
    kind = AdaptiveTimeout if part == "timeout" and adaptive else _KINDS[part]
    found = {
        name: one.default is one.empty
        for name, one in inspect.signature(kind).parameters.items()
        if name not in {"name", "alternatives"}
    }
    return {**found, **dict.fromkeys(_EXTRA.get(part, ()), False)}


def _near(name: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415 - import time, and only for mistakes

    found = difflib.get_close_matches(name, [*known], n=1)
    return f". Did you mean {found[0]}?" if found else ""


def _fallback(name: str, settings: dict[str, Any], functions: _Functions) -> Fallback[Any]:
    chosen = []
    for used in settings.pop("use", ()):
        if used not in functions:
            raise ValueError(f"use: no function is called {used!r}")
        chosen.append(functions[used])
    if "value" in settings:
        value = settings.pop("value")
        chosen.append(lambda *_, **__: value)
    return Fallback(*chosen, name=name, **settings)


def _retry(name: str, settings: dict[str, Any], _: _Functions) -> Retry:
    delay_ms = float(settings.pop("delay_ms", 500))
    kind = settings.pop("backoff", None)
    backoff: Backoff = named(str(kind), delay_ms) if kind else exponential(delay_ms)
    jitter = float(settings.pop("jitter_ratio", 0.5))
    return Retry(name, backoff=jittered(backoff, jitter) if jitter else backoff, **settings)


def _timeout(name: str, settings: dict[str, Any], _: _Functions) -> Timeout:
    if settings.pop("adaptive", False):
        return AdaptiveTimeout(name=name, **settings)
    return Timeout(name=name, **settings)


_PARTS: Final[dict[str, Callable[[str, dict[str, Any], _Functions], object]]] = {
    "fallback": _fallback,
    "retry": _retry,
    "throttle": lambda name, settings, _: RateLimiter(name, **settings),
    "breaker": lambda name, settings, _: CircuitBreaker(name, **settings),
    "timeout": _timeout,
    "bulkhead": lambda name, settings, _: Bulkhead(name, **settings),
}
_KINDS: Final[dict[str, Callable[..., object]]] = {
    "fallback": Fallback,
    "retry": Retry,
    "throttle": RateLimiter,
    "breaker": CircuitBreaker,
    "timeout": Timeout,
    "bulkhead": Bulkhead,
}
_EXTRA: Final = {
    "fallback": ("use", "value"),
    "retry": ("delay_ms", "jitter_ratio"),
    "timeout": ("adaptive",),
}
"""Settings that no argument is called like."""
