"""One piece of logic for `with` and `async with`: a generator that yields what is to be awaited."""

from collections.abc import Awaitable, Generator
from typing import Any, TypeVar

from faultstream.client.wrap import discard

R = TypeVar("R")

Steps = Generator[Awaitable[Any], Any, R]
"""Yields awaitables, is sent what came of each, or thrown what it raised; returns the result."""


def finish(steps: Steps[R], needs: str) -> R:
    """Run it where nothing can be awaited: each awaitable is a TypeError that says `needs`."""
    try:
        awaitable = next(steps)
        while True:
            discard(awaitable)
            awaitable = steps.throw(TypeError(needs))
    except StopIteration as end:
        result: R = end.value
        return result


async def afinish(steps: Steps[R]) -> R:
    """Run it in an event loop. Cancellation is thrown into it like every exception."""
    try:
        awaitable = next(steps)
        while True:
            try:
                answer = await awaitable
            except BaseException as exc:  # noqa: BLE001 - it is handed on
                awaitable = steps.throw(exc)
            else:
                awaitable = steps.send(answer)
    except StopIteration as end:
        result: R = end.value
        return result
