"""Retry: try again what may pass by itself."""

import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, ParamSpec, TypeVar

from faultstream.client import checks, roster
from faultstream.client.backoff import Backoff, exponential, jittered
from faultstream.client.bulkhead import BulkheadFullError
from faultstream.client.checks import Exceptions, matches
from faultstream.client.held import Clock, Held
from faultstream.client.states import CallNotPermittedError
from faultstream.client.throttle import RequestNotPermittedError
from faultstream.client.wrap import Decorator, refuse_coroutine

P = ParamSpec("P")
R = TypeVar("R")


class RetryPlan(NamedTuple):
    """`max_attempts` counts the first one too."""

    max_attempts: int
    backoff: Backoff


class Retry(Decorator):
    """Calls until it works, raises the last exception when it does not.

    What an open breaker, a full bulkhead or a rate limiter refuses is not tried again by default;
    cancellation, KeyboardInterrupt and SystemExit never are.
    """

    def __init__(
        self,
        name: str = "",
        *,
        max_attempts: int = 3,
        backoff: Backoff | None = None,
        retry_on: Exceptions = (Exception,),
        ignore: Exceptions = (CallNotPermittedError, BulkheadFullError, RequestNotPermittedError),
        clock: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        asleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        """Defaults: 3 attempts, waiting 500 ms x 1.5 each time, give or take half.

        A group of exceptions is tried again if one of its members is, ignored if all are.

        Raises:
            TypeError: something of another kind.
            ValueError: fewer than 1 attempt.
        """
        checks.name(self, name)
        checks.number("max_attempts", max_attempts, 1, whole=True)
        if backoff is not None:
            checks.function("backoff", backoff, "as backoff.exponential(500)")
        self.name = name
        self.plan = Held(RetryPlan(max_attempts, backoff or jittered(exponential(500))), clock)
        self._retry_on = checks.exceptions("retry_on", retry_on)
        self._ignore = checks.exceptions("ignore", ignore)
        self._sleep = sleep
        self._asleep = asleep
        roster.enrol(self)

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function until it works or the attempts are used up.

        Raises:
            TypeError: a coroutine function.
        """
        refuse_coroutine(function)
        attempt = 1
        while True:
            try:
                return function(*args, **kwargs)
            except Exception as exc:
                wait_s = self._wait_s(attempt, exc)
                if wait_s is None:
                    raise
            self._sleep(wait_s)
            attempt += 1

    async def acall(
        self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """`call` for a coroutine function."""
        attempt = 1
        while True:
            try:
                return await function(*args, **kwargs)
            except Exception as exc:
                wait_s = self._wait_s(attempt, exc)
                if wait_s is None:
                    raise
            await (self._asleep or _sleep)(wait_s)
            attempt += 1

    def _wait_s(self, attempt: int, exc: Exception) -> float | None:
        """Seconds until the next attempt, None when there is none."""
        plan = self.plan.get()
        if attempt >= plan.max_attempts or matches(exc, self._ignore, whole=True):
            return None
        if not matches(exc, self._retry_on):
            return None
        return max(0.0, plan.backoff(attempt)) / 1000


async def _sleep(seconds: float) -> None:
    import asyncio  # noqa: PLC0415 - half of the import time

    await asyncio.sleep(seconds)
