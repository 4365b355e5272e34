"""What applications say by mistake: the error is reported all the same, and the mistake is told."""

import http
import logging
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from faultstream import wire
from faultstream.client import FaultError, Reporter, detail
from faultstream.core.event import ErrorEvent
from faultstream.formats.native import admit
from tests.client.waiting import reporter_without_kafka, waiting


@pytest.fixture
def reporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reporter]:
    """A reporter whose events wait; nothing was warned of yet."""
    monkeypatch.setattr(detail, "_warned", set())
    with reporter_without_kafka() as made:
        yield made


def reported(reporter: Reporter, *args: Any, **details: Any) -> ErrorEvent:
    """The event, as the pipeline takes it in."""
    assert reporter.report(*args, **details)
    event = waiting(reporter)[-1]
    return admit(wire.encode_event(event), timestamp_ms=0)


class Unreadable:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no")


USER = uuid.UUID(int=7)


@pytest.mark.parametrize(
    ("details", "field", "value"),
    [
        ({"user_id": 42}, "user_id", "42"),
        ({"request_id": USER}, "request_id", str(USER)),
        ({"http_status": http.HTTPStatus.NOT_FOUND}, "http_status", 404),
        ({"http_status": "503"}, "http_status", 503),
        ({"severity": "WARNING"}, "severity", "medium"),
        ({"fingerprint": "my group"}, "fingerprint", ["my group"]),
        ({"fingerprint": 7}, "fingerprint", ["7"]),
        ({"handled": 0}, "handled", False),
        ({"count": "3"}, "count", 3),
        ({"count": -5}, "count", 1),
        ({"tags": {1: None}}, "tags", {"1": "None"}),
    ],
)
def test_what_can_be_understood_is(
    reporter: Reporter,
    caplog: pytest.LogCaptureFixture,
    details: dict[str, Any],
    field: str,
    value: object,
) -> None:
    """Values of another type that say the same."""
    assert getattr(reported(reporter, "Oops", **details), field) == value
    assert not caplog.records


@pytest.mark.parametrize(
    ("details", "said", "became"),
    [
        ({"severity": "hgih"}, "severity: expected low, medium, high, critical or fatal, got hgih",
         ("severity", "")),
        ({"http_status": 7}, "http_status: expected a whole number from 100 to 599, got 7",
         ("http_status", None)),
        ({"retry_count": "often"},
         "retry_count: expected a whole number from 0 to 2147483648, got often",
         ("retry_count", None)),
        ({"count": "many"}, "count: expected a whole number, got str", ("count", 1)),
        ({"tags": ["a"]}, "tags: expected a mapping, got list", ("tags", {"tags": "['a']"})),
        ({"order": {4711}}, "there is no such detail, it becomes a tag: order",
         ("tags", {"order": "{4711}"})),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_once_and_the_error_is_reported(
    reporter: Reporter,
    caplog: pytest.LogCaptureFixture,
    details: dict[str, Any],
    said: str,
    became: tuple[str, object],
) -> None:
    """By the log, with what was expected and what was given."""
    for number in range(2):
        event = reported(reporter, f"Oops{number}", **details)
        assert getattr(event, became[0]) == became[1]
    assert [record.message for record in caplog.records] == [f"reporting an error: {said}"]
    assert reporter.stats().dropped == {}


def test_classes_and_messages_that_are_no_text_are_errors_too(reporter: Reporter) -> None:
    """An exception's class in the place of an instance; a message with no text at all."""
    assert reported(reporter, TimeoutError).error_type == "TimeoutError"
    assert reported(reporter, "Oops", 42).message == "42"
    assert reported(reporter, "Oops", Unreadable()).message == (
        "<no text: __str__ raised RuntimeError>"
    )
    assert reported(reporter, "Oops", user_id=Unreadable()).user_id.startswith("<no text")


class OddError(FaultError):
    """Cannot say what it is."""

    @property
    def category(self) -> str:  # type: ignore[override]
        """Nothing."""
        raise LookupError("no")


def test_an_error_whose_attributes_raise_is_reported(
    reporter: Reporter, caplog: pytest.LogCaptureFixture
) -> None:
    """With what else is known of it."""
    event = reported(reporter, OddError("odd"), operation="charge")
    assert (event.message, event.operation) == ("odd", "charge")
    assert caplog.records[0].message == "reporting an error: OddError cannot be read: no"


def test_an_error_that_is_lost_all_the_same_says_why(
    reporter: Reporter, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a type, and it is counted; the application goes on."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("never")

    monkeypatch.setattr("faultstream.client.reporter.build", broken)
    with caplog.at_level(logging.WARNING):
        assert [reporter.report(name) for name in ("A", "B")] == ["", ""]
    assert [record.message for record in caplog.records] == [
        "reporting an error: it is lost: ZeroDivisionError: never"
    ]
    stats = reporter.stats()
    assert (stats.reported, stats.dropped) == (2, {"broken": 2})


def test_reporting_amid_reporting_waits_for_nobody(reporter: Reporter) -> None:
    """As signal handlers and finalizers do, at the worst moment: with the lock in hand."""
    inside: list[object] = []

    def clock() -> float:
        if not inside:
            inside.append(reporter.report("Inner"))
            inside.append(reporter.stats().reported)
            inside.append(reporter.flush(0.01))
        return time.monotonic()

    reporter._delivery.outbox._clock = clock
    thread = threading.Thread(target=reporter.report, args=("Outer",), daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert inside[0] == ""
    assert [event.error_type for event in waiting(reporter)] == ["Outer"]
    stats = reporter.stats()
    assert (stats.reported, stats.waiting, stats.dropped) == (2, 1, {"reentrant": 1})
