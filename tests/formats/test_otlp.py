"""OpenTelemetry's logs: what of them becomes an event, and that both forms say the same."""

import json
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from faultstream.core.errors import DataError
from faultstream.core.event import Cause, ErrorEvent
from faultstream.formats import otlp
from faultstream.formats.found import Found
from faultstream.formats.logs.head import PLAIN
from faultstream.formats.otlp_event import MAX_RECORDS

STACK = (
    "shop.pay.PaymentException: not charged\n"
    "\tat shop.Till.charge(Till.java:42)\n"
    "\tat java.base/java.lang.Thread.run(Thread.java:840)\n"
    "Caused by: java.net.SocketException: Connection reset\n"
    "\tat java.net.Socket.read(Socket.java:9)\n"
)


def texts(**values: object) -> list[dict[str, Any]]:
    """Attributes; `__` in a name stands for a dot."""
    kinds = {str: "stringValue", int: "intValue", float: "doubleValue", bool: "boolValue"}
    return [
        {"key": name.replace("__", "."), "value": {kinds[type(value)]: value}}
        for name, value in values.items()
    ]


RECORD: dict[str, Any] = {
    "timeUnixNano": "1790000000250000000",
    "severityNumber": 17,
    "severityText": "ERROR",
    "body": {"stringValue": "charging failed"},
    "attributes": texts(
        exception__type="PaymentException", exception__message="not charged",
        exception__stacktrace=STACK, http__route="/charge", http__response__status_code=502,
        user__id="42", shard=7, ratio=0.5, retried=True,
    ),
}  # fmt: skip
RESOURCE = texts(
    service__name="till", service__version="2.4.1", service__instance__id="till-9",
    deployment__environment__name="staging", host__name="h1", telemetry__sdk__language="java",
)  # fmt: skip


def request(*records: dict[str, Any], resource: Any = RESOURCE) -> dict[str, Any]:
    scope = {"scope": {"name": "shop.Till"}, "logRecords": list(records)}
    return {"resourceLogs": [{"resource": {"attributes": resource}, "scopeLogs": [scope]}]}


def both(plain: dict[str, Any], service: str = "") -> Found:
    """What JSON says, which is what protobuf says."""
    raw = ParseDict(plain, ExportLogsServiceRequest()).SerializeToString()
    found, other = otlp.from_json(json.dumps(plain).encode(), service), otlp.from_protobuf(
        raw, service
    )  # fmt: skip
    assert [event for _, event in found.events] == [event for _, event in other.events]
    assert found.ignored == other.ignored
    assert [one.problem for one in found.refused] == [one.problem for one in other.refused]
    return found


def test_every_field_has_its_place() -> None:
    """The exception with its module from the stack, what the resource says, the rest as tags."""
    ((where, event),) = both(request(RECORD)).events
    assert where == "resourceLogs[0].scopeLogs[0].logRecords[0]"
    frames, event.frames = event.frames, []
    assert [(frame.module, frame.function, frame.line) for frame in frames] == [
        ("java.lang.Thread", "run", 840), ("shop.Till", "charge", 42),
    ]  # fmt: skip
    assert event == ErrorEvent(
        service="till", error_type="shop.pay.PaymentException", message="not charged",
        time=1_790_000_000_250, environment="staging", host="h1", instance="till-9",
        release="2.4.1", operation="/charge", component="shop.Till", user_id="42",
        http_status=502, causes=[Cause("java.net.SocketException", "Connection reset")],
        tags={"log_message": "charging failed", "shard": "7", "ratio": "0.5", "retried": "true"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("number", "raised", "severity"),
    [
        (0, False, None), (16, False, None), (17, False, ""), (20, False, ""), (21, False, "fatal"),
        (24, False, "fatal"), (0, True, ""), (9, True, "low"), (13, True, "medium"), (17, True, ""),
    ],
)  # fmt: skip
def test_severities(number: int, severity: str | None, *, raised: bool) -> None:
    """ERROR and above, and exceptions whatever their level; None is no event."""
    record = {**RECORD, "severityNumber": number}
    if not raised:
        record["attributes"] = []
    found = both(request(record))
    assert [event.severity for _, event in found.events] == ([] if severity is None else [severity])
    assert found.ignored == ({"below_error": 1} if severity is None else {})


def test_a_plain_message() -> None:
    """Without an exception the body is the message, and the event's name its type if it has one."""
    for name, error_type in (("", PLAIN), ("disk.full", "disk.full")):
        record = {**RECORD, "attributes": [], "eventName": name}
        ((_, event),) = both(request(record)).events
        assert (event.error_type, event.message, event.tags) == (error_type, "charging failed", {})


@pytest.mark.parametrize(
    ("resource", "service", "named"),
    [
        ([], "token", "token"),
        (texts(service__name="unknown_service:java"), "token", "token"),
        (texts(service__name="till"), "token", "till"),
        ([], "", None),
    ],
)
def test_who_it_is_of(resource: Any, service: str, named: str | None) -> None:
    """The resource's service, else the token's; an SDK that was told none is none. Without any it
    is refused with the mend."""
    found = both(request(RECORD, resource=resource), service)
    assert [event.service for _, event in found.events] == ([named] if named else [])
    if not named:
        assert found.refused[0].mend.startswith("set service.name, by OTEL_SERVICE_NAME")


def test_trace_ids_are_hexadecimal_in_json() -> None:
    """As the specification has them there, in either case; others are none."""
    trace, span = "5B8EFFF798038103D269B633813FC60C", "EEE19B7EC3C1B174"
    for given, wanted in (
        ((trace, span), (trace.lower(), span.lower())),
        (("0" * 32, "x"), ("", "")),
    ):
        plain = request({**RECORD, "traceId": given[0], "spanId": given[1]})
        ((_, event),) = otlp.from_json(json.dumps(plain).encode(), "").events
        assert (event.trace_id, event.span_id) == wanted


def test_lists_and_objects_are_json_text() -> None:
    """So that a tag or a body may have any shape."""
    values = {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "a"}]}}
    pairs = {"kvlistValue": {"values": [{"key": "k", "value": values}]}}
    record = {**RECORD, "attributes": [{"key": "deep", "value": pairs}], "body": values}
    ((_, event),) = both(request(record)).events
    assert event.message == '[1,"a"]'
    assert json.loads(json.loads(event.tags["deep"])["k"]) == [1, "a"]


def test_records_are_bounded() -> None:
    """More than a request may hold is refused whole, before it is all read."""
    many = request(*[{"severityNumber": 1}] * (MAX_RECORDS + 1))
    with pytest.raises(DataError, match="more than 20000 log records"):
        otlp.from_json(json.dumps(many).encode(), "s")
