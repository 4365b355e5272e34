"""Rollback: what was done is taken back, last first, when the whole cannot be finished."""

import inspect
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self

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
        self.failed: list[tuple[str, Exception]] = []
        """Steps that could not be taken back, and why."""

    def push(self, undo: Callable[[], Any], name: str = "") -> None:
        """A step is done; this is how to take it back. Asynchronous ones need `async with`."""
        self._steps.append(_Step(name or getattr(undo, "__qualname__", "step"), undo))

    def commit(self) -> None:
        """What was done up to here stays."""
        self._steps.clear()

    def rollback(self) -> None:
        """Take back what is not committed, last first. Raises nothing."""
        while self._steps:
            step = self._steps.pop()
            try:
                answer = step.undo()
                if inspect.isawaitable(answer):
                    discard(answer)
                    raise TypeError("an asynchronous undo needs `async with`")  # noqa: TRY301
            except Exception as exc:  # noqa: BLE001 - the other steps must be taken back too
                self._fail(step, exc)
            else:
                self.undone.append(step.name)

    async def arollback(self) -> None:
        """`rollback` for steps of both kinds."""
        while self._steps:
            step = self._steps.pop()
            try:
                answer = step.undo()
                if inspect.isawaitable(answer):
                    await answer
            except Exception as exc:  # noqa: BLE001 - the other steps must be taken back too
                self._fail(step, exc)
            else:
                self.undone.append(step.name)

    def _fail(self, step: _Step, exc: Exception) -> None:
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
            self.rollback()
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
            await self.arollback()
            self._note(exc)
        self.commit()

    def _note(self, exc: BaseException) -> None:
        for name, why in self.failed:
            exc.add_note(f"{name} could not be taken back: {type(why).__name__}: {why}")
