"""Our own format: the JSON object of schemas/errors.v1.schema.json to an admitted ErrorEvent.

This is called for every record, so the usual event takes one typed decode and a few
comparisons; everything unusual goes down a slower path with the same outcome. What is refused
and why is told in docs/reference; in short: what cannot be read, has no service or type, has a
field of a wrong type, or a value that means nothing (an unknown severity, a count of 0). What is
only too long is cut and named in `cut`. Null in an optional field means that it is absent.
"""

import json
from contextlib import suppress
from operator import attrgetter
from typing import Any, Final

import msgspec
import orjson

from faultstream.core import event as limits
from faultstream.core.errors import DataError
from faultstream.core.event import DEFAULT_ENVIRONMENT, ErrorEvent
from faultstream.core.group import CATEGORIES, CATEGORY_ALIASES
from faultstream.core.scrub import (
    KNOWN_CLEAN,
    KNOWN_KEYS,
    MIN_TAG_CHARS,
    ZEROED,
    scrub_tags,
    scrub_text,
)
from faultstream.core.severity import ALIASES, RANK
from faultstream.wire import parse_time

MAX_TIME_MS: Final = 4_102_444_800_000
"""2100-01-01. Times from 1970 up to here are used as they are; others are refused."""
CUT: Final = " [cut] "
_END: Final = 4 * 1024
"""Of a message that is too long, so much of its end is kept; the head is what is left."""

_decode: Final = msgspec.json.Decoder(ErrorEvent).decode
_NAMES: Final = (
    "error_type", "event_id", "layer", "host", "instance", "release", "operation", "component",
    "function", "request_id", "user_id", "session_id", "trace_id", "span_id", "parent_event_id",
    "correlation_id", "experiment_id",
)  # fmt: skip
_MAX_PARTS: Final = 16
_SMALL: Final = limits.MAX_NAME_CHARS + len('{"service":"","error_type":""}')
"""In a record of so many bytes no field can be past its limit, nor frames or causes."""
_REMEMBERED: Final = 4_096
texts_of: Final = attrgetter(*_NAMES)
"""All names of an event, to measure them at once."""
SECONDS: Final[dict[str, int]] = {}
"""Times without their fraction, to milliseconds; shapes.py asks too, as the two below."""
THOUSANDTHS: Final = {f".{ms:03}Z": ms for ms in range(1_000)}
IDENTITIES: Final[set[str]] = set()
"""Services and environments that may be used as they are."""


def admit(value: bytes | None, *, timestamp_ms: int) -> ErrorEvent:  # noqa: C901, PLR0912
    """The event in a record's value, within the limits of core.event, without secrets.

    `time` is milliseconds since the epoch afterwards; `timestamp_ms`, the record's own, when
    the event has none. A missing event_id stays empty. May be repeated: same bytes, same event.

    One long function on purpose: it runs for every record, and calls are what costs.

    Raises:
        DataError: stage `decode` (not a readable JSON object), `size`, or `validate`.
    """
    if value is None:
        raise DataError("decode", "the value is null")
    size = len(value)
    if size > limits.MAX_RECORD_BYTES:
        raise DataError("size", f"{size} bytes; at most {limits.MAX_RECORD_BYTES} are taken")
    try:
        event = _decode(value)
    except (ValueError, RecursionError):
        event = _decode_slowly(value)

    time = event.time
    if time.__class__ is str:
        start = SECONDS.get(time[:19])
        fraction = THOUSANDTHS.get(time[19:])
        if start is None or fraction is None:
            event.time = time = _milliseconds(time)
        else:
            event.time = time = start + fraction
    elif time is None:
        event.time = time = max(0, timestamp_ms)
    if not 0 <= time < MAX_TIME_MS:  # type: ignore[operator]
        raise DataError("validate", f"time: {time} ms is not within 1970 to 2100")

    if not 1 <= event.count <= limits.MAX_COUNT:
        raise DataError("validate", f"count: {event.count} is not within 1 to {limits.MAX_COUNT}")
    if event.severity and event.severity not in RANK:
        event.severity = _severity(event.severity)
    if event.category and event.category not in CATEGORIES:
        event.category = _category(event.category)
    if not event.environment:
        event.environment = DEFAULT_ENVIRONMENT
    if event.service not in IDENTITIES:
        _check_identity("service", event.service)
    if event.environment not in IDENTITIES:
        _check_identity("environment", event.environment)
    if not event.error_type or event.error_type.isspace():
        raise DataError("validate", "error_type: must not be empty")
    message = event.message
    # No other field can be longer than what the record holds beside the message.
    rest = size - len(message)
    if event.cut or (
        rest > limits.MAX_NAME_CHARS
        and (
            len(event.tags) > limits.MAX_TAGS
            or len(event.fingerprint) > _MAX_PARTS
            or len(event.bases) > limits.MAX_BASES
            or (rest > _SMALL and not _surely_within(event, value))
        )
    ):
        _hold_to_limits(event)
    if size > limits.MAX_TAGS_CHARS:
        _hold_totals(event, size)
        message = event.message

    # Decoded text has no lone surrogates.
    if message and message.encode().translate(ZEROED) not in KNOWN_CLEAN:
        event.message = scrub_text(message)
    for key, text in event.tags.items():
        if len(text) >= MIN_TAG_CHARS or KNOWN_KEYS.get(key, True):
            scrub_tags(event.tags)
            break
    for cause in event.causes:
        if cause.message.encode().translate(ZEROED) not in KNOWN_CLEAN:
            cause.message = scrub_text(cause.message)
    return event


