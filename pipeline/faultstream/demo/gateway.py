"""The shop's front: passes what shoppers want to orders."""

from aiohttp import web

from faultstream.demo.process import Setup, serve
from faultstream.demo.shop import Answer, Callee, Shop


async def run(setup: Setup) -> None:
    """Serve until the process is asked to end."""
    shop = Shop(setup, "gateway")
    orders = Callee(setup, "orders")

    async def look(request: web.Request) -> Answer:
        return await orders.call("GET", f"/items/{request.match_info['item']}")

    async def buy(request: web.Request) -> Answer:
        return await orders.call("POST", f"/orders/{request.match_info['item']}")

    routes = [
        web.get("/look/{item}", shop.answers("look", look)),
        web.post("/buy/{item}", shop.answers("buy", buy)),
    ]
    shop.start()
    try:
        await serve(setup, shop.role, shop.meter, dict[str, str], routes)
    finally:
        await orders.close()
        shop.close()
