"""All primitives around one function, in the one order that does what people expect.

Fallback(Retry(CircuitBreaker(Timeout(Bulkhead(function))))), with the rate limit just inside the
retry: a fallback inside would hide failures from the retry, a retry inside would hide them from
the breaker.
"""

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, ParamSpec, TypeVar

from faultstream.client import checks
from faultstream.client.backoff import Backoff, exponential, jittered, named
from faultstream.client.breaker import CircuitBreaker
from faultstream.client.bulkhead import Bulkhead
from faultstream.client.executor import Executor
from faultstream.client.fallback import Fallback
from faultstream.client.retry import Retry
from faultstream.client.steering import Cache, Pool, steer
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
    """A decorator for functions and coroutine functions; what is left out is not there.

    Raises:
        TypeError: a primitive of another kind.
    """
    layers = {
        "bulkhead": bulkhead,
        "timeout": timeout,
        "breaker": breaker,
        "throttle": throttle,
        "retry": retry,
        "fallback": fallback,
    }
    for label, layer in layers.items():
        _kind(label, layer)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        for layer in layers.values():
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
        """`dependency` is what the operation calls; commands may be meant for it alone.

        Raises:
            TypeError: a primitive of another kind.
        """
        checks.name(self, name)
        checks.text("dependency", dependency)
        self.name = name
        self.dependency = dependency
        self.fallback = fallback
        self.retry = retry
        self.throttle = throttle
        self.breaker = breaker
        self.timeout = timeout
        self.bulkhead = bulkhead
        for kind in _KINDS:
            one = getattr(self, kind)
            _kind(kind, one)
            if one is not None and dependency:
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

    def steer(
        self, executor: Executor, *, pool: Pool | Sequence[Pool] = (), cache: Cache | None = None
    ) -> None:
        """Let commands change them all; a command's `name` picks those of one operation.

        `pool` and `cache` are what `steer` takes besides; the operations' bulkheads are pools.
        """

        def given(kind: str) -> Any:
            return [one for each in self.values() if (one := getattr(each, kind)) is not None]

        kinds = ("breaker", "timeout", "fallback", "retry", "throttle")
        pools = [*(pool if isinstance(pool, Sequence) else [pool]), *given("bulkhead")]
        chosen = {kind: found for kind in kinds if (found := given(kind))}
        steer(executor, **chosen, pool=pools or None, cache=cache)


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
    `functions`; `value` is a fixed answer after them. Exceptions are named too: ConnectionError,
    `requests.exceptions.Timeout`, or one of `functions`. Order in the file means nothing.

    Raises:
        ValueError: something unknown or out of bounds; the message begins with its path.
    """
    made = Operations()
    if not isinstance(config, Mapping):
        raise ValueError(f"operations: expected operations by name, got {config!r}")  # noqa: TRY004
    for name, parts in config.items():
        if not isinstance(parts, Mapping):
            raise ValueError(f"{name}: expected its primitives, got {parts!r}")  # noqa: TRY004
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
        return _PARTS[part](name, _named(settings, functions), functions)
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
        if name not in {"name", "alternatives", "clock", "sleep", "asleep"}
    }
    return {**found, **dict.fromkeys(_EXTRA.get(part, ()), False)}


def _kind(label: str, primitive: object) -> None:
    if primitive is not None and not isinstance(primitive, _KINDS[label]):
        wanted = _KINDS[label].__name__
        raise TypeError(f"{label}: expected a {wanted}, got {primitive!r}")


def _near(name: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415 - import time, and only for mistakes

    found = difflib.get_close_matches(name, [*known], n=1)
    return f". Did you mean {found[0]}?" if found else ""


def _fallback(name: str, settings: dict[str, Any], functions: _Functions) -> Fallback[Any]:
    uses = settings.pop("use", ())
    if not isinstance(uses, list | tuple):
        raise ValueError(f"use: expected a list of names of functions, got {uses!r}")  # noqa: TRY004
    chosen = [_function("use", used, functions) for used in uses]
    if "value" in settings:
        value = settings.pop("value")
        chosen.append(lambda *_, **__: value)
    return Fallback(*chosen, name=name, **settings)


def _retry(name: str, settings: dict[str, Any], _: _Functions) -> Retry:
    delay_ms = _number(settings, "delay_ms", 500)
    kind = settings.pop("backoff", None)
    backoff: Backoff = named(str(kind), delay_ms) if kind else exponential(delay_ms)
    jitter = _number(settings, "jitter_ratio", 0.5)
    return Retry(name, backoff=jittered(backoff, jitter) if jitter else backoff, **settings)


def _named(settings: Mapping[str, Any], functions: _Functions) -> dict[str, Any]:
    """The settings, with classes of exceptions and functions in the place of their names."""
    found = dict(settings)
    for label in _CLASSES.intersection(found):
        names = found[label] if isinstance(found[label], list | tuple) else [found[label]]
        found[label] = tuple(_exception(label, one, functions) for one in names)
    for label in _CALLED.intersection(found):
        if isinstance(found[label], str):
            found[label] = _function(label, found[label], functions)
    return found


def _function(label: str, name: object, functions: _Functions) -> Callable[..., Any]:
    if name not in functions:
        raise ValueError(f"{label}: no function is called {name!r}{_near(str(name), functions)}")
    return functions[str(name)]


def _exception(label: str, name: Any, functions: _Functions) -> Any:
    """A class by its name: one of Python's own, of `functions`, or with its module."""
    if not isinstance(name, str):
        return name
    module, _, last = name.rpartition(".")
    found: Any = functions.get(name)
    if found is None:
        try:
            found = getattr(importlib.import_module(module or "builtins"), last)
        except (ImportError, AttributeError, ValueError):
            raise ValueError(f"{label}: no class of exceptions is called {name!r}") from None
    return found


def _number(settings: dict[str, Any], label: str, otherwise: float) -> float:
    value = settings.pop(label, otherwise)
    checks.number(label, value, 0)
    return float(value)


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
_KINDS: Final[dict[str, type]] = {
    "fallback": Fallback,
    "retry": Retry,
    "throttle": RateLimiter,
    "breaker": CircuitBreaker,
    "timeout": Timeout,
    "bulkhead": Bulkhead,
}
_CLASSES: Final = frozenset({"retry_on", "ignore", "record", "on"})
_CALLED: Final = frozenset({"on_change", "record_result", "retry_on_result"})
_EXTRA: Final = {
    "fallback": ("use", "value"),
    "retry": ("delay_ms", "jitter_ratio"),
    "timeout": ("adaptive",),
}
"""Settings that no argument is called like."""
