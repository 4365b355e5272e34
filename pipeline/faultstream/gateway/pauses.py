"""Pauses: which pauses of recovery are in force, read from the control topic now and then."""

import asyncio
import contextlib
from typing import Any, Final

from aiokafka.errors import KafkaError

from faultstream import wire
from faultstream.core.policy import Topology
from faultstream.core.records import Control
from faultstream.ops.clock import monotonic_ms, now_ms
from faultstream.transport import wishes

FRESH_MS: Final = 10_000
ASK_S: Final = 5.0


class Pauses:
    """Remembers them for FRESH_MS; whoever asks is answered at once with what was known last."""

    def __init__(self, brokers: str, topology: Topology) -> None:
        self._brokers = brokers
        self._topology = topology
        self._found: list[Control] = []
        self._asked_ms = -FRESH_MS
        self._asking: asyncio.Task[None] | None = None

    def known(self) -> list[dict[str, Any]]:
        """Those in force as far as known; a new look is begun when the last one is old."""
        now = monotonic_ms()
        if now - self._asked_ms >= FRESH_MS and (self._asking is None or self._asking.done()):
            self._asked_ms = now
            self._asking = asyncio.create_task(self._ask())
        at = now_ms()
        held = [one for one in self._found if one.begun(at)]
        return [_plain(one) for one in held if (one.until_at_ms or at + 1) > at]

    def heard(self) -> None:
        """Somebody paused or resumed through us: look again."""
        self._asked_ms = -FRESH_MS

    async def close(self) -> None:
        """End what is under way."""
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking

    async def _ask(self) -> None:
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(ASK_S):
                self._found = await wishes.standing(
                    self._brokers, self._topology, "pause", now_ms()
                )


def _plain(one: Control) -> dict[str, Any]:
    return {
        "environment": one.environment,
        "service": str(one.parameters.get("service") or ""),
        "by": one.by,
        "reason": one.reason,
        "set_at": wire.rfc3339(one.set_at_ms),
        "until_at": None if one.until_at_ms is None else wire.rfc3339(one.until_at_ms),
    }
