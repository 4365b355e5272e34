"""What was said of an error besides, as fields of its event.

Applications hand over what they have: a number as a user's id, a level of their logging as a
severity, a name that no field has. What can be understood is; the rest becomes a tag or is left
out, and is logged once. An error is never lost over its details.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from faultstream.client import stack, trace
from faultstream.core.event import MAX_NAME_CHARS, MAX_TAGS, ErrorEvent
from faultstream.core.severity import ALIASES

_TAG_CHARS: Final = 1024
_TAG_KEY_CHARS: Final = 200
_FINGERPRINT_PARTS: Final = 32
_MAX_WARNED: Final = 100
_TEXTS: Final = frozenset(
    {"operation", "component", "function", "layer", "category", "request_id", "user_id",
     "session_id", "trace_id", "span_id", "parent_event_id", "correlation_id", "experiment_id"}
)  # fmt: skip
_ELSEWHERE: Final = frozenset({"count", "traceparent", "tags"})
_WHOLE: Final = {"retry_count": (0, 2**31), "max_retries": (0, 2**31), "http_status": (100, 599)}
"""Least and most."""

log = logging.getLogger("faultstream.client")
_warned: Final[set[str]] = set()


def fill(event: ErrorEvent, details: Mapping[str, Any]) -> None:
    """Take over everything but the count."""
    event.trace_id, event.span_id = trace.parse(text_of(details.get("traceparent") or ""))
    extra: dict[str, Any] = {}
    for name, value in details.items():
        if value is None or name in _ELSEWHERE:
            continue
        if name in _TEXTS:
            if text := text_of(value):
                setattr(event, name, stack.cut(text, MAX_NAME_CHARS))
        elif name in _READERS:
            _READERS[name](event, name, value)
        else:
            warn(name, f"there is no such detail, it becomes a tag: {name}")
            extra[name] = value
    tags = details.get("tags") or {}
    if not isinstance(tags, Mapping):
        warn("tags", f"tags: expected a mapping, got {type(tags).__name__}")
        tags = {"tags": tags}
    if tags or extra:
        event.tags = tags_of({**tags, **extra})


def add(known: Any, more: Mapping[str, Any]) -> None:
    """Add `more` to the details `known`: it wins, but tags of both stay."""
    before, after = known.get("tags"), more.get("tags")
    known.update(more)
    if before and isinstance(before, Mapping) and "tags" in more:
        if isinstance(after, Mapping):
            known["tags"] = {**before, **after}
        elif not after:
            known["tags"] = before


def count_of(value: object, most: int) -> int:
    """How many errors an event stands for, 1 to `most`."""
    try:
        return max(1, min(int(value), most))  # type: ignore[call-overload,no-any-return]
    except (TypeError, ValueError, OverflowError):
        warn("count", f"count: expected a whole number, got {type(value).__name__}")
        return 1


def text_of(value: object) -> str:
    """`str(value)`; user code runs there and may raise anything."""
    if type(value) is str:
        return value
    try:
        return str(value)
    except Exception as broken:  # noqa: BLE001 - it must not hide the error
        return f"<no text: __str__ raised {type(broken).__name__}>"


def warn(about: str, text: str) -> None:
    """Say it once in a process."""
    if about not in _warned and len(_warned) < _MAX_WARNED:
        _warned.add(about)
        log.warning("reporting an error: %s", text)


def _flag(event: ErrorEvent, name: str, value: object) -> None:
    setattr(event, name, bool(value))


def _number(event: ErrorEvent, name: str, value: Any) -> None:
    low, high = _WHOLE[name]
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = -1
    if low <= number <= high:
        setattr(event, name, number)
    else:
        warn(name, f"{name}: expected a whole number from {low} to {high}, got {text_of(value)}")


def _severity(event: ErrorEvent, _: str, value: object) -> None:
    known = ALIASES.get(text_of(value).lower())
    if known is None:
        expected = "low, medium, high, critical or fatal"
        warn("severity", f"severity: expected {expected}, got {text_of(value)}")
    else:
        event.severity = known


def _fingerprint(event: ErrorEvent, _: str, value: Any) -> None:
    parts = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    texts = [text_of(part) for part in parts[:_FINGERPRINT_PARTS]]
    event.fingerprint = [stack.cut(text, MAX_NAME_CHARS) for text in texts]


_READERS: Final[dict[str, Callable[[ErrorEvent, str, Any], None]]] = {
    "severity": _severity,
    "fingerprint": _fingerprint,
    **dict.fromkeys(("handled", "recoverable"), _flag),
    **dict.fromkeys(_WHOLE, _number),
}


def tags_of(tags: Mapping[Any, object]) -> dict[str, str]:
    """Whatever they are, as texts within their bounds."""
    return {
        text_of(key)[:_TAG_KEY_CHARS]: stack.cut(text_of(value), _TAG_CHARS)
        for key, value in list(tags.items())[:MAX_TAGS]
    }
