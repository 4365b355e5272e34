"""ASGI: Starlette, FastAPI, Litestar, Quart and others."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from faultstream.client.about import reported
from faultstream.client.contexts import within
from faultstream.client.web.answer import Answer, answer
from faultstream.client.web.page import StatePage
from faultstream.client.web.request import Request, plain

if TYPE_CHECKING:
    from faultstream.client.reporter import Reporter

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class AsgiMiddleware:
    """Reports what an application raises, answers where nothing was sent yet, and raises it on.

    Raised on, so that the server logs it as before. In Starlette and FastAPI add it with
    `add_middleware(AsgiMiddleware, reporter=reporter)`. Every event of a request, from wherever it
    is reported, carries request id, method and route, traceparent and user.

    At the end of the application's lifespan what waits is sent, for at most the reporter's
    `exit_flush_s`: servers such as uvicorn end their process by the signal that they got, which
    leaves nothing else a chance to. An application without a lifespan, such as Django's, gets one
    for that. A lifespan that fails is reported too.
    """

    def __init__(
        self,
        app: App,
        reporter: "Reporter",
        *,
        respond: bool = True,
        user: Callable[[Scope], str] | None = None,
        page: StatePage | None = None,
    ) -> None:
        """`respond` False leaves the answer to others. `user` gives an id, or an empty string.

        `page` shows what is in force in this process to who has its token.
        """
        self._app = app
        self._reporter = reporter
        self._respond = respond
        self._user = user
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        path = str(scope.get("path", ""))
        if self._page is not None and scope["type"] == "http" and self._page.wanted(path):
            await _send(send, self._page.answer(path, _headers(scope)))
            return
        user = self._user
        request = Request(
            self._reporter,
            scope.get("method", "WEBSOCKET"),
            _headers(scope),
            route=lambda: _route(scope),
            user=None if user is None else lambda: user(scope),
        )
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        with within(request.details):
            try:
                async with request.capture():
                    await self._app(scope, receive, sending)
            except Exception as exc:
                if self._respond and not begun and scope["type"] == "http":
                    told = answer(exc, reported(exc), request_id=request.id)
                    await _send(send, told)
                raise

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application's start and end, or ours for one that has none."""
        failed, said = "", False

        async def receiving() -> Message:
            nonlocal said
            said = True
            return await receive()

        async def sending(message: Message) -> None:
            nonlocal failed, said
            said = True
            _, moment, outcome = message["type"].split(".")
            if outcome == "failed":
                failed = moment
            if moment == "shutdown":
                await _flush(self._reporter)
            await send(message)

        try:
            await self._app(scope, receiving, sending)
        except Exception as exc:
            if not said:  # it only says that it has no lifespan
                await self._stand_in(receive, send)
                return
            if failed:
                self._reporter.report(exc, operation=failed, handled=False)
                if failed == "shutdown":
                    await _flush(self._reporter)
            raise

    async def _stand_in(self, receive: Receive, send: Send) -> None:
        """A lifespan for an application without one, such as Django's, for the sake of its end."""
        moment = ""
        while moment != "shutdown":
            moment = (await receive())["type"].rpartition(".")[2]
            if moment == "shutdown":
                await _flush(self._reporter)
            await send({"type": f"lifespan.{moment}.complete"})


async def _flush(reporter: "Reporter") -> None:
    """Send what waits beside the event loop, if it is one of asyncio."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        reporter.flush(reporter.exit_flush_s)
    else:
        await asyncio.to_thread(reporter.flush, reporter.exit_flush_s)


async def _send(send: Send, told: Answer) -> None:
    headers = [(name.encode(), text.encode()) for name, text in told.headers]
    await send({"type": "http.response.start", "status": told.status, "headers": headers})
    await send({"type": "http.response.body", "body": told.body})


def _headers(scope: Scope) -> dict[str, str]:
    wanted = {b"x-request-id", b"traceparent", b"authorization", b"accept"}
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope.get("headers", ())
        if name in wanted
    }


def _route(scope: Scope) -> str:
    """The route's template where the framework tells, else the path without its changing parts."""
    template = getattr(scope.get("route"), "path", "")
    return str(template) if template else plain(str(scope.get("path", "")))
