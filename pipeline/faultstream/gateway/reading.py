"""Reading: what the gateway answers from ClickHouse. Answers are shared by whoever asks within a
second, so that many pages cost as much as one."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol, TypeVar

import msgspec
from aiohttp import web

from faultstream import wire
from faultstream.core.report.live import Live
from faultstream.gateway.access import Access
from faultstream.gateway.answer import answer
from faultstream.gateway.errors import AwayError, ProblemError
from faultstream.gateway.pauses import Pauses
from faultstream.ops.health import Health

T = TypeVar("T")

FRESH_S: Final = 1.0
ANSWER_S: Final = 15.0
THREADS: Final = 2
_MOST_KEPT: Final = 64
_MOST_HOURS: Final = 366 * 24
_MOST_INCIDENTS: Final = 1_000
_STATES: Final = ("all", "open", "over")


class Query(msgspec.Struct, frozen=True):
    """Which incidents."""

    state: str
    service: str
    environment: str
    since_hours: int
    limit: int


class Answers(Protocol):
    """Who asks ClickHouse; methods are called in threads.

    Each raises AwayError when it does not answer, and LookupError for what is not there.
    """

    def live(self) -> Live:
        """How things stand."""

    def incidents(self, query: Query) -> list[dict[str, Any]]:
        """Incidents, newest first."""

    def incident(self, prefix: str) -> dict[str, Any]:
        """The chain of one."""

    def summary(self, hours: int) -> dict[str, Any]:
        """The last hours in sums."""


class Reading:
    """See the module."""

    def __init__(
        self, access: Access, health: Health, answers: Answers, pauses: Pauses | None = None
    ) -> None:
        self._access = access
        self._pauses = pauses
        self._health = health
        self._answers = answers
        self._pool = ThreadPoolExecutor(THREADS, "reading")
        self._kept: dict[tuple[Any, ...], tuple[float, asyncio.Future[Any]]] = {}

    def add_to(self, app: web.Application) -> None:
        """The routes."""
        app.router.add_get("/v1/health", self._health_now)
        app.router.add_get("/v1/live", self._live)
        app.router.add_get("/v1/summary", self._summary)
        app.router.add_get("/v1/incidents", self._incidents)
        app.router.add_get("/v1/incidents/{incident_id}", self._incident)
        app.on_cleanup.append(self._end)

    async def _end(self, _: web.Application) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._pauses is not None:
            await self._pauses.close()

    async def _health_now(self, request: web.Request) -> web.Response:
        """Status of the whole and of each service; 200 also when it is bad, or not known."""
        self._access.admit(request, "read")
        parts = {"kafka": self._health.waiting.get("kafka", "")}
        try:
            live = await self._asked(("live",), self._answers.live)
        except AwayError as exc:
            parts["clickhouse"] = str(exc)
            told: dict[str, Any] = {"status": "unknown", "rule": "ClickHouse does not answer"}
        else:
            parts["clickhouse"] = ""
            names = ("environment", "service", "status", "rule", "errors_5_min", "errors_hour")
            told = {
                "status": live.status,
                "rule": live.rule,
                "stored_at": wire.rfc3339(live.stored_at_ms) if live.stored_at_ms else None,
                "services": [{name: getattr(one, name) for name in names} for one in live.services],
            }
        told["parts"] = {name: {"well": not why, "reason": why} for name, why in parts.items()}
        return answer(told)

    async def _live(self, request: web.Request) -> web.Response:
        self._access.admit(request, "read")
        live = await self._asked(("live",), self._answers.live)
        plain = wire.plain(live)
        plain["away"] = self._health.waiting.get("kafka", "")
        plain["pauses"] = [] if self._pauses is None else self._pauses.known()
        return answer(plain)

    async def _summary(self, request: web.Request) -> web.Response:
        self._access.admit(request, "read")
        hours = _number(request, "hours", 24, 1, _MOST_HOURS)
        found = await self._asked(("summary", hours), lambda: self._answers.summary(hours))
        return answer(found)

    async def _incidents(self, request: web.Request) -> web.Response:
        self._access.admit(request, "read")
        state = request.query.get("state", "open")
        if state not in _STATES:
            raise ProblemError(400, "unknown state", state[:40], mend=", ".join(_STATES))
        query = Query(
            state=state,
            service=request.query.get("service", "")[:512],
            environment=request.query.get("environment", "")[:512],
            since_hours=_number(request, "since_hours", _MOST_HOURS, 1, _MOST_HOURS),
            limit=_number(request, "limit", 100, 1, _MOST_INCIDENTS),
        )
        found = await self._asked(("incidents", query), lambda: self._answers.incidents(query))
        return answer({"incidents": found})

    async def _incident(self, request: web.Request) -> web.Response:
        self._access.admit(request, "read")
        prefix = request.match_info["incident_id"][:100].lower()
        try:
            found = await self._asked(("chain", prefix), lambda: self._answers.incident(prefix))
        except LookupError as exc:
            raise ProblemError(404, "no such incident", str(exc)[:500]) from exc
        return answer(found)

    async def _asked(self, key: tuple[Any, ...], ask: Callable[[], T]) -> T:
        """The answer, or the one that somebody else waits for, or got within FRESH_S."""
        now = time.monotonic()
        kept = self._kept.get(key)
        if kept is None or (kept[1].done() and now - kept[0] > FRESH_S):
            if len(self._kept) >= _MOST_KEPT:
                self._kept = {name: one for name, one in self._kept.items() if not one[1].done()}
            future = asyncio.ensure_future(
                asyncio.get_running_loop().run_in_executor(self._pool, ask)
            )
            future.add_done_callback(lambda one: one.cancelled() or one.exception())
            kept = self._kept[key] = (now, future)
        try:
            async with asyncio.timeout(ANSWER_S):
                found: T = await asyncio.shield(kept[1])
                return found
        except TimeoutError as exc:
            raise AwayError(f"ClickHouse did not answer within {ANSWER_S:g} s") from exc


def _number(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    given = request.query.get(name, str(default))
    if not (
        given.isascii() and given.isdigit() and len(given) < 10 and least <= int(given) <= most
    ):
        raise ProblemError(400, f"{name} is no such number", given[:40], mend=f"{least} to {most}")
    return int(given)