def _surely_within(event: ErrorEvent, value: bytes) -> bool:
    """Whether no field, number of frames or of causes is past its limit, told from afar.

    Where no quotation mark is escaped, each of them opens or closes a text; so a text of more
    than n characters shows as more than n bytes without one.
    """
    if (
        len(event.frames) > limits.MAX_FRAMES
        or len(event.causes) > limits.MAX_CAUSES
        or (b"\\" in value and b'\\"' in value)
    ):
        return False
    start, longest = 0, limits.MAX_NAME_CHARS
    last = len(value) - longest
    while start < last:
        start = value.rfind(b'"', start, start + longest + 1) + 1
        if not start:
            return False
    return True


def _check_identity(name: str, text: str) -> None:
    """State is kept by service and environment: those are never cut or mended."""
    if not text.strip():
        raise DataError("validate", f"{name}: must not be empty")
    if not text.isprintable():
        raise DataError("validate", f"{name}: control characters are not taken")
    if len(text) > limits.MAX_NAME_CHARS:
        raise DataError("size", f"{name}: longer than {limits.MAX_NAME_CHARS} characters")
    if len(IDENTITIES) >= _REMEMBERED:
        IDENTITIES.clear()
    IDENTITIES.add(text)


def _milliseconds(text: Any) -> int | None:
    """RFC 3339 to milliseconds. Whole seconds are remembered: neighbours share them."""
    if len(text) == 24 and text[19] == "." and text[23] == "Z":
        second, fraction = text[:19], text[20:23]
        start = SECONDS.get(second)
        if start is None:
            start = _parsed(second)
            if len(SECONDS) >= _REMEMBERED:
                SECONDS.clear()
            SECONDS[second] = start
        if fraction.isdecimal():
            return start + int(fraction)
    return _parsed(text)


def _parsed(text: str) -> int:
    if len(text) < 19 or text[10] not in "Tt ":
        raise DataError("validate", f"time: not an RFC 3339 time: {text[:40]!r}")
    try:
        return parse_time(text)
    except (ValueError, OverflowError) as exc:
        raise DataError("validate", f"time: not an RFC 3339 time: {text[:40]!r}") from exc


def _severity(text: str) -> str:
    known = ALIASES.get(text.strip().lower())
    if known is None:
        raise DataError("validate", f"severity: {text[:40]!r} is none of {', '.join(RANK)}")
    return known


def _category(text: str) -> str:
    plain = text.strip().lower().replace("-", "_").replace(" ", "_")
    plain = CATEGORY_ALIASES.get(plain, plain)
    if plain not in CATEGORIES:
        raise DataError("validate", f"category: {text[:40]!r} is none of {', '.join(CATEGORIES)}")
    return plain


def _note(event: ErrorEvent, field: str) -> None:
    if field not in event.cut:
        event.cut = [*event.cut, field]


def _hold_to_limits(event: ErrorEvent) -> None:
    longest = limits.MAX_NAME_CHARS
    event.cut = [name[:longest] for name in event.cut[:50]]
    if max(map(len, texts_of(event))) > longest:
        for name in _NAMES:
            text = getattr(event, name)
            if len(text) > longest:
                setattr(event, name, text[:longest])
                _note(event, name)
    _hold_frames(event)
    _hold_causes(event)
    bases = event.bases
    if len(bases) > limits.MAX_BASES or any(len(name) > longest for name in bases):
        event.bases = [name[:longest] for name in bases[: limits.MAX_BASES]]
        _note(event, "bases")
    given = event.fingerprint
    if len(given) > _MAX_PARTS or any(len(part) > longest for part in given):
        event.fingerprint = [part[:longest] for part in given[:_MAX_PARTS]]
        _note(event, "fingerprint")
    long = any(len(k) > longest or len(v) > 8 * longest for k, v in event.tags.items())
    if long or len(event.tags) > limits.MAX_TAGS:
        kept = list(event.tags.items())[: limits.MAX_TAGS]
        event.tags = {key[:longest]: text[: 8 * longest] for key, text in kept}
        _note(event, "tags")


