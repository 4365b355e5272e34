"""From what the application says to an ErrorEvent, and what makes two errors identical."""

import time
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypedDict

from faultstream.client import stack
from faultstream.client.detail import fill, text_of
from faultstream.client.uuid7 import uuid7
from faultstream.core.event import MAX_NAME_CHARS, ErrorEvent
from faultstream.core.severity import Severity

_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
_PLAIN: Final = frozenset({str, int, bool, float, type(None)})
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
            # As bytes, because that is ten times faster.
            self.message[: stack.MESSAGE_CHARS].encode("utf-8", "surrogatepass").translate(_DIGITS),
            stack.chain_of(self.exc),
            self.stack,
            tuple(
                [
                    (name, value if type(value) in _PLAIN else text_of(value))
                    for name, value in details.items()
                    if name not in _PASSING
                ]
            )
            if details
            else (),
        )


def see(error: object, message: object, details: Details) -> Sighting:
    """Read an exception, or an error that has only the name of its type. Reads no locals.

    What is neither is an error of that name all the same, and no text is made text.
    """
    text = text_of(message)
    if isinstance(error, BaseException):
        return Sighting(
            stack.type_name(type(error)),
            text or stack.message_of(error),
            error,
            stack.stack_of(error.__traceback__),
            details,
        )
    if isinstance(error, type) and issubclass(error, BaseException):  # it should be an instance
        return Sighting(stack.type_name(error), text, None, (), details)
    return Sighting(text_of(error), text, None, (), details)


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
        fill(event, details)
    return event
