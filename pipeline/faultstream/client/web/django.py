"""Django, sync and async.

    MIDDLEWARE = ["faultstream.client.web.DjangoMiddleware", ...]

and in settings or an AppConfig: `faultstream.client.web.use(reporter)`.
"""

import importlib
import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from faultstream.client.about import reported
from faultstream.client.capture import seen_here
from faultstream.client.contexts import within
from faultstream.client.web.answer import Answer, answer
from faultstream.client.web.page import StatePage
from faultstream.client.web.request import Request, plain

if TYPE_CHECKING:
    from faultstream.client.reporter import Reporter


class _Use:
    """What Django's middleware works with, since Django makes the middleware itself."""

    reporter: "Reporter | None" = None
    respond: bool = True
    user: Callable[[Any], str] | None = None
    page: StatePage | None = None


_use: Final = _Use()
_ANSWERS: Final = ("PermissionDenied", "SuspiciousOperation", "BadRequest")
_REQUEST: Final = "_faultstream_request"


def use(
    reporter: "Reporter",
    *,
    respond: bool = True,
    user: Callable[[Any], str] | None = None,
    page: StatePage | None = None,
) -> None:
    """Have DjangoMiddleware report here. `user` gives an id of Django's request, or "".

    `page` shows what is in force in this process to who has its token.
    """
    _use.reporter, _use.respond, _use.user, _use.page = reporter, respond, user, page


class DjangoMiddleware:
    """Reports what views raise and answers, or leaves the answer to Django.

    Http404, PermissionDenied, SuspiciousOperation and BadRequest are answers of Django's, not
    errors. Events reported during a request carry its id, method and route, traceparent and user.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        """Django calls it.

        Raises:
            RuntimeError: `use` was not called before.
        """
        if _use.reporter is None:
            raise RuntimeError("call faultstream.client.web.use(reporter) before Django starts")
        self._reporter = _use.reporter
        self._get_response = get_response
        exceptions = importlib.import_module("django.core.exceptions")
        self._answers: tuple[type[BaseException], ...] = (
            importlib.import_module("django.http").Http404,
            *(getattr(exceptions, name) for name in _ANSWERS),
        )
        self._response = importlib.import_module("django.http").HttpResponse
        signals = importlib.import_module("django.core.signals")
        signals.got_request_exception.connect(_uncaught, weak=False, dispatch_uid="faultstream")
        self._async = inspect.iscoroutinefunction(get_response)
        if self._async:
            mark: Any = importlib.import_module("asgiref.sync").markcoroutinefunction
            mark(self)

    def __call__(self, request: Any) -> Any:
        """One request."""
        if self._async:
            return self._acall(request)
        if (shown := self._shown(request)) is not None:
            return shown
        known = self._request(request)
        with within(known.details), known.capture():
            return self._get_response(request)

    async def _acall(self, request: Any) -> Any:
        if (shown := self._shown(request)) is not None:
            return shown
        known = self._request(request)
        with within(known.details), known.capture():
            return await self._get_response(request)

    def process_exception(self, request: Any, exc: BaseException) -> Any:
        """A view raised; None leaves the answer to Django."""
        if isinstance(exc, self._answers):
            return None
        if not seen_here(exc):
            self._reporter.report(exc, handled=False)
        if not _use.respond:
            return None
        known: Request = getattr(request, _REQUEST)
        return self._told(answer(exc, reported(exc), request_id=known.id))

    def _shown(self, request: Any) -> Any:
        """The page, where this request is for it."""
        page = _use.page
        if page is None or not page.wanted(request.path):
            return None
        headers = {name: request.headers.get(name, "") for name in ("authorization", "accept")}
        return self._told(page.answer(request.path, headers))

    def _told(self, told: Answer) -> Any:
        headers = {name: text for name, text in told.headers if name != "content-length"}
        return self._response(told.body, status=told.status, headers=headers)

    def _request(self, request: Any) -> Request:
        user = _use.user
        made = Request(
            self._reporter,
            str(request.method),
            {
                "x-request-id": request.headers.get("x-request-id", ""),
                "traceparent": request.headers.get("traceparent", ""),
            },
            route=lambda: _route(request),
            user=None if user is None else lambda: user(request),
        )
        setattr(request, _REQUEST, made)
        return made


def _uncaught(**_: Any) -> None:
    """Django answers an error itself: one of other middleware, or after `respond` False."""
    exc = sys.exc_info()[1]
    if _use.reporter is not None and isinstance(exc, Exception) and not seen_here(exc):
        _use.reporter.report(exc, handled=False)


def _route(request: Any) -> str:
    match = getattr(request, "resolver_match", None)
    route = getattr(match, "route", "")
    return f"/{route}" if route else plain(str(request.path))
