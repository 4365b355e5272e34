"""Timeout: how long a call may take."""

import contextvars
import math
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from faultstream.client import checks, forks, roster
from faultstream.client.held import Clock, Held
from faultstream.client.wrap import Decorator, refuse_coroutine

P = ParamSpec("P")
R = TypeVar("R")


class CallTimeoutError(TimeoutError):
    """The call took longer than it may."""


class Timeout(Decorator):
    """A limit that the application sets and a command may hold elsewhere.

    Tasks are cancelled at the limit. A synchronous call runs in a thread and is left to itself at
    the limit, because Python cannot end it; where the call takes a timeout of its own, hand
    it `seconds` instead.
    """

    def __init__(self, ms: int, *, name: str = "", clock: Clock = time.monotonic) -> None:
        """The limit in milliseconds.

        Raises:
            TypeError: something of another kind.
            ValueError: below 1 ms.
        """
        if callable(ms):
            checks.name(self, ms)
        checks.number("ms", ms, 1)
        checks.name(self, name)
        self.name = name
        self.limit_ms = Held(ms, clock)
        self.exceeded = 0
        """Calls that took too long."""
        roster.enrol(self)

    @property
    def seconds(self) -> float:
        """The limit now, for libraries that take one."""
        return self.limit_ms.get() / 1000

    async def acall(
        self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call a coroutine function.

        Raises:
            CallTimeoutError: it was cancelled at the limit.
        """
        import asyncio  # noqa: PLC0415 - half of the import time

        limit = asyncio.timeout(self.seconds)
        try:
            async with limit:
                return await function(*args, **kwargs)
        except TimeoutError as exc:
            if limit.expired():
                raise self._too_long() from exc
            raise

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in a thread, with the context variables of here.

        Raises:
            CallTimeoutError: it goes on behind our back.
            TypeError: a coroutine function.
        """
        refuse_coroutine(function)
        done = threading.Event()
        outcome: list[Any] = []
        context = contextvars.copy_context()

        def run() -> None:
            try:
                outcome.extend((True, context.run(function, *args, **kwargs)))
            except BaseException as exc:  # noqa: BLE001 - raised again in the caller
                outcome.extend((False, exc))
            finally:
                done.set()

        threading.Thread(target=run, name=f"timeout {self.name}", daemon=True).start()
        if not done.wait(self.seconds):
            raise self._too_long()
        worked, value = outcome
        if not worked:
            raise value
        result: R = value
        return result

    def _too_long(self) -> CallTimeoutError:
        self.exceeded += 1
        return CallTimeoutError(f"timeout {self.name or 'unnamed'}: {self.limit_ms.get()} ms")


class AdaptiveTimeout(Timeout):
    """A limit that follows how long calls take: `factor` x their `quantile`, within bounds.

    Until `minimum_calls` have worked it is `max_ms`. A call that ran into the limit counts as one
    that took that long, so that the limit grows when all calls become slower. Other failures do
    not count. A command's hold goes before what was learned.
    """

    def __init__(
        self,
        *,
        min_ms: int = 50,
        max_ms: int = 10_000,
        factor: float = 2.0,
        quantile: float = 0.99,
        window_size: int = 100,
        minimum_calls: int = 20,
        name: str = "",
        clock: Clock = time.monotonic,
    ) -> None:
        """Keeps the lengths of the last `window_size` calls.

        Raises:
            TypeError: something of another kind.
            ValueError: bounds that cannot be met.
        """
        checks.number("max_ms", max_ms, 1)
        checks.number("min_ms", min_ms, 1, max_ms)
        checks.number("quantile", quantile, 0, 1, above=True)
        checks.number("factor", factor, 1)
        checks.number("window_size", window_size, 1, whole=True)
        checks.number("minimum_calls", minimum_calls, 1, window_size, whole=True)
        super().__init__(max_ms, name=name, clock=clock)
        self._bounds = (min_ms, max_ms)
        self._factor = factor
        self._quantile = quantile
        self._minimum = minimum_calls
        self._clock = clock
        self._lengths: deque[float] = deque(maxlen=window_size)
        self.after_fork()
        forks.watch(self)

    def after_fork(self) -> None:
        """A lock of its own; what was learned stays."""
        self._lock = threading.Lock()

    async def acall(
        self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call a coroutine function; see Timeout."""
        began = self._clock()
        try:
            result = await super().acall(function, *args, **kwargs)
        except CallTimeoutError:
            self.took(self.seconds * 1000)
            raise
        self.took((self._clock() - began) * 1000)
        return result

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in a thread; see Timeout."""
        began = self._clock()
        try:
            result = super().call(function, *args, **kwargs)
        except CallTimeoutError:
            self.took(self.seconds * 1000)
            raise
        self.took((self._clock() - began) * 1000)
        return result

    def took(self, ms: float) -> None:
        """A call took so long; for calls that use `seconds` and do not go through here."""
        low, high = self._bounds
        with self._lock:
            self._lengths.append(ms)
            if len(self._lengths) < self._minimum:
                return
            at = math.ceil(self._quantile * len(self._lengths)) - 1
            usual = sorted(self._lengths)[at]
            self.limit_ms.local = max(low, min(high, math.ceil(usual * self._factor)))
