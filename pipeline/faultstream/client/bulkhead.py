"""Bulkhead: at most so many calls at a time, so that one slow dependency cannot take everything."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import ParamSpec, TypeVar

from faultstream.client import checks, roster
from faultstream.client.held import Clock, Held
from faultstream.client.permits import Permits
from faultstream.client.wrap import Decorator, refuse_coroutine

P = ParamSpec("P")
R = TypeVar("R")


class BulkheadFullError(RuntimeError):
    """No permit within the waiting time; nothing was called."""


class Bulkhead(Decorator):
    """Threads and tasks share the permits, first come, first served."""

    def __init__(
        self,
        name: str = "",
        *,
        max_concurrent_calls: int = 25,
        max_wait_ms: int = 0,
        max_held_calls: int = 100,
        clock: Clock = time.monotonic,
    ) -> None:
        """Defaults are resilience4j's. `max_held_calls` bounds what commands may ask for.

        Raises:
            TypeError: something of another kind.
            ValueError: below 1 call, or a negative wait.
        """
        checks.name(self, name)
        checks.number("max_concurrent_calls", max_concurrent_calls, 1, whole=True)
        checks.number("max_wait_ms", max_wait_ms, 0)
        checks.number("max_held_calls", max_held_calls, 1, whole=True)
        self.name = name
        self.max_held_calls = max_held_calls
        self._wait_s = max_wait_ms / 1000
        self.limit = Held(max_concurrent_calls, clock)
        self._permits = Permits(self.limit)
        self.refused = 0
        """Calls that got no permit."""
        roster.enrol(self)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """One call. Entering raises BulkheadFullError."""
        if not self._permits.acquire(self._wait_s):
            raise self._full()
        life = self._permits.life
        try:
            yield
        finally:
            self._permits.release(life)

    @asynccontextmanager
    async def aguard(self) -> AsyncIterator[None]:
        """`guard` for tasks."""
        if not await self._permits.aacquire(self._wait_s):
            raise self._full()
        life = self._permits.life
        try:
            yield
        finally:
            self._permits.release(life)

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function.

        Raises:
            BulkheadFullError: too many calls are under way.
            TypeError: a coroutine function.
        """
        refuse_coroutine(function)
        with self.guard():
            return function(*args, **kwargs)

    async def acall(
        self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """`call` for a coroutine function."""
        async with self.aguard():
            return await function(*args, **kwargs)

    def change(self, max_concurrent_calls: int) -> None:
        """Another limit from now on; calls beyond a smaller one end as they are."""
        self.limit.local = max(1, max_concurrent_calls)
        self._permits.changed()

    def hold(self, calls: int, for_ms: int) -> int:
        """At least so many calls at a time for that long, at most `max_held_calls` unless the
        application set more; the limit that is in force."""
        held = max(self.limit.local, min(calls, self.max_held_calls))
        self.limit.hold(held, for_ms)
        self._permits.changed()
        return held

    def let_go(self) -> None:
        """End what `hold` began; calls beyond the limit end as they are."""
        self.limit.let_go()

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn."""
        return self._permits.waiting

    @property
    def available(self) -> int:
        """Calls that could begin now."""
        return max(0, self.limit.get() - self._permits.out)

    def _full(self) -> BulkheadFullError:
        self.refused += 1
        name = self.name or "unnamed"
        return BulkheadFullError(f"bulkhead {name}: {self.limit.get()} calls are under way")
