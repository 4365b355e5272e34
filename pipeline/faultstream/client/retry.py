"""Retry: try again what may pass by itself."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from faultstream.client import checks, roster
from faultstream.client.backoff import Backoff, exponential, jittered
from faultstream.client.bulkhead import BulkheadFullError
from faultstream.client.checks import Exceptions, matches
from faultstream.client.fault import FaultError
from faultstream.client.held import Clock, Held
from faultstream.client.states import CallNotPermittedError
from faultstream.client.throttle import RequestNotPermittedError
from faultstream.client.wrap import Decorator, refuse_coroutine

MAX_ASKED_MS: Final = 60_000.0
KINDS: Final = (
    "successful_without_retry", "successful_with_retry",
    "failed_without_retry", "failed_with_retry",
)  # fmt: skip
"""resilience4j's names."""

log = logging.getLogger("faultstream.client")

P = ParamSpec("P")
R = TypeVar("R")


class RetryPlan(NamedTuple):
    """`max_attempts` counts the first one too."""

    max_attempts: int
    backoff: Backoff


class Again(NamedTuple):
    """A call that will be tried again: after which attempt, when, and why.

    `exception` is None when `retry_on_result` did not like what it returned.
    """

    name: str
    attempt: int
    wait_ms: float
    exception: Exception | None


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
        retry_on_result: Callable[[Any], bool] | None = None,
        asked_ms: Callable[[Exception], float | None] | None = None,
        on_retry: Callable[[Again], object] | None = None,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        asleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        """Defaults: 3 attempts, waiting 500 ms x 1.5 each time, give or take half.

        A group of exceptions is tried again if one of its members is, ignored if all are; a
        FaultError that is not `recoverable` never is. `retry_on_result` says of what a call
        returned whether to try again; the last result is returned. `asked_ms` reads from an
        exception how long the other side asks to wait (Retry-After); the longer of that and the
        backoff is waited, at most `MAX_ASKED_MS`. `on_retry` is told before each wait; what it
        raises is logged.

        Raises:
            TypeError: something of another kind.
            ValueError: fewer than 1 attempt.
        """
        checks.name(self, name)
        checks.number("max_attempts", max_attempts, 1, whole=True)
        if backoff is not None:
            checks.function("backoff", backoff, "as backoff.exponential(500)")
        hooks = {"retry_on_result": retry_on_result, "asked_ms": asked_ms, "on_retry": on_retry}
        for label, hook in hooks.items():
            if hook is not None:
                checks.function(label, hook)
        self._retry_on_result = retry_on_result
        self._asked_ms = asked_ms
        self._on_retry = on_retry
        self.counts = dict.fromkeys(KINDS, 0)
        """Calls (not attempts) by how they ended."""
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
                result = function(*args, **kwargs)
            except Exception as exc:
                wait_s = self._wait_s(attempt, exc)
                if wait_s is None:
                    raise
            else:
                wait_s = self._wait_after(attempt, result)
                if wait_s is None:
                    return result
            self._sleep(wait_s)
            attempt += 1

    async def acall(
        self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """`call` for a coroutine function."""
        attempt = 1
        while True:
            try:
                result = await function(*args, **kwargs)
            except Exception as exc:
                wait_s = self._wait_s(attempt, exc)
                if wait_s is None:
                    raise
            else:
                wait_s = self._wait_after(attempt, result)
                if wait_s is None:
                    return result
            await (self._asleep or _sleep)(wait_s)
            attempt += 1

    def _wait_s(self, attempt: int, exc: Exception) -> float | None:
        """Seconds until the next attempt, None when there is none."""
        plan = self.plan.get()
        if attempt >= plan.max_attempts or not self._again(exc):
            self._ended("failed", attempt)
            return None
        wait_ms = max(0.0, plan.backoff(attempt))
        if self._asked_ms is not None:
            wait_ms = max(wait_ms, _asked(self._asked_ms, exc))
        self._tell(Again(self.name, attempt, wait_ms, exc))
        return wait_ms / 1000

    def _again(self, exc: Exception) -> bool:
        """Whether it may pass by itself."""
        if isinstance(exc, FaultError) and not exc.recoverable:
            return False
        return not matches(exc, self._ignore, whole=True) and matches(exc, self._retry_on)

    def _wait_after(self, attempt: int, result: object) -> float | None:
        """`_wait_s` for a call that returned."""
        if self._retry_on_result is None or not self._retry_on_result(result):
            self._ended("successful", attempt)
            return None
        plan = self.plan.get()
        if attempt >= plan.max_attempts:
            self._ended("failed", attempt)
            return None
        wait_ms = max(0.0, plan.backoff(attempt))
        self._tell(Again(self.name, attempt, wait_ms, None))
        return wait_ms / 1000

    def _ended(self, how: str, attempt: int) -> None:
        self.counts[f"{how}_{'without' if attempt == 1 else 'with'}_retry"] += 1

    def _tell(self, again: Again) -> None:
        if self._on_retry is None:
            return
        try:
            self._on_retry(again)
        except Exception:
            log.exception("on_retry of %s", self.name or "an unnamed retry")


def _asked(read: Callable[[Exception], float | None], exc: Exception) -> float:
    """What the other side asks for, 0 when it asks for nothing that can be understood."""
    try:
        asked_ms = float(read(exc) or 0.0)
    except Exception:
        log.exception("asked_ms cannot read %s", type(exc).__name__)
        return 0.0
    return min(asked_ms, MAX_ASKED_MS) if asked_ms > 0 else 0.0


async def _sleep(seconds: float) -> None:
    import asyncio  # noqa: PLC0415 - half of the import time

    await asyncio.sleep(seconds)
