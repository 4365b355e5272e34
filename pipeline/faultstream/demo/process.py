"""One process of the fleet: `python -m faultstream.demo.process ROLE`, set up by environment.

Every process answers `GET /state` on its own port with what it knows of itself.
"""

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from aiohttp import web

from faultstream import wire
from faultstream.demo.meter import Meter, Rates

ENV_SETUP: Final = "FAULTSTREAM_DEMO_SETUP"

ROLES: Final = ("database", "inventory", "payments", "orders", "gateway", "shoppers")
"""In the order of dependencies; the view shows them the other way round."""


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What a process of the fleet must know. `ports` has one HTTP port per role, and `database`."""

    ports: dict[str, int]
    brokers: str = ""
    """Empty: no pipeline; the services neither report nor obey."""
    environment: str = "production"
    rate: float = 60.0
    """Requests a second that the shoppers send."""
    journal: str = ""
    """Folder for the executors' journals."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What `GET /state` answers. `parts` are the service's own words: breaker, pool, and so on."""

    role: str
    rates: Rates
    parts: dict[str, str] = {}


def state_port(setup: Setup, role: str) -> int:
    """The HTTP port of a role."""
    return setup.ports[f"{role}.http"]


async def serve(
    setup: Setup,
    role: str,
    meter: Meter,
    parts: Callable[[], dict[str, str]],
    routes: Sequence[web.RouteDef] = (),
) -> None:
    """Serve `/state` and `routes` until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)

    async def state(_: web.Request) -> web.Response:
        body = State(role=role, rates=meter.rates(), parts=parts())
        return web.Response(
            body=wire.dumps(msgspec.to_builtins(body)), content_type="application/json"
        )

    app = web.Application()
    app.add_routes([web.get("/state", state), *routes])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", state_port(setup, role)).start()
        await ended.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Run the role named on the command line."""
    role = sys.argv[1]
    if role not in ROLES:
        sys.exit(f"no such role: {role}; one of {', '.join(ROLES)}")
    setup = msgspec.convert(wire.loads(os.environ[ENV_SETUP]), Setup)
    asyncio.run(importlib.import_module(f"faultstream.demo.{role}").run(setup))


if __name__ == "__main__":
    main()
