"""OpenTelemetry's logs (OTLP 1) to ErrorEvents: JSON and protobuf in, one way of reading for both.

A log record is an error when its severity is ERROR or worse, or when it carries `exception.*`.
All others are counted and left out. Names of attributes are those of the semantic conventions, the
older ones too. Source: https://opentelemetry.io/docs/specs/otlp/ and /docs/specs/semconv/.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from faultstream.core.errors import DataError
from faultstream.core.event import ErrorEvent
from faultstream.core.severity import Severity
from faultstream.formats.found import Found, Refused, hexadecimal, items, number, text, under
from faultstream.formats.logs import stack
from faultstream.formats.logs.head import PLAIN
from faultstream.formats.native import MAX_TIME_MS, loads

ERROR: Final = 17
_FATAL: Final = 21
_WARN: Final = 13
MAX_RECORDS: Final = 20_000
_DEEPEST: Final = 8
_UNKNOWN: Final = "unknown_service"
"""What the specification has SDKs say when nobody named the service."""

# Our field -> attributes of the record, then of the resource, the first that is there.
_NAMED: Final[Mapping[str, tuple[str, ...]]] = {
    "service": ("service.name",),
    "environment": ("deployment.environment.name", "deployment.environment"),
    "layer": ("faultstream.layer",),
    "host": ("host.name", "k8s.node.name"),
    "instance": ("service.instance.id", "k8s.pod.name"),
    "release": ("service.version",),
    "operation": ("http.route", "rpc.method", "messaging.operation.name", "url.template"),
    "component": ("code.namespace",),
    "function": ("code.function.name", "code.function"),
    "request_id": ("request.id", "http.request.id", "http.request.header.x-request-id"),
    "user_id": ("user.id", "enduser.id"),
    "session_id": ("session.id",),
    "correlation_id": ("correlation.id",),
    "experiment_id": ("faultstream.experiment_id",),
}
_STATUS: Final = ("http.response.status_code", "http.status_code")
_EXCEPTION: Final = ("exception.type", "exception.message", "exception.stacktrace")
_USED: Final = frozenset(
    [*(name for names in _NAMED.values() for name in names), *_STATUS, *_EXCEPTION,
     "exception.escaped"]
)  # fmt: skip
_LEVELS: Final[tuple[tuple[int, Severity], ...]] = ((_FATAL, "fatal"), (ERROR, "high"),
                                                    (_WARN, "medium"), (1, "low"))  # fmt: skip


def from_json(body: bytes, service: str) -> Found:
    """What an export request in JSON holds. `service` is for resources that name none.

    Raises:
        DataError: stage `decode` (no request) or `size`.
    """
    plain = loads(body)
    if not isinstance(plain, dict):
        raise DataError("decode", "an export request must be a JSON object")
    found = Found()
    for at, resource in enumerate(items(plain.get("resourceLogs"))):
        about = _attributes(under(resource, "resource").get("attributes"))
        for of, scope in enumerate(items(resource.get("scopeLogs"))):
            name = text(under(scope, "scope").get("name"))
            for nth, record in enumerate(items(scope.get("logRecords"))):
                where = f"resourceLogs[{at}].scopeLogs[{of}].logRecords[{nth}]"
                told = {**_plain(record), "scope": name}
                _take(found, where, told, about=about, service=service)
    return found


def from_protobuf(body: bytes, service: str) -> Found:
    """What an export request in protobuf holds. `service` is for resources that name none.

    Raises:
        DataError: stage `decode` (no request) or `size`.
    """
    request = ExportLogsServiceRequest()
    try:
        request.ParseFromString(body)
    except (DecodeError, RecursionError) as exc:
        raise DataError("decode", f"no ExportLogsServiceRequest: {exc}") from exc
    found = Found()
    for at, resource in enumerate(request.resource_logs):
        about = _values(resource.resource.attributes)
        for of, scope in enumerate(resource.scope_logs):
            for nth, record in enumerate(scope.log_records):
                where = f"resource_logs[{at}].scope_logs[{of}].log_records[{nth}]"
                plain = {
                    "time": record.time_unix_nano or record.observed_time_unix_nano,
                    "severity": record.severity_number,
                    "level": record.severity_text,
                    "body": _value(record.body),
                    "attributes": _values(record.attributes),
                    "trace_id": record.trace_id.hex(),
                    "span_id": record.span_id.hex(),
                    "event": record.event_name,
                    "scope": scope.scope.name[:512],
                }
                _take(found, where, plain, about=about, service=service)
    return found


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    most = 1 << 64
    return {
        "time": number(record.get("timeUnixNano"), 1, most)
        or number(record.get("observedTimeUnixNano"), 1, most),
        "severity": number(record.get("severityNumber"), 0, 24) or 0,
        "level": text(record.get("severityText")),
        "body": _any(record.get("body")),
        "attributes": _attributes(record.get("attributes")),
        "trace_id": text(record.get("traceId")),
        "span_id": text(record.get("spanId")),
        "event": text(record.get("eventName")),
    }


def _take(
    found: Found, where: str, record: dict[str, Any], *, about: dict[str, Any], service: str
) -> None:
    if len(found.events) + len(found.refused) + sum(found.ignored.values()) >= MAX_RECORDS:
        raise DataError("size", f"more than {MAX_RECORDS} log records in one request")
    own: dict[str, Any] = record["attributes"]
    raised = any(own.get(name) for name in _EXCEPTION)
    if record["severity"] < ERROR and not raised:
        found.ignore("below_error")
        return
    made = _event(own, about, record)
    if made.service.startswith(_UNKNOWN):
        made.service = ""
    made.service = made.service or service
    if not made.service:
        mend = "set service.name, by OTEL_SERVICE_NAME or on the resource"
        found.refused.append(Refused(where, "service.name: missing", mend))
        return
    found.events.append((where, made))


def _event(own: dict[str, Any], about: dict[str, Any], record: dict[str, Any]) -> ErrorEvent:
    traced = text(own.get("exception.stacktrace"), 1 << 16)
    parsed = stack.parse(traced.split("\n")) if traced else None
    said = text(record["body"], 1 << 16)
    message = text(own.get("exception.message"), 1 << 16)
    error_type = text(own.get("exception.type"))
    if parsed is not None and parsed.error_type.endswith(f".{error_type}".lstrip(".")):
        error_type = parsed.error_type  # with its module
    made = ErrorEvent(service="", error_type=error_type or text(record["event"]) or PLAIN)
    for field, names in _NAMED.items():
        told = next((told for told in (_first(own, names), _first(about, names)) if told), "")
        if told:
            setattr(made, field, told)
    made.component = made.component or record["scope"]
    made.message = message or (parsed.message if parsed is not None else "") or said
    made.time = _milliseconds(record["time"])
    made.severity = _severity(record["severity"], raised=bool(error_type or traced))
    made.trace_id = hexadecimal(record["trace_id"], 32)
    made.span_id = hexadecimal(record["span_id"], 16)
    made.http_status = next(
        (one for name in _STATUS if (one := number(own.get(name), 100, 599))), None
    )
    if parsed is not None:
        made.frames, made.causes = parsed.frames, parsed.causes
    made.tags = {
        name: text(value, 4_096)
        for name, value in own.items()
        if name not in _USED and text(value, 4_096)
    }
    if said and said != made.message:
        made.tags = {"log_message": said[:1_024], **made.tags}
    return made


def _severity(given: int, *, raised: bool) -> str:
    """Only what is not an ordinary error is worth saying; classification knows better."""
    told = next((name for least, name in _LEVELS if given >= least), "")
    if told == "high" or (raised and not given):
        return ""
    return told


def _milliseconds(nanoseconds: int | None) -> int | None:
    time = (nanoseconds or 0) // 1_000_000
    return time if 0 < time < MAX_TIME_MS else None


def _first(attributes: dict[str, Any], names: Iterable[str]) -> str:
    return next((told for name in names if (told := text(attributes.get(name)))), "")


def _attributes(given: Any) -> dict[str, Any]:
    """Those of JSON: a list of `{key, value: {stringValue: ...}}`."""
    return {text(one.get("key")): _any(one.get("value")) for one in items(given)[:500]}


def _any(value: Any, depth: int = 0) -> Any:
    """A value of JSON's form, as text or number; lists and objects as JSON text."""
    if not isinstance(value, dict) or depth > _DEEPEST:
        return None
    for name in ("stringValue", "doubleValue", "bytesValue"):
        if name in value:
            return value[name] if isinstance(value[name], str | int | float) else None
    if "intValue" in value:
        return number(value["intValue"], -(1 << 63), 1 << 63)
    if "boolValue" in value:
        return "true" if value["boolValue"] is True else "false"
    if "arrayValue" in value:
        found = [_any(one, depth + 1) for one in items(under(value, "arrayValue").get("values"))]
        return _dumped(found)
    pairs = items(under(value, "kvlistValue").get("values"))
    return _dumped({text(one.get("key")): _any(one.get("value"), depth + 1) for one in pairs})


def _values(given: Iterable[KeyValue]) -> dict[str, Any]:
    return {one.key[:512]: _value(one.value) for one, _ in zip(given, range(500), strict=False)}


def _value(value: AnyValue, depth: int = 0) -> Any:
    """A value of protobuf's form, as `_any` has those of JSON's."""
    kind = value.WhichOneof("value")
    if kind is None or depth > _DEEPEST:
        return None
    if kind == "array_value":
        return _dumped([_value(one, depth + 1) for one in value.array_value.values])
    if kind == "kvlist_value":
        pairs = value.kvlist_value.values
        return _dumped({one.key: _value(one.value, depth + 1) for one in pairs})
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return getattr(value, kind)


def _dumped(value: Any) -> str:
    try:
        return orjson.dumps(value).decode() if value else ""
    except (TypeError, ValueError):
        return ""
