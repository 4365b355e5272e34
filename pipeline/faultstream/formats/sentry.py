"""Sentry's envelopes and events, as its SDKs send them, to ErrorEvents.

Events with an exception, and messages at level error or fatal, are errors. Transactions, sessions,
logs, client reports and all other items are counted and left out; so are breadcrumbs, local
variables and attachments, which are never kept. What follows is told by Sentry's own documents:
https://develop.sentry.dev/sdk/foundations/envelopes/ and /sdk/foundations/event-payloads/.
"""

from collections.abc import Iterator
from typing import Any, Final

from faultstream.core.errors import DataError
from faultstream.core.event import Cause, ErrorEvent, Frame
from faultstream.core.severity import RANK
from faultstream.formats.found import Found, Refused, hexadecimal, items, number, text, under
from faultstream.formats.logs.format import severity_of
from faultstream.formats.logs.head import PLAIN
from faultstream.formats.native import MAX_TIME_MS, loads
from faultstream.wire import parse_time

MAX_ITEMS: Final = 200
MAX_VALUES: Final = 100
_BUILTINS: Final = frozenset({"", "builtins", "__main__", "exceptions"})
_OWN: Final = ("layer", "experiment_id", "correlation_id", "request_id")
"""Tags that are fields of our events."""
_KINDS: Final = frozenset(
    {
        "transaction", "session", "sessions", "client_report", "attachment", "check_in", "log",
        "profile", "profile_chunk", "replay_event", "replay_recording", "feedback", "user_report",
        "span", "statsd", "metric_buckets", "trace_metric", "security", "raw_security",
    }
)  # fmt: skip


def envelope(body: bytes, service: str) -> Found:
    """What an envelope holds. `service` names the events that do not name theirs by a tag.

    Raises:
        DataError: stage `decode`; it is no envelope.
    """
    line, _, rest = body.partition(b"\n")
    header = _object(line)
    if header is None:
        raise DataError("decode", "the first line of an envelope must be a JSON object")
    found = Found()
    for at, (kind, payload) in enumerate(_items(rest)):
        if kind == "event":
            plain = _object(payload)
            if plain is None:
                found.refused.append(Refused(f"item {at}", "no JSON object", "send an event"))
                continue
            plain["event_id"] = plain.get("event_id") or header.get("event_id")
            _take(found, plain, f"item {at}", service)
        else:
            found.ignore(kind if kind in _KINDS else "other")
    return found


def event(body: bytes, service: str) -> Found:
    """A lone event, as the old endpoint `/store/` takes it.

    Raises:
        DataError: stage `decode`; it is no JSON object.
    """
    plain = _object(body)
    if plain is None:
        raise DataError("decode", "an event must be a JSON object")
    found = Found()
    _take(found, plain, "event", service)
    return found


def _items(rest: bytes) -> Iterator[tuple[str, bytes]]:
    """Type and payload of each item. One whose header cannot be read ends the envelope.

    Raises:
        DataError: stage `decode`.
    """
    at = 0
    for _ in range(MAX_ITEMS):
        while rest[at : at + 1] in (b"\n", b"\r"):
            at += 1
        if at >= len(rest):
            return
        end = rest.find(b"\n", at)
        header = _object(rest[at : end if end >= 0 else len(rest)])
        if header is None:
            raise DataError("decode", f"byte {at} after the first line: no header of an item")
        start = end + 1 if end >= 0 else len(rest)
        size = number(header.get("length"), 0, len(rest))
        if size is None and header.get("length") is not None:
            raise DataError("decode", f"byte {at} after the first line: the item is cut off")
        if size is None:
            stop = rest.find(b"\n", start)
            stop = stop if stop >= 0 else len(rest)
        else:
            stop = start + size
            if stop > len(rest):
                raise DataError("decode", f"byte {at} after the first line: the item is cut off")
        yield text(header.get("type")), rest[start:stop]
        at = stop
    raise DataError("size", f"an envelope of more than {MAX_ITEMS} items")


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        plain = loads(raw)
    except DataError:
        return None
    return plain if isinstance(plain, dict) else None


def _take(found: Found, plain: dict[str, Any], where: str, service: str) -> None:
    if plain.get("type") == "transaction":
        found.ignore("transaction")
        return
    values = _values(plain.get("exception"))
    level = text(plain.get("level")) or "error"
    severity = severity_of(level) or "high"
    typed = any(text(one.get("type")) for one in values)  # a message may have a stack, too
    if not typed and RANK[severity] < RANK["high"]:
        found.ignore("message")
        return
    made = _event(plain, values, service)
    if severity != "high":  # what an ordinary error is, classification says better
        made.severity = severity
    found.events.append((where, made))


