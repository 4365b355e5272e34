"""Payments: charges a buyer. Keeps a small pool of database connections.

What commands can change here: the size of the pool, how long a question may take, how often it
tries, the circuit breaker, the fallback. While the breaker is open, charges are accepted and
queued; they are made when it is closed again.
"""

import asyncio
from collections import deque
from typing import Final

from aiohttp import web

from faultstream.client import (
    BreakerState,
    CallNotPermittedError,
    CircuitBreaker,
    Fallback,
    PoolTimeoutError,
    ResourcePool,
    Retry,
    Timeout,
    resilient,
    steer,
)
from faultstream.demo.driver import Connection, DatabaseError, connect
from faultstream.demo.process import Setup, serve
from faultstream.demo.shop import LOCAL_CALLS, Answer, Shop

POOL_SIZE: Final = 4
POOL_WAIT_MS: Final = 250
QUESTION_MS: Final = 1_000
MAX_QUEUED: Final = 10_000
DRAIN_EVERY_S: Final = 0.05


class Till:
    """Charges, each way in turn; one connection is on lease for the length of one question."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._queue: deque[str] = deque()
        self.pool: ResourcePool[Connection] = ResourcePool(
            self._connect,
            name="database",
            size=POOL_SIZE,
            max_wait_ms=POOL_WAIT_MS,
            close=Connection.close,
            broken=(OSError, DatabaseError),
        )
        self.timeout = Timeout(QUESTION_MS, name="database")
        self.breaker = CircuitBreaker(
            "database",
            failure_ratio=0.95,
            window_size=LOCAL_CALLS,
            minimum_calls=LOCAL_CALLS,
            open_ms=10_000,
        )
        self.retry = Retry("database", max_attempts=1, retry_on=(OSError,))
        self.fallback = Fallback(self._later, on=(CallNotPermittedError,))
        self.charge = resilient(breaker=self.breaker, retry=self.retry, fallback=self.fallback)(
            self._charged
        )

    async def _connect(self) -> Connection:
        return await connect(self._port, "payments")

    async def _charged(self, item: str) -> Answer:
        """Raises:
        DatabaseError: no connection was free in time.
        OSError: the database refused, went away, or took too long.
        """
        try:
            async with self.pool.alease() as connection:
                paid = await self.timeout.acall(connection.ask, f"ADD paid-{item} 1")
        except PoolTimeoutError as exc:
            raise DatabaseError(f"no free connection within {POOL_WAIT_MS} ms") from exc
        return {"paid": paid, "degraded": False}

    def _later(self, item: str) -> Answer:
        if len(self._queue) >= MAX_QUEUED:
            raise DatabaseError("the queue of charges is full")
        self._queue.append(item)
        return {"queued": len(self._queue), "degraded": True}

    async def drain(self) -> None:
        """Make the queued charges, one by one, whenever the breaker is closed; until cancelled."""
        while True:
            await asyncio.sleep(DRAIN_EVERY_S)
            forced = self.fallback.forced.get()
            if self._queue and self.breaker.state is BreakerState.CLOSED and not forced:
                item = self._queue.popleft()
                try:
                    await self._charged(item)
                except (DatabaseError, OSError):
                    self._queue.appendleft(item)

    def parts(self) -> dict[str, str]:
        """What the view shows."""
        pool = self.pool.stats()
        parts = {
            "pool": f"{pool.leased} of {pool.size}",
            "breaker": self.breaker.state.value,
            "tries": str(self.retry.plan.get().max_attempts),
            "timeout": f"{self.timeout.limit_ms.get()} ms",
        }
        return parts | ({"queued": str(len(self._queue))} if self._queue else {})


async def run(setup: Setup) -> None:
    """Serve until the process is asked to end."""
    shop = Shop(setup, "payments")
    till = Till(setup.ports["database"])
    if shop.executor is not None:
        steer(
            shop.executor,
            pool=till.pool,
            timeout=till.timeout,
            breaker=till.breaker,
            retry=till.retry,
            fallback=till.fallback,
        )

    async def charge(request: web.Request) -> Answer:
        return await till.charge(request.match_info["item"])

    shop.start()
    draining = asyncio.create_task(till.drain())
    try:
        routes = [web.post("/charges/{item}", shop.answers("charge", charge))]
        await serve(setup, shop.role, shop.meter, till.parts, routes)
    finally:
        draining.cancel()
        for connection in till.pool.drain():
            connection.close()
        shop.close()
