"""WSGI: Flask, Bottle, Pyramid and others."""

import http
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from faultstream.client.about import reported
from faultstream.client.contexts import within
from faultstream.client.web.answer import answer
from faultstream.client.web.page import StatePage
from faultstream.client.web.request import Request, plain

if TYPE_CHECKING:
    from faultstream.client.reporter import Reporter

Environ = dict[str, Any]
App = Callable[[Environ, Any], Iterable[bytes]]


class WsgiMiddleware:
    """Reports what an application raises, also while its body is read.

    With `respond` it answers and writes the traceback to `wsgi.errors` as servers do, as long as
    nothing was sent; else the exception goes on to the server. Flask keeps exceptions to itself
    unless PROPAGATE_EXCEPTIONS is set: `app.config["PROPAGATE_EXCEPTIONS"] = True`, then
    `app.wsgi_app = WsgiMiddleware(app.wsgi_app, reporter)`.
    """

    def __init__(
        self,
        app: App,
        reporter: "Reporter",
        *,
        respond: bool = True,
        user: Callable[[Environ], str] | None = None,
        page: StatePage | None = None,
    ) -> None:
        """`user` gives an id, or an empty string.

        `page` shows what is in force in this process to who has its token.
        """
        self._app = app
        self._reporter = reporter
        self._respond = respond
        self._user = user
        self._page = page

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """One request."""
        path = str(environ.get("PATH_INFO", ""))
        if self._page is not None and self._page.wanted(path):
            told = self._page.answer(path, _shown(environ))
            start_response(f"{told.status} {http.HTTPStatus(told.status).phrase}", told.headers)
            return [told.body]
        user = self._user
        request = Request(
            self._reporter,
            environ.get("REQUEST_METHOD", ""),
            {
                "x-request-id": environ.get("HTTP_X_REQUEST_ID", ""),
                "traceparent": environ.get("HTTP_TRACEPARENT", ""),
            },
            route=lambda: _route(environ),
            user=None if user is None else lambda: user(environ),
        )
        begun = False

        def starting(*args: Any) -> Any:
            nonlocal begun
            begun = True
            return start_response(*args)

        try:
            with within(request.details), request.capture():
                body = self._app(environ, starting)
        except Exception as exc:
            if not self._respond:
                raise
            print(traceback.format_exc(), end="", file=environ.get("wsgi.errors", sys.stderr))
            told = answer(exc, reported(exc), request_id=request.id)
            # A server that has sent the headers raises the exception it is given.
            again = (sys.exc_info(),) if begun else ()
            start_response(f"{told.status} Error", told.headers, *again)
            return [told.body]
        return _Body(body, request)


class _Body:
    """The response as it is read, within the request's context, one part at a time."""

    def __init__(self, body: Iterable[bytes], request: Request) -> None:
        self._body = body
        self._request = request
        self._parts: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with within(self._request.details), self._request.capture():
            if self._parts is None:
                self._parts = iter(self._body)
            part = next(self._parts, None)
        if part is None:
            raise StopIteration
        return part

    def close(self) -> None:
        """What the application wants done at the end, such as closing files."""
        close = getattr(self._body, "close", None)
        if close is not None:
            with within(self._request.details), self._request.capture():
                close()


def _shown(environ: Environ) -> dict[str, str]:
    """What the page looks at."""
    return {
        "authorization": str(environ.get("HTTP_AUTHORIZATION", "")),
        "accept": str(environ.get("HTTP_ACCEPT", "")),
    }


def _route(environ: Environ) -> str:
    """The rule of Werkzeug where it is known, else the path without its changing parts."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return str(rule) if rule is not None else plain(str(environ.get("PATH_INFO", "")))
