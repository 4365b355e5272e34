"""JSON lines of loggers: pino, structlog, logback's and ECS encoders, zap, and error events.

Keys are looked for by the names that these use; dotted names also as nested objects.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from faultstream import wire
from faultstream.core.errors import DataError
from faultstream.core.event import Cause, ErrorEvent, Frame
from faultstream.formats.logs import stack
from faultstream.formats.logs.format import is_error, severity_of, stated
from faultstream.formats.logs.head import PLAIN
from faultstream.formats.logs.stamp import Now, epoch, milliseconds
from faultstream.formats.native import admit

SERVICE: Final = ("service.name", "service", "app", "application", "dd.service")
_LEVEL: Final = ("level", "severity", "levelname", "log.level", "lvl", "severity_text", "@l")
_MESSAGE: Final = ("message", "msg", "event", "@m", "body")
_TIME: Final = ("@timestamp", "timestamp", "time", "ts", "asctime", "@t")
_LOGGER: Final = ("logger", "logger_name", "log.logger", "module", "component")
_STACK: Final = (
    "err.stack", "error.stack_trace", "error.stack", "stack_trace", "exception", "exc_info",
    "errorVerbose", "stacktrace", "stack", "@x",
)  # fmt: skip
_TYPE: Final = ("err.type", "error.type", "error.kind", "error.class", "exception.type", "err.name")
_ERROR: Final = ("err.message", "error.message", "exception.message", "error", "err")
_IDS: Final = {
    "trace_id": ("trace_id", "traceId", "trace.id", "dd.trace_id"),
    "span_id": ("span_id", "spanId", "span.id", "dd.span_id"),
    "request_id": ("request_id", "requestId", "req_id", "req.id", "http.request.id"),
    "user_id": ("user_id", "userId", "user.id"),
    "environment": ("environment", "env", "service.environment", "deployment.environment"),
    "release": ("release", "version", "service.version"),
    "host": ("hostname", "host.name", "host"),
}
_STATUS: Final = (
    "status",
    "statusCode",
    "res.statusCode",
    "http.response.status_code",
    "http_status",
)
_PINO: Final = ((60, "fatal"), (50, "error"), (40, "warn"), (0, "info"))
_ZAP: Final = re.compile(r"[\w./*()-]+\n\t\S+:\d+")


class JsonLines:
    """See the module."""

    name = "json"

    def begin(self, line: str) -> str | None:
        """See Format."""
        return "line" if line.startswith("{") and line.rstrip().endswith("}") else None

    def follow(self, state: str, line: str) -> str | None:  # noqa: ARG002 - one line each
        """See Format."""
        return None

    def read(self, lines: Sequence[str], now: Now) -> ErrorEvent | None:
        """See Format."""
        raw = lines[0].encode("utf-8", "replace")
        try:
            plain = wire.loads(raw)
            if not isinstance(plain, dict):
                return None
            if "service" in plain and "error_type" in plain:
                return admit(raw, timestamp_ms=now.ms)
        except (ValueError, DataError):
            return None
        return event(plain, now)


def event(plain: dict[str, Any], now: Now) -> ErrorEvent | None:
    """The error that the fields of a record tell of, None when they tell of none."""
    level = _level(find(plain, _LEVEL))
    found = _stack(plain)
    severity = severity_of(level)
    if not is_error(level) and (found is None or severity not in {None, "medium"}):
        return None
    said = _text(find(plain, _MESSAGE))
    told = _text(find(plain, _ERROR))
    status = find(plain, _STATUS)
    event = ErrorEvent(
        service=_text(find(plain, SERVICE)),
        error_type=_text(find(plain, _TYPE)),
        message=told or said,
        severity=stated(level),
        component=_text(find(plain, _LOGGER)),
        http_status=status if type(status) is int and 100 <= status <= 599 else None,
        time=_time(find(plain, _TIME), now),
    )
    for name, keys in _IDS.items():
        text = _text(find(plain, keys))
        if text:
            setattr(event, name, text[:512])
    if found is not None:
        event.error_type = event.error_type or found.error_type
        event.frames, event.causes = found.frames, found.causes
        event.message = told or found.message or said
    event.error_type = event.error_type or PLAIN
    if said and event.message != said:
        event.tags = {"log_message": said[:1_024]}
    return event


def find(plain: dict[str, Any], names: Sequence[str]) -> Any:
    """The first of `names` that is there: as a key as it stands, or as a path by its dots."""
    for name in names:
        value = plain.get(name)
        if value is None and "." in name:
            value = plain
            for part in name.split("."):
                value = value.get(part) if isinstance(value, dict) else None
        if value is not None and value != "" and not isinstance(value, bool):
            return value
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""


def _level(value: Any) -> str:
    if isinstance(value, int | float):  # pino, bunyan
        return next((word for least, word in _PINO if value >= least), "info")
    return _text(value).replace("dpanic", "critical")


def _time(value: Any, now: Now) -> int | None:
    if isinstance(value, int | float):
        return epoch(value)
    return milliseconds(value, now) if isinstance(value, str) else None


def _stack(plain: dict[str, Any]) -> stack.Stack | None:
    for name in _STACK:
        value = find(plain, (name,))
        if isinstance(value, str) and "\n" in value:
            if _ZAP.search(value) and "goroutine" not in value:
                value = f"goroutine 1 [running]:\n{value.removeprefix(_text(plain.get('error')))}"
            found = stack.parse(value.lstrip("\n").split("\n"))
            if found is not None:
                return found
        if isinstance(value, list) and value and isinstance(value[0], dict):  # structlog's dicts
            return _structlog(value)
    return None


def _structlog(chain: list[Any]) -> stack.Stack | None:
    """structlog's dict_tracebacks: the exception first, then what it came from."""
    made: list[stack.Stack] = []
    for one in chain[:50]:
        if isinstance(one, dict) and isinstance(one.get("exc_type"), str):
            places = one.get("frames")
            frames = [
                Frame(
                    file=_text(place.get("filename")),
                    function=_text(place.get("name")),
                    line=place["lineno"] if type(place.get("lineno")) is int else 0,
                )
                for place in (places if isinstance(places, list) else [])
                if isinstance(place, dict)
            ]
            made.append(stack.Stack(one["exc_type"], _text(one.get("exc_value")), [], frames))
    if not made:
        return None
    causes = [Cause(one.error_type, one.message) for one in made[1:]]
    return made[0]._replace(causes=causes)
