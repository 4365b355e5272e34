"""From what the application says to an ErrorEvent, and what makes two errors identical."""

import time
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypedDict

from faultstream.client import stack, trace
from faultstream.client.uuid7 import uuid7
from faultstream.core.event import MAX_NAME_CHARS, MAX_TAGS, ErrorEvent
from faultstream.core.severity import Severity

_TAG_CHARS: Final = 1024
_TAG_KEY_CHARS: Final = 200
_DIGITS: Final = str.maketrans("123456789", "000000000")
_FINGERPRINT_PARTS: Final = 32
_NESTED: Final = frozenset({"tags", "fingerprint"})
_PASSING: Final = frozenset(
    {"request_id", "user_id", "session_id", "trace_id", "span_id", "traceparent", "count",
     "parent_event_id", "correlation_id", "retry_count"}
)  # fmt: skip
"""Details that differ between errors that are the same all the same."""


class Details(TypedDict, total=False):
    """What else can be said of an error; see schemas/errors.v1.schema.json."""

    operation: str
    component: str
    function: str
    layer: str
    severity: Severity | None
    category: str
    fingerprint: Sequence[str]
    handled: bool
    recoverable: bool | None
    retry_count: int | None
    max_retries: int | None
    count: int
    http_status: int | None
    request_id: str
    user_id: str
    session_id: str
    trace_id: str
    span_id: str
    traceparent: str
    parent_event_id: str
    correlation_id: str
    experiment_id: str
    tags: Mapping[str, object] | None


class Origin(NamedTuple):
    """Whose errors they are."""

    service: str
    environment: str
    layer: str
    host: str
    instance: str
    release: str


class Sighting(NamedTuple):
    """An error as it was seen, read but not yet made into an event."""

    error_type: str
    message: str
    exc: BaseException | None
    stack: tuple[int, ...]
    details: Details

    def key(self) -> Hashable:
        """Equal for identical errors: type, causes, places, message but for digits, details."""
        details: Mapping[str, Any] = self.details
        return (
            self.error_type,
            self.message.translate(_DIGITS),
            stack.chain_of(self.exc),
            self.stack,
            tuple(
                [
                    (name, str(value) if name in _NESTED else value)
                    for name, value in details.items()
                    if name not in _PASSING
                ]
            )
            if details
            else (),
        )


def see(error: BaseException | str, message: str, details: Details) -> Sighting:
    """Read an exception, or an error that has only the name of its type. Reads no locals."""
    if isinstance(error, BaseException):
        return Sighting(
            stack.type_name(type(error)),
            message or stack.message_of(error),
            error,
            stack.stack_of(error.__traceback__),
            details,
        )
    return Sighting(str(error), message, None, (), details)


def build(origin: Origin, seen: Sighting, count: int) -> ErrorEvent:
    """The event of a sighting, with a new id and the present time; still to be scrubbed."""
    details, exc = seen.details, seen.exc
    text = stack.cut(seen.message, stack.MESSAGE_CHARS)
    event = ErrorEvent(
        service=origin.service,
        error_type=stack.cut(seen.error_type, MAX_NAME_CHARS) or "Error",
        event_id=uuid7(),
        time=time.time_ns() // 1_000_000,
        environment=origin.environment,
        layer=origin.layer,
        host=origin.host,
        instance=origin.instance,
        release=origin.release,
        message=text,
        handled=True,
        frames=stack.frames_at(seen.stack, exc.__traceback__) if exc is not None else [],
        causes=stack.causes_of(exc) if exc is not None else [],
        bases=stack.bases_of(type(exc)) if exc is not None else [],
        count=count,
        cut=["message"] if text is not seen.message else [],
    )
    if details:
        _detail(event, details)
    return event


def _detail(event: ErrorEvent, details: Details) -> None:
    """Take over what was said besides."""
    ids = trace.parse(details.get("traceparent") or "")
    event.trace_id, event.span_id = ids
    for name, value in details.items():
        if value is None or name in {"count", "traceparent"}:
            continue
        if name == "tags":
            event.tags = _tags(details.get("tags") or {})
        elif name == "fingerprint":
            parts = tuple(details.get("fingerprint") or ())[:_FINGERPRINT_PARTS]
            event.fingerprint = [stack.cut(str(part), MAX_NAME_CHARS) for part in parts]
        elif isinstance(value, str):
            if value:
                setattr(event, name, stack.cut(value, MAX_NAME_CHARS))
        else:
            setattr(event, name, value)


def _tags(tags: Mapping[str, object]) -> dict[str, str]:
    return {
        str(key)[:_TAG_KEY_CHARS]: stack.cut(str(value), _TAG_CHARS)
        for key, value in list(tags.items())[:MAX_TAGS]
    }
