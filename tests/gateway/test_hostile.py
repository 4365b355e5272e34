"""Any bytes on any port: a clear answer, never 500, never unbounded."""

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultstream.core.errors import DataError
from faultstream.core.policy import GatewayPolicy, Topology
from faultstream.formats import otlp, otlp_spans, sentry
from faultstream.formats.found import Found, Refused
from faultstream.gateway import admission
from tests.gateway.kit import Gateway, running

PATHS = ("/v1/errors", "/v1/logs", "/v1/traces", "/api/1/envelope/", "/api/1/store/")
TYPES = ("application/json", "application/x-protobuf", "application/x-ndjson", "text/plain", "")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = (
    "event_id", "timestamp", "level", "exception", "values", "type", "value", "module",
    "stacktrace", "frames", "function", "lineno", "in_app", "tags", "user", "id", "contexts",
    "trace", "trace_id", "logentry", "message", "fingerprint", "release", "environment",
    "request", "headers", "mechanism", "resourceLogs", "resource", "attributes", "key",
    "scopeLogs", "logRecords", "severityNumber", "timeUnixNano", "body", "stringValue",
    "intValue", "arrayValue", "kvlistValue", "exception.type", "exception.stacktrace",
    "service.name", "service", "error_type", "threads", "crashed", "causes",
)  # fmt: skip
KNOWN = st.recursive(
    JSON | st.sampled_from(["exception.type", "service.name", "error", "x" * 600, "17"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6)
    ),
    max_leaves=20,
)
NOW = 1_790_000_000_000


def usable(found: Found) -> None:
    """Every event is one that the pipeline takes, or is refused by name."""
    for where, event in found.events:
        made = admission.bounded(event, where, NOW)
        if isinstance(made, Refused):
            assert made.problem
            continue
        ((one),) = admission.parcels([(where, made, True)], body=b"", caller="c", once="",
                                     traceparent="")  # fmt: skip
        assert admission.raw(one.parcel.value, where, NOW) == made


@given(KNOWN)
@settings(max_examples=100)
def test_any_json_is_read(plain: object) -> None:
    """Whatever JSON stands where an event, or a list of log records, is awaited: it is read or
    refused, and what comes of it is an event within its limits."""
    raw = json.dumps(plain).encode()
    for reading in (sentry.event, otlp.from_json, otlp_spans.from_json):
        with suppress(DataError):
            usable(reading(raw, "s"))
    exception = json.dumps({"exception": plain, "tags": plain, "logentry": plain}).encode()
    usable(sentry.event(exception, "s"))
    record = {"severityNumber": 17, "attributes": plain, "body": plain, "timeUnixNano": plain}
    logs = {"resourceLogs": [{"resource": plain, "scopeLogs": [{"logRecords": [record]}]}]}
    usable(otlp.from_json(json.dumps(logs).encode(), "s"))
    raised = {"name": "exception", "attributes": plain, "timeUnixNano": plain}
    for span in (
        {"traceId": plain, "spanId": plain, "parentSpanId": plain, "events": [raised]},
        {"attributes": plain, "events": plain},
    ):
        spans = {"resourceSpans": [{"resource": plain, "scopeSpans": [{"spans": [span, plain]}]}]}
        usable(otlp_spans.from_json(json.dumps(spans).encode(), "s"))


@given(st.binary(max_size=200), KNOWN)
@settings(max_examples=100)
def test_any_bytes_are_read(raw: bytes, plain: object) -> None:
    """Bytes of any kind are an envelope, a request in protobuf, or neither."""
    item = b'{}\n{"type":"event"}\n' + json.dumps(plain).encode() + b"\n" + raw
    for reading, value in (
        (sentry.envelope, raw), (sentry.envelope, b"{}\n" + raw), (sentry.envelope, item),
        (otlp.from_protobuf, raw), (otlp.from_json, raw), (sentry.event, raw),
        (otlp_spans.from_protobuf, raw), (otlp_spans.from_json, raw),
    ):  # fmt: skip
        with suppress(DataError):
            usable(reading(value, "s"))


@pytest.fixture
async def gateway(embedded_broker: str, topology: Topology) -> AsyncIterator[Gateway]:
    async with running(embedded_broker, topology, limits=GatewayPolicy(records_per_s=0)) as found:
        yield found


@pytest.mark.parametrize("path", PATHS)
async def test_no_body_is_our_fault(gateway: Gateway, path: str) -> None:
    """Every answer to random bodies, types and packings says yes or whose fault it is."""
    bodies = [
        b"", b"\x00", b"\xff\xfe\x00", b"[" * 100_000, b"{" * 100_000, b'{"a":' * 5_000,
        b'{"service":"s","error_type":"\\ud800"}', b'{"service":"s","error_type":"X"}\x00',
        b"null", b"1e999", b'"' + b"x" * 300_000 + b'"', b"\n\n\n", b"{}\n{}\n{}", b"[null, 1, {}]",
        b'{}\n{"type":"event","length":99}\n{}', b'{}\n{"type":"event","length":-1}\n{}',
        b'{}\n{"type":"event","length":"a"}\n{}', b"{}\n" + b'{"type":"x"}\n\n' * 300,
        gzip.compress(b"{}"), b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\x12\x00" * 50,
    ]  # fmt: skip
    for body in bodies:
        for content_type in TYPES:
            for packing in ("", "gzip", "br", "snappy"):
                headers = {"Content-Type": content_type, "Content-Encoding": packing}
                status, answer = await gateway.post(path, body, headers)
                assert status in {200, 202, 400, 413, 415}, (body[:40], headers, answer)


@given(body=st.binary(max_size=300), at=st.integers(0, 4), kind=st.sampled_from(TYPES))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_bytes_are_our_fault(gateway: Gateway, body: bytes, at: int, kind: str) -> None:
    """As above, for bytes that nobody thought of."""
    status, answer = await gateway.post(PATHS[at], body, {"Content-Type": kind})
    assert status in {200, 202, 400, 413, 415}, answer


async def test_unknown_ways_are_told(gateway: Gateway) -> None:
    """What is not there is 404, another method 405, both as problems."""
    status, answer = await gateway.get("/v1/nothing")
    assert (status, answer["title"]) == (404, "Not Found")
    status, answer = await gateway.get("/v1/errors")
    assert (status, gateway.headers["Allow"]) == (405, "POST")
