"""Sentry's envelopes: what of them becomes an event, and what each field of it is."""

import json
from typing import Any

import pytest

from faultstream.core.errors import DataError
from faultstream.core.event import Cause, ErrorEvent, Frame
from faultstream.formats import sentry
from faultstream.formats.logs.head import PLAIN

HEADER = b'{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}\n'
EVENT: dict[str, Any] = {
    "event_id": "9ec79c33ec9942ab8353589fcb2e04dc",
    "timestamp": 1_790_000_000.25,
    "platform": "java",
    "level": "error",
    "logger": "shop.Till",
    "server_name": "till-1",
    "release": "till@2.4.1",
    "environment": "staging",
    "transaction": "POST /charge",
    "fingerprint": ["{{default}}", "till"],
    "tags": [["shard", "7"], ["layer", "service"], ["service", "till"], ["up", True]],
    "user": {"id": 42, "email": "ann@example.org", "ip_address": "10.0.0.7"},
    "contexts": {
        "trace": {"trace_id": "771a43a4192642f0b136d5159a501700", "span_id": "bb8f278130535c3c"},
        "response": {"status_code": 502},
    },
    "request": {"headers": [["X-Request-Id", "r-1"], ["Authorization", "Bearer secret"]]},
    "breadcrumbs": {"values": [{"message": "token=abc"}]},
    "exception": {
        "values": [
            {"type": "SocketException", "module": "java.net", "value": "Connection reset"},
            {
                "type": "PaymentException",
                "module": "shop.pay",
                "value": "not charged",
                "mechanism": {"type": "generic", "handled": False},
                "stacktrace": {
                    "frames": [
                        {"module": "java.lang.Thread", "function": "run", "in_app": False},
                        {"module": "shop.Till", "function": "charge", "filename": "Till.java",
                         "lineno": 42, "in_app": True, "vars": {"card": "4111"}},
                    ]
                },
            },
        ]
    },
}  # fmt: skip


def one(**more: Any) -> ErrorEvent:
    ((_, found),) = sentry.event(json.dumps({**EVENT, **more}).encode(), "default").events
    return found


def test_every_field_has_its_place() -> None:
    """The outermost exception is the event and those before it its causes; nothing else is kept of
    what the SDK knows of users, requests and variables."""
    assert one() == ErrorEvent(
        service="till", error_type="shop.pay.PaymentException", message="not charged",
        event_id="9ec79c33-ec99-42ab-8353-589fcb2e04dc", time=1_790_000_000_250,
        environment="staging", layer="service", host="till-1", release="till@2.4.1",
        operation="POST /charge", component="shop.Till", fingerprint=["{{ default }}", "till"],
        handled=False, causes=[Cause("java.net.SocketException", "Connection reset")],
        frames=[
            Frame(module="java.lang.Thread", function="run", in_app=False),
            Frame(module="shop.Till", function="charge", file="Till.java", line=42, in_app=True),
        ],
        http_status=502, request_id="r-1", user_id="42",
        trace_id="771a43a4192642f0b136d5159a501700", span_id="bb8f278130535c3c",
        tags={"shard": "7", "up": "true", "platform": "java"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("level", "severity"),
    [("fatal", "fatal"), ("error", ""), ("warning", "medium"), ("info", "low"), ("odd", "")],
)
def test_only_what_is_no_ordinary_error_has_a_severity(level: str, severity: str) -> None:
    """An ordinary error is left to classification; so is a level that nobody knows."""
    assert one(level=level).severity == severity


@pytest.mark.parametrize(
    ("message", "taken"),
    [
        ({"level": "error", "message": "full"}, True),
        ({"level": "fatal", "logentry": {"message": "%s", "formatted": "full"}}, True),
        ({"logentry": {"message": "full"}}, True),
        ({"level": "warning", "message": "full"}, False),
        ({"level": "info", "exception": {"values": [{"value": "full"}]}}, False),
        ({"level": "info", "exception": {"values": [{"value": "full", "type": "E"}]}}, True),
    ],
)
def test_messages(message: dict[str, Any], *, taken: bool) -> None:
    """A message is an event at error and above, also when the SDK adds a stack to it; an exception
    always is."""
    found = sentry.event(json.dumps(message).encode(), "s")
    assert [event.message for _, event in found.events] == (["full"] if taken else [])
    assert found.ignored == ({} if taken else {"message": 1})
    if taken and "exception" not in message:
        assert found.events[0][1].error_type == PLAIN


def test_an_envelope() -> None:
    """Items with and without a length, in any order; only events count, and the envelope's id is
    that of an event without one."""
    event = json.dumps({**EVENT, "event_id": None}).encode()
    size = str(len(event)).encode()
    body = (
        HEADER
        + b'{"type":"session"}\n{"started":"now"}\n'
        + b'{"type":"attachment","length":5}\n\n\n\n\n\n\n'
        + b'{"type":"event","length":' + size + b"}\n" + event + b"\n"
        + b'{"type":"new_kind"}\n{}\n'
        + b'{"type":"event"}\n[]'
    )  # fmt: skip
    found = sentry.envelope(body, "s")
    assert [event.event_id for _, event in found.events] == ["9ec79c33-ec99-42ab-8353-589fcb2e04dc"]
    assert found.ignored == {"session": 1, "attachment": 1, "other": 1}
    assert [(one.where, one.problem) for one in found.refused] == [("item 4", "no JSON object")]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the first line"),
        (b"[]\n", "the first line"),
        (HEADER + b"no header\n", "no header of an item"),
        (HEADER + b'{"type":"event","length":9}\n{}', "cut off"),
        (HEADER + b'{"type":"session"}\n{}\n' * 201, "more than 200 items"),
    ],
)
def test_what_is_no_envelope(body: bytes, reason: str) -> None:
    """It is said what is wrong, and where."""
    with pytest.raises(DataError, match=reason):
        sentry.envelope(body, "s")


def test_a_crashed_thread() -> None:
    """Without a stack of its own the event has that of the thread that crashed."""
    threads = [
        {"stacktrace": {"frames": [{"function": "other"}]}},
        {"crashed": True, "stacktrace": {"frames": [{"function": "main"}]}},
    ]
    found = one(exception=[{"type": "SIGSEGV"}], threads={"values": threads})
    assert [frame.function for frame in found.frames] == ["main"]
