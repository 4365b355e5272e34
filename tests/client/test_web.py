"""Middleware in real frameworks: Starlette, Flask, Django."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import django
import flask
import httpx
import pytest
from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from faultstream.client import (
    BulkheadFullError,
    CallNotPermittedError,
    FaultError,
    Recovery,
    Reporter,
    RequestNotPermittedError,
)
from faultstream.client.breaker import BreakerState
from faultstream.client.web import (
    AsgiMiddleware,
    DjangoMiddleware,
    StatePage,
    WsgiMiddleware,
    answer,
    use,
)
from faultstream.client.web.request import plain
from faultstream.core.event import ErrorEvent
from tests.client.waiting import reporter_without_kafka, waiting

TRACE = "0af7651916cd43dd8448eb211c80319c"
TOKEN = "0123456789abcdef"
PASS = {"authorization": f"Bearer {TOKEN}"}
HEADERS = {"x-request-id": "r-1", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


class PaymentError(FaultError):
    """What an application raises."""

    severity = "high"
    category = "dependency"
    public = "Payment is not possible right now."


@pytest.fixture
def reporter() -> Iterator[Reporter]:
    """A reporter whose events wait."""
    with reporter_without_kafka() as made:
        yield made


def check(event: ErrorEvent, status: int, body: bytes, operation: str) -> None:
    """The event and the answer belong together, and the event names the request."""
    assert (event.request_id, event.trace_id, event.user_id) == ("r-1", TRACE, "ada")
    assert (event.operation, event.handled) == (operation, False)
    assert status == 502
    assert json.loads(body) == {
        "error": {
            "type": "PaymentError",
            "message": "Payment is not possible right now.",
            "id": event.event_id,
            "severity": "high",
        },
        "recovery": {
            "attempted": True,
            "success": False,
            "message": "two attempts",
            "actions": ["retry after 4 s"],
        },
    }


def failed() -> PaymentError:
    return PaymentError(
        "card 4111 refused",
        retry_count=2,
        recovery=Recovery(attempted=True, message="two attempts"),
    )


def test_an_answer_survives_what_is_wrong_with_the_error() -> None:
    """A status that is no number, a public text that is none: the error has an answer."""

    class WrongError(FaultError):
        http_status: Any = "404"
        public: Any = 7

    told = answer(WrongError("x"), "id")
    assert (told.status, json.loads(told.body)["error"]["message"]) == (500, "7")


# Starlette


def starlette(reporter: Reporter, **options: Any) -> Starlette:
    async def pay(request: Request) -> PlainTextResponse:
        raise failed()

    async def inside(request: Request) -> PlainTextResponse:
        with reporter.capture(handled=True):
            raise failed()
        return PlainTextResponse("never")

    async def missing(request: Request) -> PlainTextResponse:
        raise HTTPException(404)

    async def broken(request: Request) -> StreamingResponse:
        async def parts() -> Any:
            yield "begun"
            raise ValueError("in the middle")

        return StreamingResponse(parts())

    def threaded(request: Request) -> PlainTextResponse:
        reporter.report("Noticed")
        return PlainTextResponse("fine")

    routes = [
        Route("/orders/{order}/pay", pay, methods=["POST"]),
        Route("/inside", inside),
        Route("/missing", missing),
        Route("/broken", broken),
        Route("/threaded", threaded),
    ]
    app = Starlette(routes=routes)
    app.add_middleware(AsgiMiddleware, reporter=reporter, user=lambda _scope: "ada", **options)
    return app


async def ask(app: Any, method: str, url: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        return await client.request(method, url, headers=HEADERS)


async def test_starlette_errors_are_reported_and_answered(reporter: Reporter) -> None:
    """One event with the request's ids, and an answer that carries the event's id."""
    response = await ask(starlette(reporter), "POST", "/orders/4711/pay")
    [event] = waiting(reporter)
    check(event, response.status_code, response.content, event.operation)
    assert event.operation in {"POST /orders/{order}/pay", "POST /orders/*/pay"}
    assert response.headers["x-request-id"] == "r-1"
    assert response.headers["retry-after"] == "4"


async def test_starlette_raises_on_for_the_server(reporter: Reporter) -> None:
    """The server still sees the exception, to log it."""
    transport = httpx.ASGITransport(starlette(reporter))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        with pytest.raises(PaymentError):
            await client.get("/inside")


async def test_what_was_reported_inside_is_not_reported_again(reporter: Reporter) -> None:
    """The inner report is the only one, and its id is in the answer."""
    response = await ask(starlette(reporter), "GET", "/inside")
    [event] = waiting(reporter)
    assert event.handled is True
    assert response.json()["error"]["id"] == event.event_id


async def test_answers_of_the_framework_are_no_errors(reporter: Reporter) -> None:
    """A 404 that a view raises stays one."""
    response = await ask(starlette(reporter), "GET", "/missing")
    assert response.status_code == 404
    assert not waiting(reporter)


async def test_a_begun_response_is_not_answered_twice(reporter: Reporter) -> None:
    """What breaks while the body is sent is reported alone."""
    app = starlette(reporter)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {"type": "http", "method": "GET", "path": "/broken", "headers": [], "query_string": b"",
             "asgi": {"spec_version": "2.4"}}  # fmt: skip
    with pytest.raises(ValueError, match="in the middle"):
        await app(scope, receive, send)
    assert [message["type"] for message in sent].count("http.response.start") == 1
    assert [event.error_type for event in waiting(reporter)] == ["ValueError"]


async def test_reports_in_threads_know_the_request(reporter: Reporter) -> None:
    """A synchronous view that reports something has the context too; `respond` may be off."""
    response = await ask(starlette(reporter, respond=False), "GET", "/threaded")
    assert response.text == "fine"
    assert [event.request_id for event in waiting(reporter)] == ["r-1"]
    assert (await ask(starlette(reporter, respond=False), "GET", "/inside")).status_code == 500


async def live(app: Any, send: Any) -> None:
    """The lifespan of an application, as a server has it."""
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)


async def test_what_waits_is_sent_before_the_server_hears_of_the_end(
    reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers end their process by a signal then, and nothing runs after it."""
    steps: list[str] = []
    monkeypatch.setattr(reporter, "flush", lambda timeout_s: steps.append(f"flush {timeout_s}"))

    async def send(message: Any) -> None:
        steps.append(message["type"])

    await live(starlette(reporter), send)
    assert steps == ["lifespan.startup.complete", "flush 2.0", "lifespan.shutdown.complete"]
    assert not waiting(reporter)


