"""The shop's database-like dependency: numbers by key, over TCP, with a limit of connections.

It can be made slow and made to refuse connections while it runs (`POST /fault`), which is the
demo's fault. It knows nothing of faultstream.
"""

import asyncio
from collections import Counter

import msgspec
from aiohttp import web

from faultstream import wire
from faultstream.demo.fault import HEALTHY, Fault
from faultstream.demo.meter import Meter
from faultstream.demo.process import Setup, serve


class Database:
    """Answers one connection at a time per task. Keys are never dropped: the shop has 20."""

    def __init__(self) -> None:
        self.fault = HEALTHY
        self.meter = Meter()
        self.connections: Counter[str] = Counter()
        self.refused = 0
        self._values: Counter[str] = Counter()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from HELLO to its end."""
        try:
            user = (await reader.readline()).decode().strip().removeprefix("HELLO ")
            limit = self.fault.connections_per_user
            if self.connections[user] >= limit:
                self.refused += 1
                self.meter.add(0.0, error=True)
                writer.write(f"REFUSED all {limit} connections are in use\n".encode())
                await writer.drain()
                return
            self.connections[user] += 1
            try:
                writer.write(b"OK\n")
                await self._answer(reader, writer)
            finally:
                self.connections[user] -= 1
        except (OSError, ValueError):
            pass  # the client is gone, or speaks something else
        except asyncio.CancelledError:
            pass  # the process ends; raised on, asyncio.streams would log it
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            latency_ms = self.fault.latency_ms
            await asyncio.sleep(latency_ms / 1000)
            match line.decode().split():
                case ["GET", key]:
                    answer = f"VALUE {100 - self._values[key] % 100}"
                case ["ADD", key, number]:
                    self._values[key] += int(number)
                    answer = f"VALUE {self._values[key]}"
                case _:
                    answer = "UNKNOWN question"
            writer.write(answer.encode() + b"\n")
            await writer.drain()
            self.meter.add(latency_ms)

    def parts(self) -> dict[str, str]:
        """What the view shows."""
        held = sum(self.connections.values())
        parts = {"connections": str(held), "query": f"{self.fault.latency_ms} ms"}
        if self.fault != HEALTHY:
            parts["limit"] = f"{self.fault.connections_per_user}/user"
            parts["fault"] = "on"
        return parts


async def run(setup: Setup) -> None:
    """Serve until the process is asked to end."""
    database = Database()

    async def set_fault(request: web.Request) -> web.Response:
        database.fault = msgspec.convert(wire.loads(await request.read()), Fault)
        return web.json_response(msgspec.to_builtins(database.fault))

    server = await asyncio.start_server(database.talk, "127.0.0.1", setup.ports["database"])
    try:
        await serve(
            setup, "database", database.meter, database.parts, [web.post("/fault", set_fault)]
        )
    finally:
        server.close()
