"""CloudEvents and W3C trace context on every record that is published."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream import wire
from faultstream.core.event import ErrorEvent
from faultstream.core.records import Record, RecoveryCommand
from tests.contract.contracts import RECORDS, examples

W3C = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01")
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def _records(kind: type[Record], topic: str) -> list[Record]:
    return [wire.decode(kind, one.read_bytes()) for one in examples(topic, "good")]


@pytest.mark.parametrize("topic", RECORDS)
def test_every_record_has_its_headers(topic: str) -> None:
    """The five of CloudEvents, the content type, and a trace context as W3C writes it."""
    for record in _records(RECORDS[topic], topic):
        found = dict(wire.headers(record, "0190b0c4-5d1e-8f2a-9c3b-0000000000c1", 1))
        assert set(found) == {
            "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type",
            "traceparent",
        }  # fmt: skip
        assert W3C.fullmatch(found["traceparent"].decode())


def test_what_belongs_to_an_incident_is_one_trace() -> None:
    """Commands, results, notifications and the incident: its id, and a span for each record."""
    about = "0190b0c4-5d1e-8f2a-9c3b-0000000000b1"
    found: list[str] = []
    for number, topic in enumerate(RECORDS):
        record: Any = _records(RECORDS[topic], topic)[0]
        if hasattr(record, "incident_id"):
            record.incident_id = about
            found.append(wire.traceparent(record, f"{about[:-2]}{number:02x}"))
    traces, spans = {one[3:35] for one in found}, {one[36:52] for one in found}
    assert traces == {about.replace("-", "")}
    assert len(spans) == len(found) >= 3


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_id_gives_a_trace(incident_id: str, record_id: str) -> None:
    """Ids come from anywhere; what is no UUID is made into one, always the same."""
    record: Any = _records(RecoveryCommand, "recovery.commands.v1")[0]
    record.incident_id = incident_id
    first = wire.traceparent(record, record_id)
    assert W3C.fullmatch(first)
    assert wire.traceparent(record, record_id) == first


@pytest.mark.parametrize(
    ("trace_id", "span_id", "found"),
    [
        (TRACE, SPAN, f"00-{TRACE}-{SPAN}-01"),
        (TRACE.upper(), "", f"00-{TRACE}-9c3b0000000000a1-01"),
        ("", SPAN, None),
        ("0" * 32, SPAN, None),
        ("t1", "", None),
    ],
)
def test_an_event_has_the_trace_that_it_names(
    trace_id: str, span_id: str, found: str | None
) -> None:
    """With a span made of its id when it names none; no header without a trace."""
    event = ErrorEvent(
        service="orders", error_type="A", event_id="0190b0c4-5d1e-8f2a-9c3b-0000000000a1",
        time=1, trace_id=trace_id, span_id=span_id,
    )  # fmt: skip
    headers = dict(wire.event_headers(event))
    assert headers.get("traceparent", b"").decode() == (found or "")
    assert dict(wire.event_headers(event, "00-x"))["traceparent"] == b"00-x"
