"""What is known of the present request, for every error that is reported within it."""

import contextlib
import functools
import sys
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar, Unpack, cast

from faultstream.client.detail import add
from faultstream.client.event import Details
from faultstream.client.wrap import awaited

P = ParamSpec("P")
R = TypeVar("R")

Source = Callable[[], Details]
"""Asked when an error is reported, because a route is known later than the request."""

_sources: Final[ContextVar[tuple[Source, ...]]] = ContextVar("faultstream_context", default=())


class within:  # noqa: N801 - it reads as what it does
    """`context` with details that are asked for when they are needed."""

    __slots__ = ("_before", "_source")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._before: tuple[Source, ...] = ()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or coroutine function; a generator is refused with TypeError."""
        wrapped: Callable[..., Any]
        source = self._source  # each call has an object of its own
        if awaited(self, function):
            afunction = cast("Callable[P, Awaitable[Any]]", function)

            async def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
                with within(source):
                    return await afunction(*args, **kwargs)

        else:

            def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
                with within(source):
                    return function(*args, **kwargs)

        return cast("Callable[P, R]", functools.wraps(function)(wrapped))

    def __enter__(self) -> None:
        self._before = _sources.get()
        _sources.set((*self._before, self._source))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # No token: a generator may be left in another context than it was entered in.
        _sources.set(self._before)


def context(**details: Unpack[Details]) -> within:
    """Details of every error that is reported inside, in tasks begun inside too.

    A context manager, and a decorator of functions and coroutine functions. Inner ones win over
    outer ones, and those given to `report` over both; tags of all of them are kept.
    """
    return within(lambda: details)


def current() -> Details:
    """The details in force here, with the span of OpenTelemetry where there is one."""
    found: Details = {}
    for source in _sources.get():
        with contextlib.suppress(Exception):  # a broken source must not hide the error
            add(found, source())
    if "opentelemetry.trace" in sys.modules and (traceparent := _span()):
        found["traceparent"] = traceparent
    return found


def _span() -> str:
    """OpenTelemetry's present span as a traceparent."""
    library: Any = sys.modules["opentelemetry.trace"]
    with contextlib.suppress(Exception):  # someone else's library, perhaps half loaded
        span = library.get_current_span().get_span_context()
        if span.is_valid:
            return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
    return ""
