"""OpenTelemetry's spans: which exceptions become events, and that both forms say the same."""

import base64
import json
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from faultstream.core.errors import DataError
from faultstream.core.event import ErrorEvent
from faultstream.formats import otlp_spans
from faultstream.formats.found import Found
from faultstream.formats.otlp_event import MAX_RECORDS
from tests.formats.test_otlp import RESOURCE, STACK, texts

TRACE = "5b8efff798038103d269b633813fc60c"
TIME = 1_790_000_000_250_000_000


def raised(message: str = "not charged", *, after_ns: int = 0, stack: str = "") -> dict[str, Any]:
    """An exception that a span recorded."""
    told = texts(exception__type="PaymentException", exception__message=message)
    told += texts(exception__stacktrace=stack) if stack else []
    return {"name": "exception", "timeUnixNano": str(TIME + after_ns), "attributes": told}


def span(at: int, *events: dict[str, Any], above: int = 0, **more: Any) -> dict[str, Any]:
    """A span with a number for its id, below another one unless `above` is 0."""
    told = {"traceId": TRACE, "spanId": f"{at:016x}", "name": f"step {at}", "events": list(events)}
    return {**told, **({"parentSpanId": f"{above:016x}"} if above else {}), **more}


def request(*spans: dict[str, Any], resource: Any = RESOURCE) -> dict[str, Any]:
    scope = {"scope": {"name": "shop.till"}, "spans": list(spans)}
    return {"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [scope]}]}


def both(plain: dict[str, Any], service: str = "") -> Found:
    """What JSON says, which is what protobuf says."""
    packed = json.loads(json.dumps(plain))
    for one in packed["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for name in ("traceId", "spanId", "parentSpanId"):
            if name in one:  # the specification has hexadecimal where protobuf's JSON has base64
                one[name] = base64.b64encode(bytes.fromhex(one[name])).decode()
    raw = ParseDict(packed, ExportTraceServiceRequest()).SerializeToString()
    found = otlp_spans.from_json(json.dumps(plain).encode(), service)
    other = otlp_spans.from_protobuf(raw, service)
    assert [event for _, event in found.events] == [event for _, event in other.events]
    assert found.ignored == other.ignored
    assert [one.problem for one in found.refused] == [one.problem for one in other.refused]
    return found


def messages(found: Found) -> list[tuple[str, str]]:
    """Where each event came from, by the name of its span, and what it says."""
    return [(event.operation, event.message) for _, event in found.events]


def test_every_field_has_its_place() -> None:
    """The exception, what its span says, what the resource says, the rest as tags."""
    attributes = texts(http__route="/charge", http__response__status_code=502, shard=7)
    one = span(1, raised(stack=STACK), attributes=attributes)
    ((where, event),) = both(request(one)).events
    assert where == "resourceSpans[0].scopeSpans[0].spans[0].events[0]"
    assert [frame.function for frame in event.frames] == ["run", "charge"]
    assert [cause.error_type for cause in event.causes] == ["java.net.SocketException"]
    event.frames, event.causes = [], []
    assert event == ErrorEvent(
        service="till", error_type="shop.pay.PaymentException", message="not charged",
        time=TIME // 1_000_000, environment="staging", host="h1", instance="till-9",
        release="2.4.1", operation="/charge", component="shop.till", http_status=502,
        trace_id=TRACE, span_id=f"{1:016x}", tags={"shard": "7"},
    )  # fmt: skip


def test_spans_without_an_exception_are_counted() -> None:
    """A status of error alone is none, nor are other events; they are left out by name."""
    found = both(
        request(
            span(1, status={"code": 2, "message": "no"}),
            span(2, {"name": "retry", "timeUnixNano": str(TIME), "attributes": []}),
            span(3, {"name": "exception", "timeUnixNano": str(TIME), "attributes": []}),
            span(4, raised()),
        )
    )
    assert messages(found) == [("step 4", "not charged")]
    assert found.ignored == {"no_exception": 3}


def test_an_exception_that_leaves_spans_is_one() -> None:
    """Of those that passed it on, the innermost tells, with spans between that say nothing;
    another exception of theirs is another error."""
    found = both(
        request(
            span(4, raised(), above=3),
            span(3, above=2),
            span(2, raised(), above=1),
            span(1, raised(), raised("no answer", after_ns=9)),
        )
    )
    assert messages(found) == [("step 4", "not charged"), ("step 1", "no answer")]
    assert found.ignored == {"no_exception": 1, "passed_on": 2}


def test_tries_beside_each_other_are_several() -> None:
    """Each try failed by itself; the span around them tells of the last one again."""
    tries = [span(at, raised(after_ns=at), above=9) for at in (1, 2, 3)]
    found = both(request(*tries, span(9, raised(after_ns=3))))
    assert [where for where, _ in messages(found)] == ["step 1", "step 2", "step 3"]
    assert found.ignored == {"passed_on": 1}


@pytest.mark.parametrize(("after_ns", "events"), [(1_000_000, 1), (1_000_001, 2)])
def test_recorded_twice_by_one_span(after_ns: int, events: int) -> None:
    """By hand and by the SDK at once is one; again after more than a millisecond is two."""
    found = both(request(span(1, raised(), raised(after_ns=after_ns))))
    assert len(found.events) == events


def test_other_traces_and_services_are_others() -> None:
    """Ids of spans count within their trace, and an exception is passed on within one resource."""
    other = {**span(1, raised()), "traceId": TRACE[::-1]}
    assert len(both(request(span(2, raised(), above=1), other)).events) == 2
    inner, outer = request(span(2, raised(), above=1)), request(span(1, raised()))
    two = {"resourceSpans": inner["resourceSpans"] + outer["resourceSpans"]}
    assert len(otlp_spans.from_json(json.dumps(two).encode(), "").events) == 2


def test_a_span_above_itself_loses_nothing() -> None:
    """Made-up parents neither end in a circle nor take the exception away."""
    assert len(both(request(span(1, raised(), above=1))).events) == 1
    without = {"name": "bare", "events": [raised()]}
    assert len(both(request(without, without)).events) == 2


def test_who_it_is_of() -> None:
    """Without a service it is the token's; without any it is refused with the mend."""
    assert both(request(span(1, raised()), resource=[]), "token").events[0][1].service == "token"
    (refused,) = both(request(span(1, raised()), resource=[])).refused
    assert refused.mend.startswith("set service.name")


def test_spans_are_bounded() -> None:
    """More than a request may hold is refused whole, counting spans and their exceptions."""
    spans = [span(at) for at in range(1, MAX_RECORDS)]
    fits = request(*spans, span(MAX_RECORDS, raised()))
    assert len(otlp_spans.from_json(json.dumps(fits).encode(), "s").events) == 1
    over = request(*spans, span(MAX_RECORDS, raised(), raised()))
    with pytest.raises(DataError, match="more than 20000 spans"):
        otlp_spans.from_json(json.dumps(over).encode(), "s")
