"""One object for every place where errors pass: decorator and context manager, sync and async."""

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, ParamSpec, Protocol, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


class Scope:
    """One entry into a capture. `seen` is the exception that was reported inside of it."""

    __slots__ = ("parent", "seen")

    def __init__(self, parent: "Scope | None") -> None:
        self.parent = parent
        self.seen: BaseException | None = None


_scope: Final[ContextVar[Scope | None]] = ContextVar("faultstream_scope", default=None)


def mark(exc: BaseException) -> None:
    """The captures around here need not report `exc` again."""
    scope = _scope.get()
    while scope is not None:
        scope.seen = exc
        scope = scope.parent


def seen_here(exc: BaseException) -> bool:
    """Whether `exc` was reported since the innermost capture around here was entered."""
    scope = _scope.get()
    return scope is not None and scope.seen is exc


class Report(Protocol):
    """What a capture calls: reports the exception, never raises."""

    def __call__(self, exc: BaseException, function: str) -> object: ...


class Capture:
    """Reports each Exception that passes through and lets it go on, or swallows it when asked.

    Cancellation, KeyboardInterrupt, SystemExit and GeneratorExit are no errors and pass. An
    exception that goes through nested captures is reported once, by the innermost. A decorated
    function that swallows returns None.
    """

    __slots__ = ("_report", "_swallow")

    def __init__(self, report: Report, *, swallow: bool) -> None:
        self._report = report
        self._swallow = swallow

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, coroutine function, generator or asynchronous generator.

        Raises:
            TypeError: no function.
        """
        if not callable(function):
            raise TypeError(f"capture: expected a function to decorate, got {function!r}")
        name = getattr(function, "__qualname__", "")
        if inspect.isasyncgenfunction(function):
            around = functools.wraps(function)(self._around(function, name))
            return cast("Callable[P, R]", around)
        wrapped: Callable[..., Any]
        if inspect.iscoroutinefunction(function):

            async def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
                with _Passage(self, name):
                    return await function(*args, **kwargs)

        elif inspect.isgeneratorfunction(function):

            def wrapped(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, Any]:
                with _Passage(self, name, scoped=False):
                    return (yield from function(*args, **kwargs))

        else:

            def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
                with _Passage(self, name):
                    return function(*args, **kwargs)

        return cast("Callable[P, R]", functools.wraps(function)(wrapped))

    def _around(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        """`__call__` for an asynchronous generator: what is sent or thrown in is handed on."""

        async def wrapped(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            with _Passage(self, name, scoped=False):
                items = function(*args, **kwargs)
                step = items.asend(None)
                while True:
                    try:
                        item = await step
                    except StopAsyncIteration:
                        return
                    try:
                        step = items.asend((yield item))
                    except GeneratorExit:
                        await items.aclose()
                        raise
                    except BaseException as exc:  # noqa: BLE001 - the function decides about it
                        step = items.athrow(exc)

        return wrapped

    def __enter__(self) -> None:
        _enter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        return self.leave(_leave(), exc, "")

    async def __aenter__(self) -> None:
        _enter()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        return self.leave(_leave(), exc, "")

    def leave(self, scope: Scope | None, exc: BaseException | None, function: str) -> bool:
        """What happens at the end of a passage; True swallows."""
        if not isinstance(exc, Exception):
            return False
        if scope is None or scope.seen is not exc:
            self._report(exc, function)
            mark(exc)
        return self._swallow


class _Passage:
    """One call of a decorated function.

    A generator's frames come and go in whatever context, so it opens no scope (`scoped` False).
    """

    __slots__ = ("_capture", "_name", "_scoped")

    def __init__(self, capture: Capture, name: str, *, scoped: bool = True) -> None:
        self._capture = capture
        self._name = name
        self._scoped = scoped

    def __enter__(self) -> None:
        if self._scoped:
            _enter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        return self._capture.leave(_leave() if self._scoped else None, exc, self._name)


def _enter() -> None:
    _scope.set(Scope(_scope.get()))


def _leave() -> Scope | None:
    scope = _scope.get()
    if scope is not None:
        _scope.set(scope.parent)
    return scope
