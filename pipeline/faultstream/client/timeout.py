"""Timeout: how long a call may take."""

import contextvars
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from faultstream.client.held import Clock, Held
from faultstream.client.wrap import Decorator

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
        """Raises ValueError below 1 ms."""
        if ms < 1:
            raise ValueError(f"ms: at least 1, got {ms}")
        self.name = name
        self.limit_ms = Held(ms, clock)

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
        """
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
        return CallTimeoutError(f"timeout {self.name or 'unnamed'}: {self.limit_ms.get()} ms")
