"""What nobody caught: the hooks of the interpreter, of threads and of event loops.

Each hook reports and then calls what was there before it, so that what the program printed or did
about such errors stays as it was.
"""

import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from faultstream.client.about import reported

if TYPE_CHECKING:
    import asyncio

Report = Callable[[BaseException | str, str, str], object]
"""Given the error, its message when it is no exception, and where it came from."""


class Hooks:
    """Installed hooks; `uninstall`, or leaving the `with` block, ends them.

    Where somebody hooked in after us, ours stays in the chain but only passes on. An exception
    that was reported before it got here is not reported again.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._active = True
        self._loops: list[tuple[asyncio.AbstractEventLoop, Any, Any]] = []
        self._sys_before = sys.excepthook
        self._threads_before = threading.excepthook
        self._sys, self._threads = self._on_exit, self._on_thread
        sys.excepthook = self._sys
        threading.excepthook = self._threads

    def watch(self, loop: "asyncio.AbstractEventLoop") -> None:
        """Hook into the exception handler of an event loop."""
        before = loop.get_exception_handler()

        def handler(loop: "asyncio.AbstractEventLoop", context: dict[str, Any]) -> object:
            exc = context.get("exception")
            message = str(context.get("message") or "")
            self._tell(exc if isinstance(exc, BaseException) else None, message, "asyncio")
            if before is not None:
                return before(loop, context)
            loop.default_exception_handler(context)
            return None

        loop.set_exception_handler(handler)
        self._loops.append((loop, handler, before))

    def uninstall(self) -> None:
        """Put back what was there before. Repeatable."""
        if not self._active:
            return
        self._active = False
        if sys.excepthook == self._sys:
            sys.excepthook = self._sys_before
        if threading.excepthook == self._threads:
            threading.excepthook = self._threads_before
        for loop, handler, before in self._loops:
            if loop.get_exception_handler() is handler:
                loop.set_exception_handler(before)
        self._loops.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.uninstall()

    def _on_exit(
        self, kind: type[BaseException], exc: BaseException, traceback: TracebackType | None
    ) -> None:
        self._tell(exc, "", "excepthook")
        self._sys_before(kind, exc, traceback)

    def _on_thread(self, args: threading.ExceptHookArgs) -> None:
        self._tell(args.exc_value, "", "threading")
        self._threads_before(args)

    def _tell(self, exc: BaseException | None, message: str, source: str) -> None:
        if not self._active:
            return
        if exc is None:
            if message:
                self._report("UnhandledError", message, source)
        elif isinstance(exc, Exception | BaseExceptionGroup) and not reported(exc):
            self._report(exc, "", source)
