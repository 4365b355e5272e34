"""RateLimiter: at most so many calls a minute, with a burst; a token bucket."""

import threading
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, ParamSpec, TypeVar

from faultstream.client import checks, forks, roster
from faultstream.client.held import Clock, Held
from faultstream.client.wrap import Decorator, refuse_coroutine

P = ParamSpec("P")
R = TypeVar("R")


class RequestNotPermittedError(RuntimeError):
    """The rate is used up; `retry_after_ms` is when a call is free again."""

    def __init__(self, name: str, retry_after_ms: int) -> None:
        super().__init__(f"rate limiter {name or 'unnamed'}: again in {retry_after_ms} ms")
        self.retry_after_ms = retry_after_ms


class Rate(NamedTuple):
    """Calls a minute in the long run, and at most `burst` at once."""

    per_minute: float
    burst: int


class RateLimiter(Decorator):
    """Without a rate everything passes, until a command sets one."""

    def __init__(
        self,
        name: str = "",
        *,
        per_minute: float | None = None,
        burst: int = 1,
        max_wait_ms: int = 0,
        clock: Clock = time.monotonic,
    ) -> None:
        """A call waits up to `max_wait_ms` for its turn.

        Raises:
            TypeError: something of another kind.
            ValueError: a rate that lets nothing through, or a negative wait.
        """
        checks.name(self, name)
        if per_minute is not None:
            checks.number("per_minute", per_minute, 0, above=True)
        checks.number("burst", burst, 1, whole=True)
        checks.number("max_wait_ms", max_wait_ms, 0)
        self.name = name
        local = Rate(per_minute, burst) if per_minute is not None else None
        self.rate: Held[Rate | None] = Held(local, clock)
        self._max_wait_s = max_wait_ms / 1000
        self._clock = clock
        self.after_fork()
        self._seen: Rate | None = None
        self.refused = 0
        """Calls that would have had to wait too long."""
        self._tokens = 0.0
        self._at = 0.0
        roster.enrol(self)
        forks.watch(self)

    def after_fork(self) -> None:
        """A lock of its own; each process has the whole rate."""
        self._lock = threading.Lock()

    def reserve(self, max_wait_s: float = 0.0) -> float:
        """Take a token, and say in how many seconds it is good; for callers that wait themselves.

        Raises:
            RequestNotPermittedError: that would be later than `max_wait_s`; nothing was taken.
        """
        rate = self.rate.get()
        if rate is None:
            return 0.0
        with self._lock:
            now = self._clock()
            if rate != self._seen:
                self._seen, self._tokens, self._at = rate, float(rate.burst), now
            gained = (now - self._at) * rate.per_minute / 60
            self._tokens = min(float(rate.burst), self._tokens + gained)
            self._at = now
            wait_s = max(0.0, (1 - self._tokens) * 60 / rate.per_minute)
            if wait_s > max_wait_s:
                self.refused += 1
                raise RequestNotPermittedError(self.name, max(1, round(wait_s * 1000)))
            self._tokens -= 1
            return wait_s

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function when its turn comes.

        Raises:
            RequestNotPermittedError: that would take too long; nothing was called.
            TypeError: a coroutine function.
        """
        refuse_coroutine(function)
        wait_s = self.reserve(self._max_wait_s)
        if wait_s:
            time.sleep(wait_s)
        return function(*args, **kwargs)

    async def acall(
        self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """`call` for a coroutine function; a cancelled wait gives its token back."""
        wait_s = self.reserve(self._max_wait_s)
        if wait_s:
            import asyncio  # noqa: PLC0415 - half of the import time

            try:
                await asyncio.sleep(wait_s)
            except BaseException:
                with self._lock:
                    self._tokens += 1
                raise
        return await function(*args, **kwargs)
