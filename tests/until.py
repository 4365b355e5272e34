"""Waiting on conditions, with a bound, instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable


def until(holds: Callable[[], object], what: str, *, timeout_s: float = 20.0) -> None:
    """Return when `holds` is true.

    Raises:
        AssertionError: it was not within `timeout_s`; names `what`.
    """
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.01)


async def until_async(
    holds: Callable[[], Awaitable[object]], what: str, *, timeout_s: float = 20.0
) -> None:
    """`until` for a condition that is awaited."""
    deadline = time.monotonic() + timeout_s
    while not await holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        await asyncio.sleep(0.01)
