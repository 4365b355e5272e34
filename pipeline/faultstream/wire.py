"""Encoding and decoding of what stands on the topics; the only place that knows JSON.

Times are integers (milliseconds since the epoch, UTC) in the structs and RFC 3339 strings with
milliseconds on the wire; both forms are accepted on the way in.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeVar

import msgspec
import orjson

from faultstream.core.errors import DataError
from faultstream.core.event import ErrorEvent
from faultstream.core.ids import derive
from faultstream.core.records import Record

R = TypeVar("R", bound=Record)

CONTENT_TYPE: Final = b"application/json"
SOURCE: Final = "faultstream"
EVENT_TYPE: Final = "io.faultstream.error.raised.v1"

UUID_DIGITS: Final = 32
SPAN_DIGITS: Final = 16
_HEX: Final = frozenset("0123456789abcdef")

loads = orjson.loads

_EVENT_ENCODER: Final = msgspec.json.Encoder()


def dumps(value: object) -> bytes:
    """Compact JSON in UTF-8 with sorted keys, so that equal values give equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def rfc3339(time_ms: int) -> str:
    """`2026-11-22T02:01:39.120Z` for milliseconds since the epoch."""
    seconds, rest = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def parse_time(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 string; without a zone it is taken as UTC.

    Raises:
        ValueError: not a time, or outside the years 1 to 9999.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


@cache
def _time_fields(kind: type[Record]) -> tuple[str, ...]:
    fields = msgspec.structs.fields(kind)
    return tuple(field.encode_name for field in fields if field.name.endswith("_at_ms"))


def to_dict(record: Record) -> dict[str, Any]:
    """The record as plain JSON values, times as strings, fields at their default left out."""
    plain: dict[str, Any] = msgspec.to_builtins(record)
    for name in _time_fields(type(record)):
        if plain.get(name) is not None:
            plain[name] = rfc3339(plain[name])
    return plain


def encode(record: Record) -> bytes:
    """The bytes of a record on its topic. Equal records give equal bytes."""
    return dumps(to_dict(record))


def from_dict(kind: type[R], plain: Mapping[str, Any]) -> R:
    """The record that `plain` describes; unknown fields are ignored.

    Raises:
        DataError: stage `validate`, naming the field.
    """
    values = dict(plain)
    for name in _time_fields(kind):
        value = values.get(name)
        if isinstance(value, str):
            try:
                values[name] = parse_time(value)
            except (ValueError, OverflowError) as exc:
                raise DataError("validate", f"{name}: not an RFC 3339 time: {value!r}") from exc
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as exc:
        raise DataError("validate", str(exc)) from exc


def decode(kind: type[R], value: bytes | None) -> R:
    """The record in a topic's value.

    Raises:
        DataError: stage `decode` when it is no JSON object, else `validate`.
    """
    if value is None:
        raise DataError("decode", "the value is null")
    try:
        plain = orjson.loads(value)
    except orjson.JSONDecodeError as exc:
        raise DataError("decode", f"not JSON: {exc}") from exc
    if not isinstance(plain, dict):
        raise DataError("decode", f"expected a JSON object, got {type(plain).__name__}")
    return from_dict(kind, plain)


def headers(record: Record, record_id: str, time_ms: int) -> list[tuple[str, bytes]]:
    """CloudEvents 1.0 headers in Kafka's binary mode for `record`, and its `traceparent`."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", record_id.encode()),
        ("ce_source", SOURCE.encode()),
        ("ce_type", record.ce_type.encode()),
        ("ce_time", rfc3339(time_ms).encode()),
        ("content-type", CONTENT_TYPE),
        ("traceparent", traceparent(record, record_id).encode()),
    ]


def traceparent(record: Record, record_id: str) -> str:
    """W3C trace context: one trace for all that belongs to an incident, whose id is that of the
    incident without its hyphens; a span for each record. What belongs to none is a trace alone."""
    own, incident_id = _hex(record_id), getattr(record, "incident_id", "")
    return f"00-{_hex(incident_id) if incident_id else own}-{own[SPAN_DIGITS:]}-01"


def _hex(identity: str) -> str:
    """32 digits: those of a UUID, else derived."""
    plain = identity.replace("-", "")
    if _is_hex(plain, UUID_DIGITS) and plain[SPAN_DIGITS:].strip("0"):
        return plain
    return derive("trace", identity).replace("-", "")


def _is_hex(text: str, digits: int) -> bool:
    """So many digits of which one is not 0, as W3C wants it."""
    return len(text) == digits and _HEX.issuperset(text) and bool(text.strip("0"))


def encode_event(event: ErrorEvent) -> bytes:
    """The bytes of an ErrorEvent on its topic, an integer `time` as RFC 3339.

    Raises:
        UnicodeEncodeError: a string holds lone surrogates.
    """
    if isinstance(event.time, int):
        event = msgspec.structs.replace(event, time=rfc3339(event.time))
    return _EVENT_ENCODER.encode(event)


def event_headers(event: ErrorEvent, traceparent: str = "") -> list[tuple[str, bytes]]:
    """CloudEvents 1.0 headers for an event whose id and time are known, and W3C traceparent."""
    time = rfc3339(event.time) if isinstance(event.time, int) else event.time or ""
    found = [
        ("ce_specversion", b"1.0"),
        ("ce_id", event.event_id.encode()),
        ("ce_source", SOURCE.encode()),
        ("ce_type", EVENT_TYPE.encode()),
        ("ce_time", time.encode()),
        ("content-type", CONTENT_TYPE),
    ]
    if traceparent or (traceparent := _known_trace(event)):
        found.append(("traceparent", traceparent.encode()))
    return found


def _known_trace(event: ErrorEvent) -> str:
    """The trace context that an event names by its ids, "" when it names none."""
    trace_id, span_id = event.trace_id.lower(), event.span_id.lower()
    if not _is_hex(trace_id, UUID_DIGITS):
        return ""
    if not _is_hex(span_id, SPAN_DIGITS):
        span_id = _hex(event.event_id)[SPAN_DIGITS:]
    return f"00-{trace_id}-{span_id}-01"


def plain(value: Any) -> Any:
    """A struct of a report as JSON values; times as RFC 3339, their names without `_ms`."""
    if isinstance(value, msgspec.Struct):
        value = {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, dict):
        timed = {name for name in value if name == "at_ms" or name.endswith("_at_ms")}
        return {
            name.removesuffix("_ms") if name in timed else name: rfc3339(each)
            if name in timed and each is not None
            else plain(each)
            for name, each in value.items()
        }
    return [plain(each) for each in value] if isinstance(value, list) else value
