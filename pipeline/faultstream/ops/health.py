"""Health of one process, and the port that shows it beside the metrics.

`/-/healthy` answers 200 while the process is alive and not failing, `/-/ready` while it also has
everything that it needs; both answer 503 with the reasons otherwise. `/metrics` is Prometheus
text. What is waited out (a broker or a sink that is away) makes it not ready, not unhealthy.
"""

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from faultstream.ops.metrics import REGISTRY


class Health:
    """What is wrong, by part. Starts not ready."""

    def __init__(self) -> None:
        self.waiting: dict[str, str] = {"start": "starting"}
        self.failed: dict[str, str] = {}

    def wait(self, part: str, reason: str) -> None:
        """`part` is waited for."""
        self.waiting[part] = reason

    def well(self, part: str) -> None:
        """`part` is there again. May be repeated."""
        self.waiting.pop(part, None)

    def fail(self, part: str, reason: str) -> None:
        """`part` is broken for good; the process is about to end."""
        self.failed[part] = reason

    @property
    def healthy(self) -> bool:
        """Nothing is broken."""
        return not self.failed

    @property
    def ready(self) -> bool:
        """Nothing is broken and nothing is waited for."""
        return not self.failed and not self.waiting


class PortTakenError(Exception):
    """Nobody can listen there."""


class HealthServer:
    """Serves `health`, by default on loopback. `start` then `stop`."""

    def __init__(self, health: Health, port: int, host: str = "127.0.0.1") -> None:
        """Port 0 takes a free one; `port` is the real one after `start`."""
        self._health = health
        self._host = host
        self.port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            PortTakenError: the port is taken, or the host is none of this machine's addresses.
        """
        app = web.Application()
        app.router.add_get("/-/healthy", self._healthy)
        app.router.add_get("/-/ready", self._ready)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port)
        try:
            await site.start()
        except OSError as exc:
            await self.stop()
            raise PortTakenError(exc.strerror or str(exc)) from exc
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port. May be repeated."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _answer(self, *, good: bool) -> web.Response:
        lines = [f"failed {part}: {why}" for part, why in self._health.failed.items()]
        lines += [f"waiting for {part}: {why}" for part, why in self._health.waiting.items()]
        return web.Response(status=200 if good else 503, text="\n".join(lines or ["ok"]) + "\n")

    async def _healthy(self, _: web.Request) -> web.Response:
        return self._answer(good=self._health.healthy)

    async def _ready(self, _: web.Request) -> web.Response:
        return self._answer(good=self._health.ready)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )
