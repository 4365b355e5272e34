"""Rollback: what was done is taken back, last first, when the whole cannot be finished."""

import inspect
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self

from faultstream.client import checks
from faultstream.client.both import Steps, afinish, finish
from faultstream.client.wrap import discard

log = logging.getLogger("faultstream.client")


class _Step(NamedTuple):
    name: str
    undo: Callable[[], Any]


class RollbackStack:
    """`with` or `async with`: an exception, cancellation too, undoes every step; else none is.

    The exception goes on. An undo that fails does not stop the others: it is kept in `failed`,
    logged, and noted on the exception. Each undo is called at most once.
    """

    def __init__(self) -> None:
        self._steps: list[_Step] = []
        self.undone: list[str] = []
        """Names of steps that were taken back, in that order."""
        self.failed: list[tuple[str, BaseException]] = []
        """Steps that could not be taken back, and why."""

    def push(self, undo: Callable[[], Any], name: str = "") -> None:
        """A step is done; this is how to take it back. Asynchronous ones need `async with`.

        Raises:
            TypeError: no function.
        """
        checks.function("undo", undo)
        self._steps.append(_Step(name or getattr(undo, "__qualname__", "step"), undo))

    def commit(self) -> None:
        """What was done up to here stays."""
        self._steps.clear()

    def rollback(self) -> None:
        """Take back what is not committed, last first. Raises nothing but what is no Exception,
        such as KeyboardInterrupt, and that only when all of it is done."""
        finish(self._back(), "an asynchronous undo needs `async with`")

    async def arollback(self) -> None:
        """`rollback` for steps of both kinds. When it is cancelled, the undo that waits then is
        given up, the others are still called, and CancelledError is raised after them."""
        await afinish(self._back())

    def _back(self) -> Steps[None]:
        stop: BaseException | None = None
        while self._steps:
            step = self._steps.pop()
            try:
                answer = step.undo()
                if inspect.isawaitable(answer):
                    if isinstance(stop, GeneratorExit):  # the coroutine is closed: no more awaiting
                        discard(answer)
                        raise stop  # noqa: TRY301
                    yield answer
            except BaseException as exc:  # noqa: BLE001 - the other steps must be taken back too
                self._fail(step, exc)
                if not isinstance(exc, Exception):
                    stop = stop or exc
            else:
                self.undone.append(step.name)
        if stop is not None:
            raise stop

    def _fail(self, step: _Step, exc: BaseException) -> None:
        self.failed.append((step.name, exc))
        log.warning("%s could not be taken back: %s: %s", step.name, type(exc).__name__, exc)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is not None:
            try:
                self.rollback()
            finally:
                self._note(exc)
        self.commit()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is not None:
            try:
                await self.arollback()
            finally:
                self._note(exc)
        self.commit()

    def _note(self, exc: BaseException) -> None:
        for name, why in self.failed:
            exc.add_note(f"{name} could not be taken back: {type(why).__name__}: {why}")