@pytest.mark.parametrize("moment", ["startup", "shutdown"])
async def test_a_lifespan_that_fails_is_reported(
    reporter: Reporter, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """With where it failed; at the end it is sent at once."""
    flushed: list[float] = []
    monkeypatch.setattr(reporter, "flush", flushed.append)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if moment == "startup":
            raise OSError("no disk")
        yield
        raise OSError("no disk")

    async def send(message: Any) -> None:
        """To nobody."""

    app = Starlette(lifespan=lifespan)
    app.add_middleware(AsgiMiddleware, reporter=reporter)
    with pytest.raises(OSError, match="no disk"):
        await live(app, send)
    [event] = waiting(reporter)
    assert (event.error_type, event.operation, event.handled) == ("OSError", moment, False)
    assert len(flushed) == (2 if moment == "shutdown" else 0)


async def test_an_application_without_a_lifespan_gets_one(
    reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django raises for it, which is no error; so what waits is sent at its end as well."""
    steps: list[str] = []
    monkeypatch.setattr(reporter, "flush", lambda timeout_s: steps.append(f"flush {timeout_s}"))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError(f"not {scope['type']}")

    async def send(message: Any) -> None:
        steps.append(message["type"])

    await live(AsgiMiddleware(app, reporter), send)
    assert steps == ["lifespan.startup.complete", "flush 2.0", "lifespan.shutdown.complete"]
    assert not waiting(reporter)


async def test_a_lifespan_that_says_nothing_of_its_failure_goes_on_to_the_server(
    reporter: Reporter,
) -> None:
    """It began, so it has one; the server knows what to make of it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await live(AsgiMiddleware(app, reporter), None)


async def test_a_user_that_cannot_be_told_costs_only_the_user(reporter: Reporter) -> None:
    """Nobody is logged in, say: the event still has its request."""

    def user(scope: Any) -> str:
        name: str = scope["user"].id
        return name

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise failed()

    await ask(AsgiMiddleware(app, reporter, user=user), "GET", "/orders/4711")
    [event] = waiting(reporter)
    assert (event.request_id, event.operation) == ("r-1", "GET /orders/*")
    assert (event.trace_id, event.user_id) == (TRACE, "")


# Flask


def flask_client(reporter: Reporter, **options: Any) -> Any:
    app = flask.Flask("shop")
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.post("/orders/<order>/pay")
    def pay(order: str) -> str:
        raise failed()

    @app.get("/orders/<order>")
    def show(order: str) -> str:
        reporter.report("Noticed")
        return "fine"

    @app.get("/stream")
    def stream() -> flask.Response:
        def parts() -> Iterator[str]:
            yield "begun"
            raise ValueError("in the middle")

        return flask.Response(parts())

    app.wsgi_app = WsgiMiddleware(  # type: ignore[method-assign]
        app.wsgi_app, reporter, user=lambda _environ: "ada", **options
    )
    return app.test_client()


def test_flask_errors_are_reported_and_answered(
    reporter: Reporter, capsys: pytest.CaptureFixture[str]
) -> None:
    """One event and an answer; the traceback goes where servers write it."""
    response = flask_client(reporter).post("/orders/4711/pay", headers=HEADERS)
    [event] = waiting(reporter)
    check(event, response.status_code, response.data, "POST /orders/*/pay")
    assert "PaymentError: card 4111 refused" in capsys.readouterr().err


def test_reports_inside_flask_know_the_rule(reporter: Reporter) -> None:
    """While Flask is at work its rule is the operation; Flask forgets it when it is done."""
    flask_client(reporter).get("/orders/ada", headers=HEADERS)
    assert [event.operation for event in waiting(reporter)] == ["GET /orders/<order>"]


def test_flask_errors_may_be_left_to_others(reporter: Reporter) -> None:
    """Without `respond` the exception goes on; a missing page is no error."""
    client = flask_client(reporter, respond=False)
    with pytest.raises(PaymentError):
        client.post("/orders/1/pay")
    assert client.get("/nowhere").status_code == 404
    assert len(waiting(reporter)) == 1


def test_a_body_that_breaks_is_reported(reporter: Reporter) -> None:
    """What a generator raises while the server reads it has the request's context."""
    with pytest.raises(ValueError, match="in the middle"):
        _ = flask_client(reporter).get("/stream", headers=HEADERS).data
    [event] = waiting(reporter)
    assert (event.error_type, event.request_id, event.operation) == (
        "ValueError", "r-1", "GET /stream"
    )  # fmt: skip


# Django

KEPT = ValueError("made once, raised often")


def pay_view(request: HttpRequest, order: int) -> HttpResponse:
    raise failed()


async def apay_view(request: HttpRequest, order: int) -> HttpResponse:
    raise failed()


def answered_view(request: HttpRequest, kind: str) -> HttpResponse:
    raise {"missing": Http404, "denied": PermissionDenied}[kind]


def kept_view(request: HttpRequest) -> HttpResponse:
    raise KEPT


def broken_middleware(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path == "/broken":
            raise KeyError("in middleware")
        response: HttpResponse = get_response(request)
        return response

    return middleware


urlpatterns = [
    path("orders/<int:order>/pay", pay_view),
    path("async/<int:order>/pay", apay_view),
    path("answers/<str:kind>", answered_view),
    path("kept", kept_view),
]


@pytest.fixture
def in_django(reporter: Reporter) -> Reporter:
    """Django with our middleware and another one inside of it."""
    if not settings.configured:
        settings.configure(
            SECRET_KEY="test",
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=__name__,
            LOGGING_CONFIG=None,
            MIDDLEWARE=[
                "faultstream.client.web.DjangoMiddleware",
                f"{__name__}.broken_middleware",
            ],
        )
        django.setup()
    use(reporter, user=lambda _request: "ada")
    return reporter


def test_django_errors_are_reported_and_answered(in_django: Reporter) -> None:
    """A view that raises: one event with the route, and our answer."""
    client = Client(raise_request_exception=False)
    response = client.post("/orders/4711/pay", headers=HEADERS)
    [event] = waiting(in_django)
    check(event, response.status_code, response.content, "POST /orders/<int:order>/pay")


async def test_django_errors_of_asynchronous_views(in_django: Reporter) -> None:
    """The same under ASGI."""
    client = AsyncClient(raise_request_exception=False)
    response = await client.post("/async/4711/pay", headers=HEADERS)
    [event] = waiting(in_django)
    check(event, response.status_code, response.content, "POST /async/<int:order>/pay")


@pytest.mark.parametrize(("kind", "status"), [("missing", 404), ("denied", 403)])
def test_answers_of_django_are_no_errors(in_django: Reporter, kind: str, status: int) -> None:
    """Http404 and PermissionDenied are left to Django."""
    assert Client().get(f"/answers/{kind}").status_code == status
    assert not waiting(in_django)


def test_errors_of_other_middleware_are_reported(in_django: Reporter) -> None:
    """Once, and Django answers."""
    response = Client(raise_request_exception=False).get("/broken", headers=HEADERS)
    assert response.status_code == 500
    assert [(e.error_type, e.request_id) for e in waiting(in_django)] == [("KeyError", "r-1")]


def test_django_may_answer_itself(in_django: Reporter) -> None:
    """Without `respond` there is one event and Django's page; each raise of one object counts."""
    use(in_django, respond=False)
    client = Client(raise_request_exception=False)
    for _ in range(2):
        assert client.get("/kept").status_code == 500
    assert sum(event.count for event in waiting(in_django)) == 2


def test_django_needs_a_reporter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgetting `use` is said at start."""
    monkeypatch.setattr("faultstream.client.web.django._use.reporter", None)
    with pytest.raises(RuntimeError, match="use\\(reporter\\)"):
        DjangoMiddleware(lambda request: request)


def test_django_shows_what_is_in_force(in_django: Reporter) -> None:
    """The page answers who has its token, sync; other paths are the application's."""
    use(in_django, page=StatePage(TOKEN))
    client = Client()
    assert client.get("/.faultstream").status_code == 401
    response = client.get("/.faultstream", headers={**PASS, "accept": "application/json"})
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert "in_force" in json.loads(response.content)
    assert client.get("/answers/missing", headers=PASS).status_code == 404
    assert not waiting(in_django)


async def test_django_shows_what_is_in_force_asynchronously(in_django: Reporter) -> None:
    """The same under ASGI."""
    use(in_django, page=StatePage(TOKEN))
    assert (await AsyncClient().get("/.faultstream")).status_code == 401
    response = await AsyncClient().get("/.faultstream/metrics", headers=PASS)
    assert response.status_code == 200
    assert b"# TYPE faultstream_" in response.content


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_the_middleware_is_what_the_next_one_is(
    in_django: Reporter, asynchronous: bool
) -> None:
    """By itself, without Django's adapters: sync over sync, a coroutine over a coroutine."""

    async def later(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.method)

    def now(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.method)

    middleware = DjangoMiddleware(later if asynchronous else now)
    assert iscoroutinefunction(middleware) is asynchronous
    request = RequestFactory().put("/x")
    response = await middleware(request) if asynchronous else middleware(request)
    assert response.content == b"PUT"
    use(in_django, page=StatePage(TOKEN))
    shown = middleware(RequestFactory().get("/.faultstream"))
    assert (await shown if asynchronous else shown).status_code == 401


# The answer itself


@pytest.mark.parametrize(
    ("exc", "status", "retry_after"),
    [
        (ValueError("secret"), 500, None),
        (RequestNotPermittedError("api", 1_500), 429, "2"),
        (CallNotPermittedError("db", BreakerState.OPEN, 30_000), 503, "30"),
        (BulkheadFullError(), 503, None),
        (FaultError(category="timeout", recoverable=False), 504, None),
        (FaultError(severity="low", recoverable=False), 400, None),
        (FaultError(http_status=418, category="timeout", recoverable=False), 418, None),
        (FaultError(http_status=200, recoverable=False), 500, None),
    ],
)
def test_the_status_follows_the_error(exc: Exception, status: int, retry_after: str | None) -> None:
    """Given, by primitive, by category, by severity; never the message of the exception."""
    told = answer(exc, "e-1")
    assert (told.status, dict(told.headers).get("retry-after")) == (status, retry_after)
    assert b"secret" not in told.body


@pytest.mark.parametrize(
    ("path_", "expected"),
    [
        ("/orders/4711/pay", "/orders/*/pay"),
        ("/users/ada", "/users/ada"),
        ("/f/9f8b1c2d-aaaa-bbbb-cccc-0123456789ab", "/f/*"),
        ("", "/"),
    ],
)
def test_paths_lose_what_changes(path_: str, expected: str) -> None:
    """Without a route, parts with digits and long parts become a star."""
    assert plain(path_) == expected


async def test_a_forged_request_id_is_replaced(reporter: Reporter) -> None:
    """What could break a log line or a header is not taken over."""
    transport = httpx.ASGITransport(starlette(reporter), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        response = await client.get("/inside", headers={"x-request-id": "a b\tc"})
    assert len(response.headers["x-request-id"]) == 36
