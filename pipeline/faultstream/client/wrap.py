"""Decorators for functions and coroutine functions alike, from one `call` and one `acall`."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


class Primitive(Protocol):
    """Something that a call can go through."""

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function through it."""

    async def acall(
        self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call a coroutine function through it."""


def wrap(primitive: Primitive, function: Callable[P, R]) -> Callable[P, R]:
    """`function` with each call going through `primitive`."""
    wrapped: Callable[..., Any]
    if inspect.iscoroutinefunction(function):
        acall = primitive.acall

        async def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
            return await acall(function, *args, **kwargs)

    else:
        call = primitive.call

        def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
            return call(function, *args, **kwargs)

    return cast("Callable[P, R]", functools.wraps(function)(wrapped))


class Decorator:
    """Mixin: a primitive is a decorator too."""

    dependency: str = ""
    """What it protects from, such as a database or a partner: commands may name it."""

    def __call__(self: Primitive, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or coroutine function."""
        return wrap(self, function)


def discard(answer: object) -> None:
    """A coroutine that nobody will await must not complain about it."""
    close = getattr(answer, "close", None)
    if close is not None:
        close()
