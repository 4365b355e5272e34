"""Recovery where the error happens: mend it, report it, and swallow it only if that worked."""

import inspect
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from faultstream.client import checks
from faultstream.client.both import Steps, afinish, finish
from faultstream.client.capture import mark, seen_here
from faultstream.client.event import Details
from faultstream.client.fault import FaultError, Recovery

if TYPE_CHECKING:
    from faultstream.client.reporter import Reporter

Action = Callable[[Exception], object] | Callable[[Exception], Awaitable[object]]
"""Mends what the exception tells of. Raising, or returning False, says that it did not work."""


class with_recovery:  # noqa: N801 - it reads as what it does, like contextlib's
    """A context manager, sync and async: on an exception `actions` are tried until one works.

    The exception is reported with what was tried (tag `recovery`). It goes on unless `swallow` is
    set and an action worked. Exceptions that are not `on`, and those that are no errors
    (cancellation, KeyboardInterrupt), go through untouched. The block is not repeated; see Retry.

        with with_recovery(reporter, reconnect, swallow=True, operation="sync") as attempt:
            sync()
        if attempt.recovered: ...
    """

    def __init__(
        self,
        reporter: "Reporter",
        *actions: Action,
        swallow: bool = False,
        on: type[Exception] | tuple[type[Exception], ...] = (Exception,),
        **details: Unpack[Details],
    ) -> None:
        """`actions` get the exception; asynchronous ones need `async with`.

        Raises:
            TypeError: no reporter, an action that is no function, or no classes of exceptions.
        """
        if not hasattr(reporter, "report"):
            raise TypeError(f"reporter: expected a Reporter, got {reporter!r}")
        for action in actions:
            checks.function("actions", action)
        self._reporter = reporter
        self._actions = actions
        self._swallow = swallow
        self._on = checks.classes("on", on)
        self._details = details
        self.recovery = Recovery()
        """What was tried, once the block is left."""

    @property
    def recovered(self) -> bool:
        """Whether there was an exception and an action worked."""
        return self.recovery.success

    def __enter__(self) -> Self:
        self.recovery = Recovery()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(exc, Exception) or not isinstance(exc, self._on):
            return False
        return finish(self._mend(exc), "an asynchronous action needs `async with`")

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(exc, Exception) or not isinstance(exc, self._on):
            return False
        return await afinish(self._mend(exc))

    def _mend(self, exc: Exception) -> Steps[bool]:
        """Try the actions; whether the exception ends here."""
        tried: list[str] = []
        for action in self._actions:
            try:
                answer: Any = action(exc)
                if inspect.isawaitable(answer):
                    answer = yield answer
            except Exception as broken:  # noqa: BLE001 - the next action may work
                tried.append(_failed(action, broken))
                continue
            except BaseException as broken:  # cancelled, say: nothing more is tried
                tried.append(_failed(action, broken))
                self._told(exc, tried, success=False)
                raise
            if _worked(action, answer, tried):
                return self._told(exc, tried, success=True)
        return self._told(exc, tried, success=False)

    def _told(self, exc: Exception, tried: list[str], *, success: bool) -> bool:
        """Report the exception with what was tried; whether it ends here."""
        swallowed = success and self._swallow
        text = "recovered" if success else "not recovered"
        self.recovery = Recovery(bool(tried), success, text, tuple(tried))
        if isinstance(exc, FaultError):
            exc.recovery = self.recovery
        if not seen_here(exc):
            tags = {**(self._details.get("tags") or {}), "recovery": "; ".join([text, *tried])}
            known: Details = {"handled": swallowed, **self._details, "tags": tags}
            self._reporter.report(exc, **known)
            mark(exc)
        return swallowed


def _worked(action: Action, answer: object, tried: list[str]) -> bool:
    worked = answer is not False
    tried.append(f"{_name(action)} {'worked' if worked else 'did not work'}")
    return worked


def _failed(action: Action, broken: BaseException) -> str:
    return f"{_name(action)} raised {type(broken).__name__}"


def _name(action: Action) -> str:
    return str(getattr(action, "__name__", type(action).__name__))
