"""The load: shoppers who ask the gateway at a steady rate, whatever the answers are."""

import asyncio
import time
from typing import Final

import aiohttp

from faultstream.demo.meter import Meter
from faultstream.demo.process import Setup, serve, state_port

ITEMS: Final = 20
BUYS_EVERY: Final = 3
MAX_WAITING: Final = 600
TIMEOUT_S: Final = 8.0


class Shoppers:
    """Sends request after request on the beat; at most `MAX_WAITING` wait for an answer."""

    def __init__(self, setup: Setup) -> None:
        self._url = f"http://127.0.0.1:{state_port(setup, 'gateway')}"
        self._rate = setup.rate
        self._waiting: set[asyncio.Task[None]] = set()
        self.meter = Meter()

    async def shop(self) -> None:
        """Until cancelled."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            start, number = time.monotonic(), 0
            while True:
                number += 1
                await asyncio.sleep(max(0.0, start + number / self._rate - time.monotonic()))
                if len(self._waiting) >= MAX_WAITING:
                    self.meter.add(TIMEOUT_S * 1000, error=True)
                    continue
                task = asyncio.create_task(self._ask(session, number))
                self._waiting.add(task)
                task.add_done_callback(self._waiting.discard)

    async def _ask(self, session: aiohttp.ClientSession, number: int) -> None:
        item, began = number % ITEMS, time.monotonic()
        buys = number % BUYS_EVERY == 0
        path = f"{self._url}/{'buy' if buys else 'look'}/{item}"
        error = degraded = False
        try:
            async with session.request("POST" if buys else "GET", path) as response:
                body = await response.json()
                error = response.status >= 500
                degraded = not error and bool(body.get("degraded"))
        except (aiohttp.ClientError, TimeoutError, ValueError):
            error = True
        self.meter.add((time.monotonic() - began) * 1000, error=error, degraded=degraded)

    def parts(self) -> dict[str, str]:
        """What the view shows."""
        return {"waiting": str(len(self._waiting))}


async def run(setup: Setup) -> None:
    """Shop until the process is asked to end."""
    shoppers = Shoppers(setup)
    task = asyncio.create_task(shoppers.shop())
    try:
        await serve(setup, "shoppers", shoppers.meter, shoppers.parts)
    finally:
        task.cancel()
