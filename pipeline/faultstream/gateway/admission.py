"""Admission: from what stood in a request to records for Kafka, scrubbed, within limits, with ids.

An event with an id keeps it. One with a time, or in a request with an `Idempotency-Key`, gets an id
derived from that request, so that the same request is the same events. The rest is named by its
place in the log, which is known when Kafka has it.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from faultstream import wire
from faultstream.core import ids
from faultstream.core.errors import DataError
from faultstream.core.event import MAX_RECORD_BYTES, ErrorEvent
from faultstream.core.scrub import scrub_event
from faultstream.formats.found import Refused
from faultstream.formats.native import admit
from faultstream.gateway.publisher import Parcel

_FEWER_FRAMES: Final = 20
_FIELD: Final = re.compile(r"(?:at `\$\.?|field `|^)([A-Za-z_][\w.\[\]]{0,80})(?:`|:)")
_MENDS: Final = {
    "service": "every record names its service",
    "error_type": "every record names its type, such as `TimeoutError`",
    "time": "RFC 3339 or milliseconds since the epoch; leave it out for now",
    "severity": "low, medium, high, critical or fatal; leave it out to have it decided",
    "category": "leave it out to have it decided",
    "count": "how many equal errors it stands for, 1 or more",
}
_BY_STAGE: Final = {
    "decode": "a JSON object as in schemas/errors.v1.schema.json",
    "size": f"at most {MAX_RECORD_BYTES} bytes a record",
}


class Admitted(msgspec.Struct):
    """A record for Kafka. `event_id` is '' until its place is known; `stable` says that the same
    request names it the same again."""

    where: str
    parcel: Parcel
    event_id: str
    environment: str
    service: str
    stable: bool


def raw(value: bytes, where: str, now_ms: int) -> ErrorEvent | Refused:
    """The event in our own format."""
    try:
        return admit(value, timestamp_ms=now_ms)
    except DataError as exc:
        return refused(where, exc)


def refused(where: str, exc: DataError) -> Refused:
    """A refusal that names field and mend."""
    found = _FIELD.search(exc.reason)
    name = found[1].split(".")[0].split("[")[0] if found else ""
    mend = _MENDS.get(name) or _BY_STAGE.get(exc.stage, "see schemas/errors.v1.schema.json")
    return Refused(where, exc.reason, mend)


def bounded(event: ErrorEvent, where: str, now_ms: int) -> ErrorEvent | Refused:
    """An event that was made of another format, held to the same limits as one in our own."""
    try:
        value = wire.encode_event(event)
        if len(value) > MAX_RECORD_BYTES:
            event.frames, event.causes, event.tags = event.frames[-_FEWER_FRAMES:], [], {}
            event.cut = ["causes", "frames", "tags"]
            value = wire.encode_event(event)
        return admit(value, timestamp_ms=now_ms)
    except UnicodeEncodeError:
        return Refused(where, "text that is no Unicode", "send UTF-8")
    except DataError as exc:
        return refused(where, exc)


def parcels(
    events: Sequence[tuple[str, ErrorEvent, bool]],
    *,
    body: bytes,
    caller: str,
    once: str,
    traceparent: str,
) -> list[Admitted]:
    """Records for admitted events, each with where it stood and whether it told its time. `once`
    is the request's Idempotency-Key, '' without one."""
    digest = "" if once else hashlib.blake2b(body, digest_size=16).hexdigest()
    made: list[Admitted] = []
    for at, (where, event, timed) in enumerate(events):
        scrub_event(event)
        if not event.event_id and once:
            event.event_id = ids.derive("event", "once", caller, once, at)
        elif not event.event_id and timed:
            event.event_id = ids.derive("event", "request", caller, digest, at)
        stable = bool(event.event_id)
        headers = wire.event_headers(event, _trace(event) or traceparent)
        if not stable:
            headers = [(name, value) for name, value in headers if name != "ce_id"]
        parcel = Parcel(event.service.encode(), wire.encode_event(event), headers)
        made.append(
            Admitted(where, parcel, event.event_id, event.environment, event.service, stable)
        )
    return made


def _trace(event: ErrorEvent) -> str:
    if len(event.trace_id) == 32 and len(event.span_id) == 16:
        return f"00-{event.trace_id}-{event.span_id}-01"
    return ""
