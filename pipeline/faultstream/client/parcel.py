"""From an event to the bytes that leave: scrubbed, within the limits of the topic, encoded.

The last step before the spool and Kafka, so nothing unscrubbed is ever written anywhere.
"""

from faultstream import wire
from faultstream.client.outbox import Entry
from faultstream.client.sender import Parcel
from faultstream.core.event import MAX_RECORD_BYTES, ErrorEvent
from faultstream.core.scrub import scrub_event


def fingerprint(entry: Entry, *, emails: bool) -> str:
    """The fingerprint that the pipeline will give it, of what stays after scrubbing."""
    from faultstream.core.fingerprint import fingerprint as of  # noqa: PLC0415 - rarely needed
    from faultstream.core.template import canonical, head, parameterise  # noqa: PLC0415

    scrub_event(entry.event, emails=emails)
    return of(entry.event, parameterise(canonical(head(entry.event.message)))).app


def encode(entry: Entry, *, emails: bool) -> bytes:
    """The bytes of an entry, made once; empty when it cannot be brought within the limit."""
    if not entry.value:
        event = entry.event
        scrub_event(event, emails=emails)
        entry.value = _bytes(event)
        if len(entry.value) > MAX_RECORD_BYTES:
            _shorten(event)
            entry.value = _bytes(event)
    return entry.value if len(entry.value) <= MAX_RECORD_BYTES else b""


def parcel(entry: Entry, topic: str) -> Parcel:
    """An encoded entry as a record: key is the service, headers are CloudEvents."""
    event = entry.event
    headers = wire.event_headers(event, entry.traceparent)
    key = event.service.encode("utf-8", "replace")
    return Parcel(topic, key, entry.value, headers, entry)


def spooled(line: bytes, topic: str) -> Parcel:
    """A line of the spool as a record; raises ValueError when it is none."""
    plain = wire.loads(line)
    event = ErrorEvent(
        service=plain["service"],
        error_type=plain["error_type"],
        event_id=plain["event_id"],
        time=plain["time"],
        count=plain.get("count", 1),
    )
    headers = wire.event_headers(event)
    return Parcel(topic, event.service.encode(), line, headers, event)


def _bytes(event: ErrorEvent) -> bytes:
    try:
        return wire.encode_event(event)
    except UnicodeEncodeError:
        _mend(event)
        return wire.encode_event(event)


def _shorten(event: ErrorEvent) -> None:
    """Leave out what is bulky; `cut` says what."""
    event.frames = event.frames[-20:]
    event.causes = event.causes[:5]
    event.tags = {}
    event.cut = sorted({*event.cut, "frames", "causes", "tags"})


def _mend(event: ErrorEvent) -> None:
    """Lone surrogates (from undecodable file names, say) have no UTF-8: they become `?`."""
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if isinstance(value, str):
            setattr(event, name, _utf8(value))
    event.tags = {_utf8(key): _utf8(value) for key, value in event.tags.items()}
    event.fingerprint = [_utf8(part) for part in event.fingerprint]
    event.bases = [_utf8(name) for name in event.bases]
    for cause in event.causes:
        cause.error_type, cause.message = _utf8(cause.error_type), _utf8(cause.message)
    for frame in event.frames:
        frame.module, frame.function = _utf8(frame.module), _utf8(frame.function)
        frame.file = _utf8(frame.file)


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
