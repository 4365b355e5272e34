"""Graceful degradation: how much of an application is on, in four levels."""

import functools
import inspect
import time
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar, cast

from faultstream.client import checks, roster
from faultstream.client.held import Clock, Held

P = ParamSpec("P")
R = TypeVar("R")

LEVELS: Final = ("full", "reduced", "minimal", "emergency")


class Degradation:
    """Level 0 is everything; at 1 the comforts go, at 2 all but the core, at 3 bare survival.

    A command can only raise the level above what the application set, and only for a time.
    """

    dependency: str = ""

    def __init__(self, name: str = "", *, clock: Clock = time.monotonic) -> None:
        checks.name(self, name)
        self.name = name
        self._held = Held(0, clock)
        self._local = 0
        roster.enrol(self)

    @property
    def level(self) -> int:
        """The level in force, 0 to 3."""
        return max(self._local, self._held.get())

    @property
    def local(self) -> int:
        """The level that the application set."""
        return self._local

    @property
    def left_ms(self) -> int:
        """How long a command holds a level, 0 without one."""
        return self._held.left_ms

    def set(self, level: int) -> None:
        """The application's own level from now on.

        Raises:
            ValueError: not 0 to 3.
        """
        self._local = _checked(level)

    def hold(self, level: int, for_ms: int) -> int:
        """At least this level for that long; returns the level in force.

        Raises:
            ValueError: not 0 to 3.
        """
        self._held.hold(_checked(level), for_ms)
        return self.level

    def let_go(self) -> None:
        """Back to the application's own level."""
        self._held.let_go()

    def up_to(
        self, level: int, otherwise: Callable[..., Any] | None = None
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """A decorator: the function works up to this level; above it `otherwise` answers, or None.

        `otherwise` gets the call's arguments; for a coroutine function it may be one too.
        """
        _checked(level)

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            wrapped: Callable[..., Any]
            if inspect.iscoroutinefunction(function):

                async def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
                    if self.level <= level:
                        return await function(*args, **kwargs)
                    answer = otherwise(*args, **kwargs) if otherwise is not None else None
                    return await answer if inspect.isawaitable(answer) else answer

            else:

                def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
                    if self.level <= level:
                        return function(*args, **kwargs)
                    return otherwise(*args, **kwargs) if otherwise is not None else None

            return cast("Callable[P, R]", functools.wraps(function)(wrapped))

        return decorate


def _checked(level: int) -> int:
    checks.number("level", level, 0, len(LEVELS) - 1, whole=True)
    return level
