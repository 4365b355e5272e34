"""The application: routes, what holds for all of them, and how it starts and stops."""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol, Self

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from faultstream.gateway.access import Access, cors
from faultstream.gateway.errors import AwayError, FullError, ProblemError
from faultstream.gateway.publisher import Publisher
from faultstream.ops import log
from faultstream.ops.health import Health
from faultstream.ops.metrics import GATEWAY_REQUESTS, GATEWAY_SECONDS, REGISTRY

STOP_S: Final = 10.0
AGAIN_S: Final = 5.0
"""What a client is told to wait while Kafka or ClickHouse is away."""
_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}

_log = log.get(__name__)


class Part(Protocol):
    """Something that answers requests."""

    def add_to(self, app: web.Application) -> None:
        """Add its routes."""


def make(access: Access, health: Health, parts: Sequence[Part]) -> web.Application:
    """The application with the routes of `parts`, and those of health and metrics."""
    app = web.Application(middlewares=[_guarded(access)], handler_args={"auto_decompress": False})
    ops = _Ops(access, health)
    for part in (ops, *parts):
        part.add_to(app)
    return app


async def serve(
    app: web.Application,
    publisher: Publisher,
    *,
    host: str,
    port: int,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT: then nothing more is taken, and what was taken is answered.
    `ready` gets the port.

    Raises:
        OSError: the port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Running(app, publisher, host=host, port=port) as running:
        if ready is not None:
            ready(running.port)
        await stop.wait()


class Running:
    """The gateway for the length of a block."""

    def __init__(self, app: web.Application, publisher: Publisher, *, host: str, port: int) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_S)
        self._publisher = publisher
        self._host = host
        self.port = port
        self._work: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._work = asyncio.create_task(self._publisher.run())
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self.port).start()
        except BaseException:
            await self.__aexit__()
            raise
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._publisher.close()
        if self._work is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._work


class _Ops:
    """Health for supervisors, and metrics."""

    def __init__(self, access: Access, health: Health) -> None:
        self._access = access
        self._health = health

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/-/healthy", self._healthy)
        app.router.add_get("/-/ready", self._ready)
        app.router.add_get("/metrics", self._metrics)

    async def _healthy(self, _: web.Request) -> web.Response:
        return self._told(good=self._health.healthy)

    async def _ready(self, _: web.Request) -> web.Response:
        return self._told(good=self._health.ready)

    def _told(self, *, good: bool) -> web.Response:
        lines = [f"failed {part}: {why}" for part, why in self._health.failed.items()]
        lines += [f"waiting for {part}: {why}" for part, why in self._health.waiting.items()]
        return web.Response(status=200 if good else 503, text="\n".join(lines or ["ok"]) + "\n")

    async def _metrics(self, request: web.Request) -> web.Response:
        self._access.admit(request, "read")
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return web.Response(body=generate_latest(REGISTRY), headers=headers)


def _guarded(access: Access) -> Middleware:
    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every answer is counted; what goes wrong is told as a problem, and never in detail."""
        began = time.monotonic()
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "unknown"
        try:
            access.must_know_host(request)
            response = await handler(request)
        except ProblemError as exc:
            response = exc.response()
        except AwayError as exc:
            response = _later("not available now", str(exc))
        except FullError as exc:
            response = _later("no room now", str(exc))
        except web.HTTPException as exc:
            response = _http(exc)
        except Exception:  # noqa: BLE001 - our bug; all other requests go on
            _log.exception("gateway_bug", route=route)
            response = ProblemError(500, "our fault", "it stands in the gateway's log").response()
        for name, value in {**_HEADERS, **cors(request)}.items():
            response.headers.setdefault(name, value)
        GATEWAY_REQUESTS.labels(route, response.status).inc()
        GATEWAY_SECONDS.labels(route).observe(time.monotonic() - began)
        return response

    return guarded


def _later(title: str, detail: str) -> web.Response:
    mend = "send the same request again"
    return ProblemError(503, title, detail, mend=mend, retry_after_s=AGAIN_S).response()


def _http(exc: web.HTTPException) -> web.Response:
    response = ProblemError(exc.status, exc.reason, mend=_MENDS.get(exc.status, "")).response()
    if "Allow" in exc.headers:
        response.headers["Allow"] = exc.headers["Allow"]
    return response


_MENDS: Final = {404: "/openapi.json lists what there is"}