def _event(plain: dict[str, Any], values: list[dict[str, Any]], service: str) -> ErrorEvent:
    tags = _tags(plain.get("tags"))
    trace, user = under(plain, "contexts", "trace"), under(plain, "user")
    status = under(plain, "contexts", "response").get("status_code")
    headers = _tags(under(plain, "request").get("headers"))
    raised = values[-1] if values else {}
    made = ErrorEvent(
        service=tags.pop("service", "") or tags.pop("service.name", "") or service,
        error_type=_type(raised) or PLAIN,
        event_id=_uuid(plain.get("event_id")),
        time=_time(plain.get("timestamp")),
        environment=text(plain.get("environment")),
        host=text(plain.get("server_name")),
        release=text(plain.get("release")),
        operation=text(plain.get("transaction")),
        component=text(plain.get("logger")),
        message=text(raised.get("value"), 1 << 16) or _said(plain),
        fingerprint=_fingerprint(plain.get("fingerprint")),
        handled=_flag(under(raised, "mechanism").get("handled")),
        causes=[
            Cause(_type(one) or "Error", text(one.get("value"), 1 << 14))
            for one in reversed(values[:-1])
        ],
        frames=_frames(plain, raised),
        http_status=number(status, 100, 599),
        user_id=text(user.get("id")) or text(user.get("username")),
        trace_id=hexadecimal(trace.get("trace_id"), 32),
        span_id=hexadecimal(trace.get("span_id"), 16),
        request_id=next((v for k, v in headers.items() if k.lower() == "x-request-id"), ""),
    )
    for name in _OWN:
        if given := tags.pop(name, ""):
            setattr(made, name, given[:512])
    for name in ("platform", "dist"):
        if given := text(plain.get(name)):
            tags.setdefault(name, given)
    made.tags = tags
    return made


def _values(exception: Any) -> list[dict[str, Any]]:
    """The chain, what came first first; a lone exception is a chain of one."""
    values = exception.get("values") if isinstance(exception, dict) else exception
    if values is None and isinstance(exception, dict) and ("type" in exception):
        values = [exception]
    return items(values)[-MAX_VALUES:]


def _type(exception: dict[str, Any]) -> str:
    name, module = text(exception.get("type")), text(exception.get("module"))
    if not name or module in _BUILTINS or "." in name:
        return name
    return f"{module}.{name}"


def _said(plain: dict[str, Any]) -> str:
    """A message that is none of an exception, in all the places where SDKs put it."""
    entry = plain.get("logentry") or plain.get("message")
    if isinstance(entry, str):
        return entry[: 1 << 16]
    entry = entry if isinstance(entry, dict) else {}
    return text(entry.get("formatted"), 1 << 16) or text(entry.get("message"), 1 << 16)


def _frames(plain: dict[str, Any], raised: dict[str, Any]) -> list[Frame]:
    """Outermost first, as Sentry has them too; of the thread that crashed when nothing else is."""
    stack = under(raised, "stacktrace") or under(plain, "stacktrace")
    if not stack:
        threads = plain.get("threads")
        threads = items(threads.get("values") if isinstance(threads, dict) else threads)
        stack = next((under(one, "stacktrace") for one in threads if one.get("crashed")), {})
    return [
        Frame(
            module=text(one.get("module")) or text(one.get("package")),
            function=text(one.get("function")),
            file=text(one.get("filename"), 4_096) or text(one.get("abs_path"), 4_096),
            line=number(one.get("lineno"), 0, 1 << 31) or 0,
            in_app=_flag(one.get("in_app")),
        )
        for one in items(stack.get("frames"))[-1_000:]
    ]


def _fingerprint(given: Any) -> list[str]:
    if not isinstance(given, list):
        return []
    parts = [text(part) for part in given[:16]]
    parts = ["{{ default }}" if part == "{{default}}" else part for part in parts if part]
    return [] if parts == ["{{ default }}"] else parts


def _tags(given: Any) -> dict[str, str]:
    """An object, or a list of pairs."""
    pairs: list[Any] = []
    if isinstance(given, dict):
        pairs = list(given.items())
    elif isinstance(given, list):
        pairs = [one for one in given if isinstance(one, list) and len(one) == 2]
    found = {}
    for key, value in pairs[:200]:
        name = text(key)
        told = str(value).lower() if isinstance(value, bool) else text(value, 4_096)
        if name and told:
            found[name] = told
    return found


def _time(given: Any) -> int | None:
    """Seconds since the epoch, or a time as text; a wrong one is as none."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return round(given * 1_000) if 0 <= given < MAX_TIME_MS / 1_000 else None
    try:
        time = parse_time(given) if isinstance(given, str) else None
    except (ValueError, OverflowError):
        return None
    return time if time is not None and 0 <= time < MAX_TIME_MS else None


def _uuid(given: Any) -> str:
    plain = hexadecimal(given, 32)
    if not plain:
        return ""
    return f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:]}"


def _flag(given: Any) -> bool | None:
    return given if isinstance(given, bool) else None
