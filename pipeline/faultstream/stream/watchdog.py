"""The watchdog: ends a worker that has work and does none.

Faust and its Kafka client have ways to stop consuming for good without an error. A worker with
records behind the end of its log, none finished for a while, nothing that it knowingly waits for,
and a broker that answers, is stuck: it ends with exit code 1 and whoever supervises it starts it
again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from faultstream.ops import clock, log
from faultstream.ops.health import Health

LIMIT_S: Final = 120.0
LOOK_S: Final = 5.0
SUSPECT: Final = frozenset({"start", "broker", "group"})
"""Waiting for these may itself be what is stuck; the broker is asked directly."""

_log = log.get(__name__)


class StuckError(RuntimeError):
    """There is work, and nothing was finished for longer than the limit."""


class Watchdog:
    """Looks every `LOOK_S`. `lag` is records not finished, `finished` a number that grows with
    progress, `broker_answers` whether waiting for the broker is not the reason."""

    def __init__(
        self,
        health: Health,
        *,
        lag: Callable[[], int],
        finished: Callable[[], int],
        broker_answers: Callable[[], Awaitable[bool]],
        limit_s: float = LIMIT_S,
        clock_ms: Callable[[], int] = clock.monotonic_ms,
    ) -> None:
        self._health = health
        self._lag = lag
        self._finished = finished
        self._broker_answers = broker_answers
        self._limit_s = limit_s
        self._clock_ms = clock_ms
        self._seen = -1
        self._since_ms = clock_ms()

    async def look(self) -> None:
        """One look.

        Raises:
            StuckError: see the module.
        """
        finished, lag = self._finished(), self._lag()
        now_ms = self._clock_ms()
        waits = self._health.waiting.keys() - SUSPECT
        if finished != self._seen or lag <= 0 or waits:
            self._seen, self._since_ms = finished, now_ms
            return
        stuck_s = (now_ms - self._since_ms) / 1000
        if stuck_s < self._limit_s:
            return
        if not await self._broker_answers():
            self._since_ms = now_ms
            return
        raise StuckError(f"{lag} records wait and none was finished for {stuck_s:.0f} s")

    async def run(self, fail: Callable[[BaseException], Awaitable[None]]) -> None:
        """Look for ever; `fail` is told when stuck."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except StuckError as exc:
                await fail(exc)
                return
