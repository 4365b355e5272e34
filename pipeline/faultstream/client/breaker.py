"""CircuitBreaker: resilience4j's states, names and thresholds, for threads and tasks.

Differences from resilience4j, on purpose: a result counts only in the state in which its call
began; HALF_OPEN ends after `max_half_open_ms` by default instead of waiting for lost results for
ever. Ratios are 0..1.
"""

import functools
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Literal, ParamSpec, TypeVar, cast

from faultstream.client import checks, roster
from faultstream.client.checks import Exceptions, matches
from faultstream.client.circuit import Changed, Limits, Pass
from faultstream.client.held import Clock
from faultstream.client.ordered import OrderedCircuit
from faultstream.client.states import BreakerMetrics, BreakerState, CallNotPermittedError
from faultstream.client.window import FAILED, SLOW
from faultstream.client.wrap import Decorator, awaited, refuse_coroutine

__all__ = [
    "BreakerMetrics",
    "BreakerState",
    "CallNotPermittedError",
    "CircuitBreaker",
    "Exceptions",
    "Guard",
]

P = ParamSpec("P")
R = TypeVar("R")


class CircuitBreaker(OrderedCircuit, Decorator):
    """Stops calling what keeps failing. Use as a decorator, by `guard()`, `call` or `acall`."""

    def __init__(
        self,
        name: str = "",
        *,
        failure_ratio: float = 0.5,
        slow_ratio: float = 1.0,
        slow_ms: float = 60_000,
        window: Literal["count", "time"] = "count",
        window_size: int = 100,
        minimum_calls: int = 100,
        open_ms: int = 60_000,
        open_backoff: float = 1.0,
        max_open_ms: int = 600_000,
        half_open_calls: int = 10,
        max_half_open_ms: int = 60_000,
        record: Exceptions = (Exception,),
        ignore: Exceptions = (),
        record_result: Callable[[Any], bool] | None = None,
        on_change: Changed | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        """Defaults are resilience4j's, but for `max_half_open_ms`.

        `window_size` is calls or seconds. The breaker opens when, of at least `minimum_calls` in
        the window, `failure_ratio` failed or `slow_ratio` took longer than `slow_ms`. It lets
        `half_open_calls` through after `open_ms` x `open_backoff` for each time in a row, at most
        `max_open_ms`. `ignore` goes before `record`: ignored exceptions count as nothing, others
        that are not recorded as success. A group of exceptions is recorded if one of its members
        is, ignored if all are. `record_result` says of what a call returned whether that is a
        failure, such as an answer with status 503; a `guard()` cannot see it. `max_half_open_ms` 0
        waits for ever.

        Raises:
            TypeError: something of another kind.
            ValueError: a ratio outside of (0, 1], a size below 1, a negative length, a factor
                below 1, another window.
        """
        checks.name(self, name)
        for label, ratio in (("failure_ratio", failure_ratio), ("slow_ratio", slow_ratio)):
            checks.number(label, ratio, 0, 1, above=True)
        for label, size in (
            ("window_size", window_size),
            ("minimum_calls", minimum_calls),
            ("half_open_calls", half_open_calls),
        ):
            checks.number(label, size, 1, whole=True)
        for label, length in (
            ("slow_ms", slow_ms),
            ("open_ms", open_ms),
            ("max_open_ms", max_open_ms),
            ("max_half_open_ms", max_half_open_ms),
        ):
            checks.number(label, length, 0)
        checks.number("open_backoff", open_backoff, 1)
        if window not in {"count", "time"}:
            raise ValueError(f"window: expected count or time, got {window!r}")
        limits = Limits(
            failure_ratio=failure_ratio,
            slow_ratio=slow_ratio,
            slow_s=slow_ms / 1000,
            time_based=window == "time",
            window_size=window_size,
            minimum_calls=minimum_calls if window == "time" else min(minimum_calls, window_size),
            open_s=open_ms / 1000,
            open_backoff=open_backoff,
            max_open_s=max_open_ms / 1000,
            half_open_calls=half_open_calls,
            max_half_open_s=max_half_open_ms / 1000,
        )
        for label, called in (("on_change", on_change), ("record_result", record_result)):
            if called is not None:
                checks.function(label, called)
        super().__init__(name, limits, on_change, clock)
        self._record = checks.exceptions("record", record)
        self._ignore = checks.exceptions("ignore", ignore)
        self._record_result = record_result
        roster.enrol(self)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or coroutine function."""
        wrapped: Callable[..., Any]
        if awaited(self, function):
            wrapped = self._athrough(cast("Callable[P, Awaitable[Any]]", function))
        else:
            wrapped = self._through(function)
        return cast("Callable[P, R]", functools.wraps(function)(wrapped))

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function.

        Raises:
            CallNotPermittedError: the breaker is open; nothing was called.
            TypeError: a coroutine function.
        """
        refuse_coroutine(function)
        return self._through(function)(*args, **kwargs)

    async def acall(
        self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """`call` for a coroutine function."""
        return await self._athrough(function)(*args, **kwargs)

    def guard(self) -> "Guard":
        """A context manager, sync and async, for one call.

        Entering raises CallNotPermittedError; leaving records. The permit is given back on every
        way out, cancellation too.
        """
        return Guard(self)

    def fail(self, permit: int, duration_s: float, exc: BaseException) -> None:
        """The call raised: recorded as failed, recorded as success, or ignored."""
        if not isinstance(exc, Exception) or matches(exc, self._ignore, whole=True):
            self.release(permit)
        elif matches(exc, self._record):
            slow = SLOW if duration_s > self._limits.slow_s else 0
            self._ended(permit, FAILED | slow, self.clock())
        else:
            self.succeed(permit, duration_s)

    def returned(self, permit: int, duration_s: float, result: object) -> None:
        """The call returned: recorded as `record_result` says, not at all if that raises."""
        try:
            failed = self._record_result is not None and self._record_result(result)
        except BaseException:
            self.release(permit)
            raise
        if failed:
            slow = SLOW if duration_s > self._limits.slow_s else 0
            self._ended(permit, FAILED | slow, self.clock())
        else:
            self.succeed(permit, duration_s)

    def _through(self, function: Callable[P, R]) -> Callable[P, R]:
        """What calls the function; the usual call asks for no lock and calls nothing else."""
        clock, slow_s = self.clock, self._limits.slow_s
        judged = self._record_result is not None

        def through(*args: P.args, **kwargs: P.kwargs) -> R:
            passed = self._pass
            permit = self.acquire() if passed is None else passed[0]
            began = clock()
            try:
                result = function(*args, **kwargs)
            except BaseException as exc:
                self.fail(permit, clock() - began, exc)
                raise
            if judged:
                self.returned(permit, clock() - began, result)
            elif passed is None or clock() - began > slow_s:
                self.succeed(permit, clock() - began)
            else:
                passed[1]()
                if self._pass is not passed:
                    self._look(permit)
            return result

        return through

    def _athrough(self, function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        """`_through` for a coroutine function."""
        clock, slow_s = self.clock, self._limits.slow_s
        judged = self._record_result is not None

        async def through(*args: P.args, **kwargs: P.kwargs) -> R:
            passed = self._pass
            permit = self.acquire() if passed is None else passed[0]
            began = clock()
            try:
                result = await function(*args, **kwargs)
            except BaseException as exc:
                self.fail(permit, clock() - began, exc)
                raise
            if judged:
                self.returned(permit, clock() - began, result)
            elif passed is None or clock() - began > slow_s:
                self.succeed(permit, clock() - began)
            else:
                passed[1]()
                if self._pass is not passed:
                    self._look(permit)
            return result

        return through


class Guard:
    """One call through a breaker."""

    __slots__ = ("_began", "_breaker", "_pass", "_permit")

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker
        self._pass: Pass | None = None
        self._permit = 0
        self._began = 0.0

    def __enter__(self) -> None:
        breaker = self._breaker
        self._pass = passed = breaker._pass  # noqa: SLF001 - a part of it
        self._permit = breaker.acquire() if passed is None else passed[0]
        self._began = breaker.clock()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        breaker, passed = self._breaker, self._pass
        took_s = breaker.clock() - self._began
        if exc is not None:
            breaker.fail(self._permit, took_s, exc)
        elif passed is None or took_s > breaker._limits.slow_s:  # noqa: SLF001
            breaker.succeed(self._permit, took_s)
        else:
            passed[1]()
            if breaker._pass is not passed:  # noqa: SLF001
                breaker._look(self._permit)  # noqa: SLF001

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, exc, traceback)
