"""Payments: charges a buyer. Keeps a small pool of database connections.

What commands can change here: the size of the pool, and how long a question may take.
"""

from typing import Final

from aiohttp import web

from faultstream.client import PoolTimeoutError, ResourcePool, Timeout, steer
from faultstream.demo.driver import Connection, DatabaseError, connect
from faultstream.demo.process import Setup, serve
from faultstream.demo.shop import Answer, Shop

POOL_SIZE: Final = 4
POOL_WAIT_MS: Final = 250
QUESTION_MS: Final = 1_000


class Till:
    """Charges; one connection is on lease for the length of one question."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.pool: ResourcePool[Connection] = ResourcePool(
            self._connect,
            name="database",
            size=POOL_SIZE,
            max_wait_ms=POOL_WAIT_MS,
            close=Connection.close,
            broken=(OSError, DatabaseError),
        )
        self.timeout = Timeout(QUESTION_MS, name="database")

    async def _connect(self) -> Connection:
        return await connect(self._port, "payments")

    async def charge(self, item: str) -> int:
        """How many of the item have been paid.

        Raises:
            DatabaseError: no connection was free in time.
            OSError: the database refused, went away, or took too long.
        """
        try:
            async with self.pool.alease() as connection:
                return await self.timeout.acall(connection.ask, f"ADD paid-{item} 1")
        except PoolTimeoutError as exc:
            raise DatabaseError(f"no free connection within {POOL_WAIT_MS} ms") from exc

    def parts(self) -> dict[str, str]:
        """What the view shows."""
        pool = self.pool.stats()
        limit = f"{self.timeout.limit_ms.get()} ms"
        return {"pool": f"{pool.leased} of {pool.size}", "timeout": limit}


async def run(setup: Setup) -> None:
    """Serve until the process is asked to end."""
    shop = Shop(setup, "payments")
    till = Till(setup.ports["database"])
    if shop.executor is not None:
        steer(shop.executor, pool=till.pool, timeout=till.timeout)

    async def charge(request: web.Request) -> Answer:
        return {"paid": await till.charge(request.match_info["item"])}

    shop.start()
    try:
        routes = [web.post("/charges/{item}", shop.answers("charge", charge))]
        await serve(setup, shop.role, shop.meter, till.parts, routes)
    finally:
        for connection in till.pool.drain():
            connection.close()
        shop.close()
