"""Orders: asks inventory whether an item is there and, for a buyer, payments for the charge."""

import asyncio

from aiohttp import web

from faultstream.demo.process import Setup, serve
from faultstream.demo.shop import Answer, Callee, Shop


async def run(setup: Setup) -> None:
    """Serve until the process is asked to end."""
    shop = Shop(setup, "orders")
    inventory = Callee(setup, "inventory")
    payments = Callee(setup, "payments")

    async def item(request: web.Request) -> Answer:
        return await inventory.call("GET", f"/stock/{request.match_info['item']}")

    async def order(request: web.Request) -> Answer:
        path = f"/charges/{request.match_info['item']}"
        answers = await asyncio.gather(
            item(request), payments.call("POST", path), return_exceptions=True
        )
        order: Answer = {}
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            order |= {**answer, "degraded": order.get("degraded") or answer.get("degraded")}
        return order

    routes = [
        web.get("/items/{item}", shop.answers("show item", item)),
        web.post("/orders/{item}", shop.answers("take order", order)),
    ]
    shop.start()
    try:
        await serve(setup, shop.role, shop.meter, dict[str, str], routes)
    finally:
        await inventory.close()
        await payments.close()
        shop.close()
