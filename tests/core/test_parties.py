"""Parties: from what an error says follows that its caller left, or which service failed it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream.core.classify import Classifier
from faultstream.core.event import ErrorEvent
from faultstream.core.group import Group
from faultstream.core.grouping import Grouper, group_of
from faultstream.core.parties import MAX_NAMED, left, named, plain, spellings
from faultstream.core.tally import SEVERAL, graver
from faultstream.core.template import canonical, head
from tests.core import making
from tests.core.making import topology


@pytest.mark.parametrize(
    ("error_type", "message"),
    [
        ("rpc.Error", "ListProducts: context canceled by client before completion"),
        ("net/http", "error writing response: write tcp 10.0.0.1:80: write: broken pipe"),
        ("org.apache.catalina.connector.ClientAbortException", "java.io.IOException: Broken pipe"),
        ("org.eclipse.jetty.io.EofException", ""),
        ("starlette.requests.ClientDisconnect", ""),
        ("nginx", "client prematurely closed connection while reading upstream"),
        (
            "uwsgi",
            "uwsgi_response_writev_headers_and_body_do(): Broken pipe",
        ),
        ("Error", "ECONNRESET: aborted while sending response to the client"),
        ("postgres", "could not send data to client: Broken pipe"),
        (
            "Microsoft.AspNetCore.Connections.ConnectionResetException",
            "The client has disconnected",
        ),
        ("grpc", "rpc error: code = Canceled desc = context canceled"),
    ],
)
def test_the_caller_left(error_type: str, message: str) -> None:
    """Servers of all languages say in their own ways that nobody waited for the answer."""
    assert left(error_type, message)


@pytest.mark.parametrize(
    ("error_type", "message"),
    [
        ("ClientClosedError", "The client is closed"),
        ("mongo.ErrClientDisconnected", "client is disconnected"),
        ("RuntimeError", "Cannot send a request, as the client has been closed."),
        ("redis.ConnectionError", "Error 32 while writing to socket. Broken pipe."),
        ("ConnectionResetError", "[Errno 104] Connection reset by peer"),
        ("context.DeadlineExceeded", "context deadline exceeded"),
        ("AxiosError", "Request aborted"),
        ("hyper::Error", "error writing a body to connection: Broken pipe (os error 32)"),
        ("nginx", "send() failed (32: Broken pipe) while sending request to upstream"),
        ("nginx", "recv() failed (104: Connection reset by peer) while reading upstream"),
        ("TimeoutError", "client timed out waiting for payments"),
    ],
)
def test_the_caller_waits(error_type: str, message: str) -> None:
    """What a service lost itself, or gave up itself, is no caller that left."""
    assert not left(error_type, message)


def test_status_of_those_who_leave() -> None:
    """499 is the status of requests that clients closed."""
    assert left("HttpError", "", 499)
    assert not left("HttpError", "", 500)


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ("context builder aborted: upstream ai-agent-svc returned 500", ("ai-agent-svc",)),
        ("upstream checkout timeout after 800ms", ("checkout",)),
        ('Get "http://payments.prod.svc.cluster.local:8080/v1": connection refused', ("payments",)),
        ("HTTPConnectionPool(host='orders', port=80): Max retries exceeded", ("orders",)),
        ('I/O error on POST request for "http://seat-2:80/api": Connection refused', ("seat-0",)),
        ("could not connect to payments:5432", ("payments",)),
        ("no response from the billing service", ("billing",)),
        ("inventory request failed: deadline exceeded", ("inventory",)),
        ("Inventory-API did not respond in time", ("Inventory-API",)),
        ("https://api.stripe.com/v1/charges timed out", ()),
        ('Get "http://cart/v1": dial tcp: lookup cart on 10.0.0.10:53: no such host', ()),
        ("Post cart:80: dial tcp: lookup cart on 10.0.0.10:53: read udp: i/o timeout", ()),
        ("No instances available for cart", ()),
        ("connection to server failed: timeout", ()),
        ("null pointer", ()),
    ],
)
def test_who_failed_it(message: str, names: tuple[str, ...]) -> None:
    """Names stand where something was called; addresses outside, and who was not found at all,
    are none."""
    assert named(canonical(head(message))) == names


@pytest.mark.parametrize(
    ("word", "service"),
    [
        ("payments", "payments"),
        ("payment", "payment-service"),
        ("search", "searchservice"),
        ("PaymentService", "payment"),
        ("ai_agent_svc", "ai-agent-svc"),
        ("cart-api", "cart"),
        ("seat-0", plain("seat-2")),
    ],
)
def test_spellings(word: str, service: str) -> None:
    """A service is called with and without what says that it is one."""
    assert service in spellings(word)


def test_short_words_are_no_names() -> None:
    """Two letters may be the beginning of anything."""
    assert spellings("db") == ("db",)


@given(st.text(max_size=600))
def test_any_text(text: str) -> None:
    """Any text has at most MAX_NAMED names, each a word of it."""
    shape = canonical(head(text))
    found = named(shape)
    assert len(found) <= MAX_NAMED
    assert all(name in shape for name in found)
    left("", shape)


def _group(message: str, category: str = "") -> Group:
    event = ErrorEvent(service="web", error_type="HttpError", message=message, category=category)
    made = Grouper(topology()).group(event)
    assert made == group_of(event, Classifier(topology()))
    return made


def test_names_are_no_part_of_the_fingerprint() -> None:
    """Errors that differ in whom an address names are one group, and each knows its name."""
    grouper = Grouper(topology())
    first, second = (
        grouper.group(
            ErrorEvent(service="web", error_type="E", message=f"GET http://{host}/v1: timed out")
        )
        for host in ("orders", "stock")
    )
    assert first.fingerprint == second.fingerprint
    assert (first.named, second.named) == (("orders",), ("stock",))


def test_whose_error_it_is() -> None:
    """Who refuses what was asked wrongly did not fail, and who asked and left did not either."""
    assert _group("call to payments failed: timed out").named == ("payments",)
    assert _group("call to payments failed: timed out", category="validation").named == ()
    assert _group("call to payments failed: timed out", category="database").named == ()
    gone = _group("call from payments failed: context canceled by client")
    assert (gone.left, gone.named) == (True, ())


@pytest.mark.parametrize("order", [(0, 1, 0), (1, 0, 0), (0, 0, 1)])
def test_several_names_are_none(order: tuple[int, ...]) -> None:
    """Events of one group that name different services blame nobody, in any order."""
    groups = [msgspec.structs.replace(making.group(), named=(name,)) for name in ("a", "b")]
    first, second, third = (groups[one] for one in order)
    both = graver(graver(first, second), third)
    assert both.named == SEVERAL
    assert graver(both, third) is both, "and it costs nothing from then on"
    assert graver(first, first).named == first.named
