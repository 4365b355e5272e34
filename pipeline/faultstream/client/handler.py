"""Handlers: the application's own code that carries a command out, and what it may answer."""

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple

import msgspec

from faultstream.core.records import Delivery, RecoveryCommand

log = logging.getLogger("faultstream.client")


class Outcome(msgspec.Struct, frozen=True):
    """What a handler achieved. `details` must be JSON values; they are published."""

    status: Literal["success", "partial", "failed", "not_attempted"] = "success"
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

    from faultstream import wire  # noqa: PLC0415 - import time

    try:
        async with asyncio.timeout(timeout_s):
            if inspect.iscoroutinefunction(handler):
                outcome = await handler(command)
            else:
                outcome = await asyncio.to_thread(handler, command)
                if inspect.isawaitable(outcome):
                    outcome = await outcome
    except TimeoutError:
        return Outcome("failed", f"not done after {timeout_s:g} s")
    except Exception as exc:
        log.exception("%s failed", command.strategy)
        return Outcome("failed", f"{type(exc).__name__}: {exc}")
    if outcome is None:
        return Outcome()
    if not isinstance(outcome, Outcome):
        return Outcome("partial", f"the handler returned {type(outcome).__name__}, no Outcome")
    try:
        wire.dumps(outcome.details)
    except TypeError as exc:
        return Outcome(outcome.status, f"{outcome.message} (details left out: {exc})".strip())
    return outcome
