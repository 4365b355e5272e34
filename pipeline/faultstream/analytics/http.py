"""ClickHouse's HTTP interface in front of the embedded engine.

`default` has no password and may only read (see guard.py); `recorder` has one and may do
everything. GET never changes anything, as on a server. What a server has and this has not:
sessions, packed answers, multipart requests. Statements of the recorder run one after another,
so that one whose answer was lost has ended before the next begins.
"""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp import web

from faultstream.analytics.answer import answer
from faultstream.analytics.engine import Engine
from faultstream.analytics.errors import SinkRefused
from faultstream.analytics.question import READER, WRITER, Question, read_question, user_of

READERS: Final = 4
"""Questions of readers that run at once; the others wait."""

STATUS: Final = {516: 401, 497: 403, 164: 403, 60: 404, 81: 404, 47: 404, 46: 404, 16: 404,
                 62: 400, 115: 400, 117: 400, 27: 400, 36: 400, 48: 501, 271: 400, 307: 413,
                 159: 408}  # fmt: skip
CONTENT: Final = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
}
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Interface:
    """The interface over one engine."""

    def __init__(self, engine: Engine, password: str, host: str) -> None:
        """`password` is the recorder's; empty means that nobody may write."""
        self._engine = engine
        self._passwords = {READER: ""} | ({WRITER: password} if password else {})
        self._guard_host = host in LOOPBACK
        self._readers = ThreadPoolExecutor(READERS, "reader")
        self._writer = ThreadPoolExecutor(1, "writer")
        self.app = web.Application(
            middlewares=[self._known_host], handler_args={"auto_decompress": False}
        )
        for path in ("/ping", "/replicas_status"):
            self.app.router.add_get(path, _alive)
        for path in ("/", "/query"):
            self.app.router.add_route("*", path, self._ask)

    def close(self) -> None:
        """Waits for what still runs."""
        self._readers.shutdown(cancel_futures=True)
        self._writer.shutdown()

    @web.middleware
    async def _known_host(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """On loopback, only under a loopback name: a web page cannot ask through its own."""
        name = request.host.rpartition(":")[0] if ":" in request.host else request.host
        if self._guard_host and name.strip("[]") not in LOOPBACK:
            return web.Response(status=421, text="this interface is for this machine only\n")
        return await handler(request)

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        query_id = request.query.get("query_id", "")
        if not query_id.isprintable() or not 0 < len(query_id) < 200:
            query_id = str(uuid.uuid4())
        if request.method not in {"GET", "HEAD", "POST"}:
            return web.Response(status=405, text="GET or POST\n")
        try:
            user = user_of(request, self._passwords)
            question = await read_question(request, user, query_id)
            if question.insert is None and not question.sql.strip():
                return web.Response(text="Ok.\n")
            return await self._answer(request, question)
        except SinkRefused as exc:
            return self._refusal(exc, query_id)

    async def _answer(self, request: web.Request, question: Question) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[bytes | None] = asyncio.Queue(4)
        gone = asyncio.Event()

        def emit(piece: bytes) -> bool:
            asyncio.run_coroutine_threadsafe(pieces.put(piece), loop).result()
            return not gone.is_set()

        def run() -> dict[str, str]:
            try:
                return answer(self._engine, question, emit)
            finally:
                asyncio.run_coroutine_threadsafe(pieces.put(None), loop).result()

        pool = self._readers if question.user == READER else self._writer
        work = loop.run_in_executor(pool, run)
        held: list[bytes] = []
        response: web.StreamResponse | None = None
        try:
            while (piece := await pieces.get()) is not None:
                if question.hold or not held:
                    held.append(piece)
                    continue
                if response is None:
                    response = web.StreamResponse(headers=self._headers(question))
                    await response.prepare(request)
                    await response.write(held[0])
                await response.write(piece)
            summary = await work
        except SinkRefused:
            if response is None:
                raise
            _break(request)
            return response
        finally:
            gone.set()
            await _drain(pieces, work)
        if response is not None:
            await response.write_eof()
            return response
        headers = self._headers(question) | {"X-ClickHouse-Summary": json.dumps(summary)}
        return web.Response(body=b"".join(held), headers=headers)

    def _headers(self, question: Question) -> dict[str, str]:
        return {
            "X-ClickHouse-Query-Id": question.query_id,
            "X-ClickHouse-Server-Display-Name": "faultstream",
            "X-ClickHouse-Timezone": self._engine.timezone,
            "X-ClickHouse-Format": question.format,
            "X-Content-Type-Options": "nosniff",
            "Content-Type": CONTENT.get(question.format, "text/plain; charset=UTF-8"),
        }

    def _refusal(self, exc: SinkRefused, query_id: str) -> web.Response:
        text = str(exc)
        if "(version " not in text:
            text += f" (version {self._engine.version})"
        headers = {
            "X-ClickHouse-Exception-Code": str(exc.code),
            "X-ClickHouse-Query-Id": query_id,
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(status=STATUS.get(exc.code, 500), text=text + "\n", headers=headers)


async def _alive(_: web.Request) -> web.Response:
    return web.Response(text="Ok.\n")


async def _drain(
    pieces: asyncio.Queue[bytes | None], work: "asyncio.Future[dict[str, str]]"
) -> None:
    """Lets the thread finish when nobody listens any more."""
    while not work.done():
        try:
            await asyncio.wait_for(pieces.get(), 0.05)
        except TimeoutError:
            continue


def _break(request: web.Request) -> None:
    """Half an answer must not look like a whole one."""
    if request.transport is not None:
        request.transport.abort()
