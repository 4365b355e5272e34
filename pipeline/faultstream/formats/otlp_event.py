"""One record of OpenTelemetry to an ErrorEvent, whether it stood in a log or in a span.

Names of attributes are those of the semantic conventions, the older ones too. Source:
https://opentelemetry.io/docs/specs/semconv/.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from faultstream.core.event import ErrorEvent
from faultstream.core.severity import Severity
from faultstream.formats.found import Found, Refused, hexadecimal, number, text
from faultstream.formats.logs import stack
from faultstream.formats.logs.head import PLAIN
from faultstream.formats.native import MAX_TIME_MS

ERROR: Final = 17
_FATAL: Final = 21
_WARN: Final = 13
MAX_RECORDS: Final = 20_000
_UNKNOWN: Final = "unknown_service"
"""What the specification has SDKs say when nobody named the service."""

# Our field -> attributes of the record, then of the resource, the first that is there.
_NAMED: Final[Mapping[str, tuple[str, ...]]] = {
    "service": ("service.name",),
    "environment": ("deployment.environment.name", "deployment.environment"),
    "layer": ("faultstream.layer",),
    "host": ("host.name", "k8s.node.name"),
    "instance": ("service.instance.id", "k8s.pod.name"),
    "release": ("service.version",),
    "operation": ("http.route", "rpc.method", "messaging.operation.name", "url.template"),
    "component": ("code.namespace",),
    "function": ("code.function.name", "code.function"),
    "request_id": ("request.id", "http.request.id", "http.request.header.x-request-id"),
    "user_id": ("user.id", "enduser.id"),
    "session_id": ("session.id",),
    "correlation_id": ("correlation.id",),
    "experiment_id": ("faultstream.experiment_id",),
}
_STATUS: Final = ("http.response.status_code", "http.status_code")
_EXCEPTION: Final = ("exception.type", "exception.message", "exception.stacktrace")
_USED: Final = frozenset(
    [*(name for names in _NAMED.values() for name in names), *_STATUS, *_EXCEPTION,
     "exception.escaped"]
)  # fmt: skip
_LEVELS: Final[tuple[tuple[int, Severity], ...]] = ((_FATAL, "fatal"), (ERROR, "high"),
                                                    (_WARN, "medium"), (1, "low"))  # fmt: skip


def raised(own: dict[str, Any]) -> bool:
    """Whether attributes tell of an exception."""
    return any(own.get(name) for name in _EXCEPTION)


def take(found: Found, where: str, made: ErrorEvent, service: str) -> None:
    """Add an event, `service` being for those that name none; without any it is refused."""
    if made.service.startswith(_UNKNOWN):
        made.service = ""
    made.service = made.service or service
    if not made.service:
        mend = "set service.name, by OTEL_SERVICE_NAME or on the resource"
        found.refused.append(Refused(where, "service.name: missing", mend))
        return
    found.events.append((where, made))


def event(own: dict[str, Any], about: dict[str, Any], record: dict[str, Any]) -> ErrorEvent:
    """The event of attributes of a record (`own`) and of its resource (`about`).

    `record` has `time` (nanoseconds), `severity` (1 to 24, or 0), `body`, `event`, `scope`,
    `trace_id` and `span_id`.
    """
    traced = text(own.get("exception.stacktrace"), 1 << 16)
    parsed = stack.parse(traced.split("\n")) if traced else None
    said = text(record["body"], 1 << 16)
    message = text(own.get("exception.message"), 1 << 16)
    error_type = text(own.get("exception.type"))
    if parsed is not None and parsed.error_type.endswith(f".{error_type}".lstrip(".")):
        error_type = parsed.error_type  # with its module
    made = ErrorEvent(service="", error_type=error_type or text(record["event"]) or PLAIN)
    for field, names in _NAMED.items():
        told = next((told for told in (_first(own, names), _first(about, names)) if told), "")
        if told:
            setattr(made, field, told)
    made.component = made.component or record["scope"]
    made.message = message or (parsed.message if parsed is not None else "") or said
    made.time = _milliseconds(record["time"])
    made.severity = _severity(record["severity"], raised=bool(error_type or traced))
    made.trace_id = hexadecimal(record["trace_id"], 32)
    made.span_id = hexadecimal(record["span_id"], 16)
    made.http_status = next(
        (one for name in _STATUS if (one := number(own.get(name), 100, 599))), None
    )
    if parsed is not None:
        made.frames, made.causes = parsed.frames, parsed.causes
    made.tags = {
        name: text(value, 4_096)
        for name, value in own.items()
        if name not in _USED and text(value, 4_096)
    }
    if said and said != made.message:
        made.tags = {"log_message": said[:1_024], **made.tags}
    return made


def _severity(given: int, *, raised: bool) -> str:
    """Only what is not an ordinary error is worth saying; classification knows better."""
    told = next((name for least, name in _LEVELS if given >= least), "")
    if told == "high" or (raised and not given):
        return ""
    return told


def _milliseconds(nanoseconds: int | None) -> int | None:
    time = (nanoseconds or 0) // 1_000_000
    return time if 0 < time < MAX_TIME_MS else None


def _first(attributes: dict[str, Any], names: Iterable[str]) -> str:
    return next((told for name in names if (told := text(attributes.get(name)))), "")