def _hold_totals(event: ErrorEvent, size: int) -> None:
    """Holds what may be long all together: what it costs to look through is what is bounded."""
    if len(event.message) > limits.MAX_MESSAGE_CHARS:
        start = limits.MAX_MESSAGE_CHARS - len(CUT) - _END
        event.message = f"{event.message[:start]}{CUT}{event.message[-_END:]}"
        _note(event, "message")
    causes, tags = event.causes, event.tags
    if causes and sum(len(cause.message) for cause in causes) > limits.MAX_CAUSES_CHARS:
        longest = limits.MAX_CAUSES_CHARS // len(causes)
        for cause in causes:
            cause.message = cause.message[:longest]
        _note(event, "causes")
    if tags and sum(map(len, tags)) + sum(map(len, tags.values())) > limits.MAX_TAGS_CHARS:
        longest = limits.MAX_TAGS_CHARS // len(tags) // 2
        event.tags = {key[:longest]: text[:longest] for key, text in tags.items()}
        _note(event, "tags")
    if size > limits.MAX_FRAMES_CHARS:
        _hold_stack(event)


def _hold_stack(event: ErrorEvent) -> None:
    """Leaves out frames in the middle: the innermost get three quarters of the room."""
    frames = event.frames
    sizes = [len(one.module) + len(one.function) + len(one.file) for one in frames]
    if sum(sizes) <= limits.MAX_FRAMES_CHARS:
        return
    outer, inner = 0, len(frames)
    room = limits.MAX_FRAMES_CHARS * 3 // 4
    while sizes[inner - 1] <= room:
        inner -= 1
        room -= sizes[inner]
    room += limits.MAX_FRAMES_CHARS // 4
    while sizes[outer] <= room:
        room -= sizes[outer]
        outer += 1
    event.frames = frames[:outer] + frames[inner:]
    _note(event, "frames")


def _hold_frames(event: ErrorEvent) -> None:
    longest = limits.MAX_NAME_CHARS
    if len(event.frames) > limits.MAX_FRAMES:
        # The innermost say where it broke, the outermost how it came there.
        inner = limits.MAX_FRAMES * 3 // 4
        event.frames = event.frames[: limits.MAX_FRAMES - inner] + event.frames[-inner:]
        _note(event, "frames")
    for frame in event.frames:
        if (
            len(frame.module) <= longest
            and len(frame.function) <= longest
            and len(frame.file) <= longest
        ):
            continue
        for name in ("module", "function", "file"):
            text = getattr(frame, name)
            if len(text) > longest:
                setattr(frame, name, text[:longest] if name != "file" else text[-longest:])
                _note(event, "frames")


def _hold_causes(event: ErrorEvent) -> None:
    longest = limits.MAX_NAME_CHARS
    if len(event.causes) > limits.MAX_CAUSES:
        event.causes = event.causes[: limits.MAX_CAUSES - 1] + event.causes[-1:]
        _note(event, "causes")
    for cause in event.causes:
        if len(cause.error_type) > longest:
            cause.error_type = cause.error_type[:longest]
            _note(event, "causes")


def _decode_slowly(value: bytes) -> ErrorEvent:
    """The event in a value that the typed decoder refused, or the reason why there is none."""
    encoding = False
    try:
        plain = orjson.loads(value.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        plain = loads_broken(value)
        encoding = True
    if not isinstance(plain, dict):
        raise DataError("decode", f"expected a JSON object, got {type(plain).__name__}")
    plain = {name: field for name, field in plain.items() if field is not None}
    for name in ("frames", "causes", "bases", "tags"):
        plain[name] = _without_nulls(plain.get(name, {} if name == "tags" else []))
    for name in ("time", "count"):
        number = plain.get(name)
        if isinstance(number, float) and (name == "time" or number.is_integer()):
            plain[name] = round(number)
    try:
        event = msgspec.convert(plain, ErrorEvent)
    except msgspec.ValidationError as exc:
        raise DataError("validate", str(exc)) from exc
    if encoding:
        _note(event, "encoding")
    return event


def _without_nulls(field: Any) -> Any:
    if isinstance(field, dict):
        return {key: item for key, item in field.items() if item is not None}
    if isinstance(field, list):
        return [_without_nulls(item) for item in field]
    return field


def loads(value: bytes) -> Any:
    """The JSON in the bytes, also where their text is broken.

    Raises:
        DataError: stage `decode`; it is no JSON.
    """
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return loads_broken(value)


def loads_broken(value: bytes) -> Any:
    """Errors about encodings tend to carry broken text: what is no character becomes U+FFFD.

    The standard library's decoder is the one that takes lone surrogates; only refused records
    come here.

    Raises:
        DataError: stage `decode`; it is no JSON all the same.
    """
    text = value.decode("utf-8", "replace").removeprefix("\ufeff")
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(text)
    try:
        plain = json.loads(text)
        whole = json.dumps(plain, ensure_ascii=False, allow_nan=False)
        return json.loads(whole.encode("utf-8", "replace"))
    except RecursionError as exc:
        raise DataError("decode", "nested too deeply") from exc
    except ValueError as exc:
        raise DataError("decode", f"not JSON: {str(exc)[:200]}") from exc
