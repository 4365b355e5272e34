"""What the services of the shop share: how a request is answered, measured and reported.

An error is reported by the service in which it arose. Callers pass on its id with the answer
and do not report it again.
"""

import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from faultstream.client import Executor, Reporter
from faultstream.demo.meter import Meter
from faultstream.demo.process import Setup, state_port

LOCAL_CALLS: Final = 3_000
"""Left to themselves the breakers judge by this many calls: one process sees too little to cut
itself off from a database that still answers some. The pipeline sees the whole stream."""
CALL_TIMEOUT_S: Final = 6.0
LAYERS: Final = {"gateway": "api"}
RELEASE: Final = "1.0.0"

Answer = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[Answer]]


class PassedOn(Exception):  # noqa: N818 - somebody else's error, already reported
    """A service behind this one failed and has reported it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.get("error", "")))
        self.answer = answer


class Shop:
    """One service: meter, reporter and executor. Without brokers it neither reports nor obeys."""

    def __init__(self, setup: Setup, role: str) -> None:
        self.setup = setup
        self.role = role
        self.meter = Meter()
        self.reporter: Reporter | None = None
        self.executor: Executor | None = None
        if setup.brokers:
            self.reporter = Reporter(
                service=role,
                brokers=setup.brokers,
                environment=setup.environment,
                layer=LAYERS.get(role, "service"),
                instance=f"{role}-1",
                release=RELEASE,
            )
            self.executor = Executor(
                service=role,
                brokers=setup.brokers,
                environment=setup.environment,
                instance=f"{role}-1",
                keys={
                    os.environ.get("FAULTSTREAM_SIGNING_KEY_ID", "k1"): os.environ[
                        "FAULTSTREAM_SIGNING_KEY"
                    ].encode()
                },
                journal=Path(setup.journal) / f"{role}.journal" if setup.journal else None,
            )

    def answers(self, operation: str, handler: Handler) -> Callable[..., Awaitable[web.Response]]:
        """`handler` as a web handler: 200 with its answer, 503 and a report when it raises."""

        async def answer(request: web.Request) -> web.Response:
            began, status = time.monotonic(), 200
            try:
                body = await handler(request)
            except PassedOn as exc:
                status, body = 503, exc.answer
            except Exception as exc:  # noqa: BLE001 - whatever it is, it is reported and answered
                status, body = 503, self._report(exc, operation)
            self.meter.add(
                (time.monotonic() - began) * 1000,
                error=status != 200,
                degraded=bool(body.get("degraded")),
            )
            return web.json_response(body, status=status)

        return answer

    def _report(self, exc: Exception, operation: str) -> Answer:
        error_id = ""
        if self.reporter is not None:
            error_id = self.reporter.report(exc, operation=operation, http_status=503)
        return {"error": type(exc).__name__, "error_id": error_id, "service": self.role}

    def start(self) -> None:
        """Begin to obey commands."""
        if self.executor is not None:
            self.executor.start()

    def close(self) -> None:
        """Send what is left to report and stop obeying. Takes at most a few seconds."""
        if self.executor is not None:
            self.executor.close()
        if self.reporter is not None:
            self.reporter.close(timeout_s=1.0)


class Callee:
    """Another service of the shop, over HTTP."""

    def __init__(self, setup: Setup, role: str) -> None:
        self._role = role
        self._url = f"http://127.0.0.1:{state_port(setup, role)}"
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT_S),
            connector=aiohttp.TCPConnector(limit=0),
        )

    async def call(self, method: str, path: str) -> Answer:
        """Its answer.

        Raises:
            PassedOn: it answered that it failed, which it has reported.
            aiohttp.ClientError, TimeoutError: it did not answer.
        """
        async with self._session.request(method, f"{self._url}{path}") as response:
            answer: Answer = await response.json()
            if response.status != 200:
                raise PassedOn(answer)
            return answer

    async def close(self) -> None:
        """End the connections."""
        await self._session.close()
