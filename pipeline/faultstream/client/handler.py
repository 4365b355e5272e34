"""Handlers: the application's own code that carries a command out, and what it may answer."""

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from faultstream.client.detail import text_of
from faultstream.client.stack import message_of
from faultstream.core.records import Delivery, RecoveryCommand

log = logging.getLogger("faultstream.client")


Status = Literal["success", "partial", "failed", "not_attempted"]


class Outcome(msgspec.Struct, frozen=True):
    """What a handler achieved. `details` must be JSON values; they are published."""

    status: Status = "success"
    message: str = ""
    details: dict[str, Any] = {}


Handler = (
    Callable[[RecoveryCommand], Outcome | None]
    | Callable[[RecoveryCommand], Awaitable[Outcome | None]]
)


class Registered(NamedTuple):
    """A handler, who carries its commands out, and whether it knows `rollback_of`."""

    handler: Handler
    delivery: Delivery
    undoes: bool = False


async def call(handler: Handler, command: RecoveryCommand, timeout_s: float) -> Outcome:
    """What came of it; whatever the handler raises or returns becomes an Outcome."""
    import asyncio  # noqa: PLC0415 - half of the import time

    limit = asyncio.timeout(timeout_s)
    try:
        async with limit:
            if inspect.iscoroutinefunction(handler):
                outcome = await handler(command)
            else:
                outcome = await asyncio.to_thread(handler, command)
                if inspect.isawaitable(outcome):
                    outcome = await outcome
    except SystemExit:
        text = "the handler raised SystemExit; send SIGTERM to end a process"
        return Outcome("failed", text)
    except Exception as exc:
        if isinstance(exc, TimeoutError) and limit.expired():
            return Outcome("failed", f"not done after {timeout_s:g} s")
        log.exception("%s failed", command.strategy)
        return Outcome("failed", f"{type(exc).__name__}: {message_of(exc)}")
    return Outcome() if outcome is None else _checked(outcome)


def _checked(outcome: object) -> Outcome:
    """What a handler returned, as far as it can be published."""
    from faultstream import wire  # noqa: PLC0415 - import time

    if not isinstance(outcome, Outcome):
        return Outcome("partial", f"the handler returned {type(outcome).__name__}, no Outcome")
    message = text_of(outcome.message)
    if outcome.status not in get_args(Status):
        text = f"the handler returned the status {text_of(outcome.status)!r}: {message}"
        return Outcome("partial", text)
    try:
        wire.dumps(outcome.details)
        details = dict(outcome.details)
    except (TypeError, ValueError) as exc:
        return Outcome(outcome.status, f"{message} (details left out: {exc})".strip())
    return Outcome(outcome.status, message, details)
