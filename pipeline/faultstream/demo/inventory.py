"""Inventory: how many of an item are there. One database connection per question.

What commands can change here: how often it tries, the circuit breaker, the fallback. While the
breaker is open, answers come from memory: what the database said last.
"""

from aiohttp import web

from faultstream.client import (
    CallNotPermittedError,
    CircuitBreaker,
    Fallback,
    Retry,
    resilient,
    steer,
)
from faultstream.demo.driver import connect
from faultstream.demo.process import Setup, serve
from faultstream.demo.shop import LOCAL_CALLS, Answer, Shop


class Stock:
    """Answers, each way in turn. Remembers one number per item; the shop has 20."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._known: dict[str, int] = {}
        self.breaker = CircuitBreaker(
            "database",
            failure_ratio=0.95,
            window_size=LOCAL_CALLS,
            minimum_calls=LOCAL_CALLS,
            open_ms=10_000,
        )
        self.retry = Retry("database", max_attempts=1, retry_on=(OSError,))
        self.fallback = Fallback(self._remembered, on=(CallNotPermittedError,))
        self.of = resilient(breaker=self.breaker, retry=self.retry, fallback=self.fallback)(
            self._asked
        )

    async def _asked(self, item: str) -> Answer:
        connection = await connect(self._port, "inventory")
        try:
            self._known[item] = await connection.ask(f"GET stock-{item}")
        finally:
            connection.close()
        return {"stock": self._known[item], "degraded": False}

    def _remembered(self, item: str) -> Answer:
        return {"stock": self._known[item], "degraded": True}

    def parts(self) -> dict[str, str]:
        """What the view shows."""
        attempts = self.retry.plan.get().max_attempts
        parts = {"breaker": self.breaker.state.value, "tries": str(attempts)}
        if self.fallback.forced.get():
            parts["fallback"] = "forced"
        return parts


async def run(setup: Setup) -> None:
    """Serve until the process is asked to end."""
    shop = Shop(setup, "inventory")
    stock = Stock(setup.ports["database"])
    if shop.executor is not None:
        steer(shop.executor, breaker=stock.breaker, retry=stock.retry, fallback=stock.fallback)

    async def answer(request: web.Request) -> Answer:
        return await stock.of(request.match_info["item"])

    shop.start()
    try:
        routes = [web.get("/stock/{item}", shop.answers("read stock", answer))]
        await serve(setup, shop.role, shop.meter, stock.parts, routes)
    finally:
        shop.close()
