"""What is in force can be seen: in Python, as metrics, and on a page with a token."""

import asyncio
import base64
import gc
import json
from collections.abc import Iterator
from typing import Any

import flask
import httpx
import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from faultstream.client import (
    Bulkhead,
    CircuitBreaker,
    Degradation,
    Fallback,
    InForce,
    RateLimiter,
    Reporter,
    ResourcePool,
    Retry,
    Timeout,
    in_force,
    metrics,
)
from faultstream.client.throttle import Rate
from faultstream.client.web import AsgiMiddleware, StatePage, WsgiMiddleware
from tests.client.clock import Clock
from tests.client.waiting import reporter_without_kafka

TOKEN = "a-token-of-some-length"


@pytest.fixture
def reporter() -> Iterator[Reporter]:
    """A reporter whose events wait."""
    with reporter_without_kafka() as made:
        yield made


def mine(name: str) -> dict[str, InForce]:
    """What is shown of the primitives of that name, by kind."""
    return {one.kind: one for one in in_force() if one.name == name}


def test_every_kind_is_shown_with_what_holds_it(prefix: str) -> None:
    """State, local value and the time that a command's hold lasts; local again afterwards."""
    clock = Clock()
    breaker = CircuitBreaker(prefix, clock=clock)
    timeout = Timeout(2_000, name=prefix, clock=clock)
    retry = Retry(prefix, clock=clock)
    throttle = RateLimiter(prefix, clock=clock)
    fallback: Fallback[object] = Fallback(name=prefix, clock=clock)
    bulkhead = Bulkhead(prefix, max_concurrent_calls=7, clock=clock)
    pool: ResourcePool[object] = ResourcePool(object, name=prefix, size=3, clock=clock)
    degradation = Degradation(prefix, clock=clock)
    before = mine(prefix)
    assert {kind: one.state for kind, one in before.items()} == {
        "breaker": "closed",
        "bulkhead": "7 calls",
        "degradation": "level 0, full",
        "fallback": "stands by",
        "pool": "size 3",
        "retry": "3 attempts",
        "throttle": "no limit",
        "timeout": "2000 ms",
    }
    assert not any(one.held or one.left_ms for one in before.values())
    breaker.open_for(9_000)
    timeout.limit_ms.hold(8_000, 9_000)
    throttle.rate.hold(Rate(60, 2), 9_000)
    fallback.force(9_000)
    pool.hold(9, 9_000)
    degradation.hold(2, 9_000)
    held = {kind: one for kind, one in mine(prefix).items() if one.held}
    assert {kind: (one.state, one.local, one.left_ms) for kind, one in held.items()} == {
        "breaker": ("open", "closed", 9_000),
        "degradation": ("level 2, minimal", "level 0, full", 9_000),
        "fallback": ("answers otherwise", "stands by", 9_000),
        "pool": ("size 9", "size 3", 9_000),
        "throttle": ("60 a minute, 2 at once", "no limit", 9_000),
        "timeout": ("8000 ms", "2000 ms", 9_000),
    }
    clock.now += 9.0
    assert not any(one.held for one in mine(prefix).values())
    assert retry.name == bulkhead.name == prefix


def test_what_nobody_uses_is_not_shown(prefix: str) -> None:
    """Showing keeps nothing alive."""
    breaker: CircuitBreaker | None = CircuitBreaker(prefix)
    assert mine(prefix)
    del breaker
    gc.collect()
    assert not mine(prefix)


def test_metrics_are_valid_and_the_same_with_and_without_the_library(
    reporter: Reporter, prefix: str
) -> None:
    """Prometheus' own parser reads the text; a registry of its library gives equal samples."""
    breaker = CircuitBreaker(f'{prefix}"\\\n', clock=Clock())
    breaker.open_for(5_000)
    reporter.refuse("unreadable")
    registry = prometheus_client.CollectorRegistry()
    registry.register(metrics.Collector())

    def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    ours = samples(metrics.text())
    assert ours == samples(prometheus_client.generate_latest(registry).decode())
    labels = (("dependency", ""), ("name", f'{prefix}"\\\n'), ("state", "open"))
    assert ours["faultstream_client_breaker_state", labels] == 1
    dropped = (("outcome", "dropped_unreadable"), ("service", "orders"))
    assert ours["faultstream_client_errors_total", dropped] == 1


def wsgi(reporter: Reporter, **options: Any) -> httpx.Client:
    """An application behind the middleware."""
    app = flask.Flask("shop")
    app.add_url_rule("/", view_func=lambda: "shop")
    wrapped = WsgiMiddleware(app.wsgi_app, reporter, **options)
    return httpx.Client(transport=httpx.WSGITransport(app=wrapped), base_url="http://shop")


def test_the_page_is_off_by_default(reporter: Reporter) -> None:
    """Without it the path is the application's."""
    with wsgi(reporter) as client:
        assert client.get("/.faultstream").status_code == 404


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer wrong", f"Token {TOKEN}", "Basic !!", "Basic d3Jvbmc=", f"Bearer {TOKEN}x"],
)
def test_nobody_sees_it_without_the_token(reporter: Reporter, authorization: str) -> None:
    """401, whatever else is said; the rest of the application is not concerned."""
    with wsgi(reporter, page=StatePage(TOKEN)) as client:
        headers = {"authorization": authorization}
        for path in ("/.faultstream", "/.faultstream/metrics"):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 401
            assert answer.text == "not without the token\n"
        assert client.get("/", headers=headers).text == "shop"


def test_it_shows_html_json_and_metrics(reporter: Reporter, prefix: str) -> None:
    """Names are escaped; a browser's password works as well as a bearer token."""
    breaker = CircuitBreaker(f"<{prefix}>")
    breaker.open_for(60_000)
    bearer = {"authorization": f"Bearer {TOKEN}"}
    basic = {"authorization": "Basic " + base64.b64encode(f"ada:{TOKEN}".encode()).decode()}
    with wsgi(reporter, page=StatePage(TOKEN, path="/state")) as client:
        page = client.get("/state", headers=basic)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert f"&lt;{prefix}&gt;" in page.text
        assert f"<{prefix}>" not in page.text
        told = client.get("/state", headers=bearer | {"accept": "application/json"}).json()
        shown = {one["name"]: one for one in told["in_force"]}
        assert shown[f"<{prefix}>"]["state"] == "open"
        assert 0 < shown[f"<{prefix}>"]["left_ms"] <= 60_000
        text = client.get("/state/metrics", headers=bearer).text
        assert "faultstream_client_held{" in text


def test_asgi_shows_the_same(reporter: Reporter, prefix: str) -> None:
    """With the token, and only then."""
    breaker = CircuitBreaker(prefix)
    app = Starlette()
    app.add_middleware(AsgiMiddleware, reporter=reporter, page=StatePage(TOKEN))

    async def ask() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            headers = {"authorization": f"Bearer {TOKEN}", "accept": "application/json"}
            return await client.get("/.faultstream"), await client.get(
                "/.faultstream", headers=headers
            )

    refused, shown = asyncio.run(ask())
    assert refused.status_code == 401
    assert breaker.name in {one["name"] for one in json.loads(shown.content)["in_force"]}


@pytest.mark.parametrize(
    ("token", "path"), [("short", "/x"), (TOKEN, "x"), (TOKEN, "/x/"), ("", "/x")]
)
def test_weak_tokens_and_odd_paths_are_refused(token: str, path: str) -> None:
    """ValueError before anything is served."""
    with pytest.raises(ValueError, match=r"token|path"):
        StatePage(token, path=path)
