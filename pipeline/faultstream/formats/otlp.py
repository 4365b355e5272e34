"""OpenTelemetry's logs (OTLP 1) to ErrorEvents: JSON and protobuf in, one way of reading for both.

A log record is an error when its severity is ERROR or worse, or when it carries `exception.*`.
All others are counted and left out. Source: https://opentelemetry.io/docs/specs/otlp/.
"""

from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from faultstream.core.errors import DataError
from faultstream.formats import otlp_values as values
from faultstream.formats.found import Found, items, number, text, under
from faultstream.formats.otlp_event import ERROR, MAX_RECORDS, event, raised, take


def from_json(body: bytes, service: str) -> Found:
    """What an export request in JSON holds. `service` is for resources that name none.

    Raises:
        DataError: stage `decode` (no request) or `size`.
    """
    plain = values.request_of_json(body)
    found = Found()
    for at, resource in enumerate(items(plain.get("resourceLogs"))):
        about = values.of_json(under(resource, "resource").get("attributes"))
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
    request = values.request_of_protobuf(body, ExportLogsServiceRequest())
    found = Found()
    for at, resource in enumerate(request.resource_logs):
        about = values.of_protobuf(resource.resource.attributes)
        for of, scope in enumerate(resource.scope_logs):
            for nth, record in enumerate(scope.log_records):
                where = f"resource_logs[{at}].scope_logs[{of}].log_records[{nth}]"
                plain = {
                    "time": record.time_unix_nano or record.observed_time_unix_nano,
                    "severity": record.severity_number,
                    "level": record.severity_text,
                    "body": values.one_of_protobuf(record.body),
                    "attributes": values.of_protobuf(record.attributes),
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
        "body": values.one_of_json(record.get("body")),
        "attributes": values.of_json(record.get("attributes")),
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
    if record["severity"] < ERROR and not raised(own):
        found.ignore("below_error")
        return
    take(found, where, event(own, about, record), service)
