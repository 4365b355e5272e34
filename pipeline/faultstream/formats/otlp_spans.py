"""OpenTelemetry's spans (OTLP 1) to ErrorEvents: the exceptions that spans recorded as events.

SDKs record an exception on every span that it leaves, so one failure stands in a span and in those
above it. It is one event here, of the innermost span that tells of it, as far as the spans came in
one request: they come as they end, the inner ones first. Spans without an exception are counted
and left out, whatever their status. Attributes of the span go with its exceptions. Source:
https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from faultstream.core.errors import DataError
from faultstream.core.event import ErrorEvent
from faultstream.formats import otlp_values as values
from faultstream.formats.found import Found, items, number, text, under
from faultstream.formats.otlp_event import MAX_RECORDS, event, raised, take

EXCEPTION: Final = "exception"
_DEEPEST: Final = 32
"""Spans above one that are looked at."""
_TWICE_NS: Final = 1_000_000
"""The same exception again within this, of one span: by hand, and by the SDK when it left."""

Seen = tuple[str, str, str, str]
"""Trace, span, type and message."""


class _Span(NamedTuple):
    where: str
    trace: str
    span: str
    above: str
    name: str
    scope: str
    attributes: dict[str, Any]
    events: list[tuple[int, dict[str, Any]]]
    """Exceptions: nanoseconds and attributes."""


def from_json(body: bytes, service: str) -> Found:
    """What an export request in JSON holds. `service` is for resources that name none.

    Raises:
        DataError: stage `decode` (no request) or `size`.
    """
    plain = values.request_of_json(body)
    found = Found()
    for at, resource in enumerate(items(plain.get("resourceSpans"))):
        about = values.of_json(under(resource, "resource").get("attributes"))
        spans = (
            _of_json(one, f"resourceSpans[{at}].scopeSpans[{of}].spans[{nth}]", scope)
            for of, scope in enumerate(items(resource.get("scopeSpans")))
            for nth, one in enumerate(items(scope.get("spans")))
        )
        _take(found, spans, about=about, service=service)
    return found


def from_protobuf(body: bytes, service: str) -> Found:
    """What an export request in protobuf holds. `service` is for resources that name none.

    Raises:
        DataError: stage `decode` (no request) or `size`.
    """
    request = values.request_of_protobuf(body, ExportTraceServiceRequest())
    found = Found()
    for at, resource in enumerate(request.resource_spans):
        about = values.of_protobuf(resource.resource.attributes)
        spans = (
            _of_protobuf(one, f"resource_spans[{at}].scope_spans[{of}].spans[{nth}]", scope)
            for of, scope in enumerate(resource.scope_spans)
            for nth, one in enumerate(scope.spans)
        )
        _take(found, spans, about=about, service=service)
    return found


def _of_json(span: dict[str, Any], where: str, scope: dict[str, Any]) -> _Span:
    events = [
        (number(one.get("timeUnixNano"), 1, 1 << 64) or 0, values.of_json(one.get("attributes")))
        for one in items(span.get("events"))
        if one.get("name") == EXCEPTION
    ]
    return _Span(
        where=where,
        trace=text(span.get("traceId")).lower(),
        span=text(span.get("spanId")).lower(),
        above=text(span.get("parentSpanId")).lower(),
        name=text(span.get("name")),
        scope=text(under(scope, "scope").get("name")),
        attributes=values.of_json(span.get("attributes")) if events else {},
        events=events,
    )


def _of_protobuf(span: Any, where: str, scope: Any) -> _Span:
    events = [
        (one.time_unix_nano, values.of_protobuf(one.attributes))
        for one in span.events
        if one.name == EXCEPTION
    ]
    return _Span(
        where=where,
        trace=span.trace_id.hex(),
        span=span.span_id.hex(),
        above=span.parent_span_id.hex(),
        name=span.name[:512],
        scope=scope.scope.name[:512],
        attributes=values.of_protobuf(span.attributes) if events else {},
        events=events,
    )


def _take(found: Found, spans: Iterable[_Span], *, about: dict[str, Any], service: str) -> None:
    """The exceptions of one resource's spans."""
    above: dict[tuple[str, str], str] = {}
    made: list[tuple[str, Seen, ErrorEvent]] = []
    so_far = len(found.events) + len(found.refused) + sum(found.ignored.values())
    for span in spans:
        so_far += max(1, len(span.events))
        if so_far > MAX_RECORDS:
            raise DataError("size", f"more than {MAX_RECORDS} spans and exceptions in one request")
        above[span.trace, span.span] = span.above
        if not _exceptions(found, span, about, made):
            found.ignore("no_exception")
    passed = _passed_on(above, {seen for _, seen, _ in made})
    for where, seen, one in made:
        if seen in passed:
            found.ignore("passed_on")
        else:
            take(found, where, one, service)


def _exceptions(
    found: Found, span: _Span, about: dict[str, Any], made: list[tuple[str, Seen, ErrorEvent]]
) -> bool:
    told = False
    last: tuple[int, Seen] | None = None
    for at, (time, attributes) in enumerate(span.events):
        if not raised(attributes):
            continue
        told = True
        own = {**span.attributes, **attributes}
        record = {
            "time": time, "severity": 0, "body": "", "event": EXCEPTION, "scope": span.scope,
            "trace_id": span.trace, "span_id": span.span,
        }  # fmt: skip
        one = event(own, about, record)
        one.operation = one.operation or span.name
        seen = (span.trace, span.span, one.error_type, one.message)
        if last is not None and last[1] == seen and 0 <= time - last[0] <= _TWICE_NS:
            found.ignore("passed_on")
        else:
            made.append((f"{span.where}.events[{at}]", seen, one))
        last = (time, seen)
    return told


def _passed_on(above: dict[tuple[str, str], str], told: set[Seen]) -> set[Seen]:
    """What a span below tells of too. Of each, the next span above that tells of it."""
    passed: set[Seen] = set()
    for trace, span, error_type, message in told:
        outer = span
        for _ in range(_DEEPEST):
            outer = above.get((trace, outer), "")
            if not outer or outer == span:
                break
            seen = (trace, outer, error_type, message)
            if seen in told:
                passed.add(seen)
                break
    return passed
