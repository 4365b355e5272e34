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
    """`function` with each call going through `primitive`; see `awaited` for what is refused."""
    wrapped: Callable[..., Any]
    if awaited(primitive, function):
        afunction = cast("Callable[P, Awaitable[Any]]", function)
        acall = primitive.acall

        async def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
            return await acall(afunction, *args, **kwargs)

    else:
        call = primitive.call

        def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
            return call(function, *args, **kwargs)

    return cast("Callable[P, R]", functools.wraps(function)(wrapped))


def awaited(primitive: object, function: object) -> bool:
    """Whether a function that is decorated is a coroutine function.

    Raises:
        TypeError: it is no function, or a generator: calling one does nothing yet that could be
            guarded.
    """
    kind = type(primitive).__name__
    if not callable(function):
        raise TypeError(f"{kind}: expected a function to decorate, got {function!r}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        title = getattr(function, "__qualname__", repr(function))
        raise TypeError(
            f"{kind} cannot decorate the generator {title}: calling it does nothing yet; "
            "decorate what it calls"
        )
    of_object = inspect.getattr_static(type(function), "__call__", None)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(of_object)


def refuse_coroutine(function: object) -> None:
    """Raises TypeError for a coroutine function in `call`, which would end before it began."""
    code = getattr(function, "__code__", None)
    if code is not None and code.co_flags & inspect.CO_COROUTINE:
        title = getattr(function, "__qualname__", repr(function))
        raise TypeError(f"{title} is a coroutine function: use acall, or decorate it")


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
