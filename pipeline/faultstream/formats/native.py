"""Our own format: the JSON object of schemas/errors.v1.schema.json to an admitted ErrorEvent.

This is called for every record, so the usual event takes one typed decode and a few
comparisons; everything unusual goes down a slower path with the same outcome. What is refused
and why is told in docs/reference; in short: what cannot be read, has no service or type, has a
field of a wrong type, or a value that means nothing (an unknown severity, a count of 0). What is
only too long is cut and named in `cut`. Null in an optional field means that it is absent.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
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
from faultstream.formats import bounds
from faultstream.wire import parse_time

MAX_TIME_MS: Final = 4_102_444_800_000
"""2100-01-01. Times from 1970 up to here are used as they are; others are refused."""
_decode: Final = msgspec.json.Decoder(ErrorEvent).decode
_SMALL: Final = limits.MAX_NAME_CHARS + len('{"service":"","error_type":""}')
"""In a record of so many bytes no field can be past its limit, nor frames or causes."""
# Of lists that are decoded slowly, how many items from either end are looked at.
_ENDS: Final = {
    "frames": (limits.MAX_FRAMES // 4, limits.MAX_FRAMES - limits.MAX_FRAMES // 4 + 1),
    "causes": (limits.MAX_CAUSES, 1),
    "bases": (limits.MAX_BASES + 1, 0),
    "fingerprint": (bounds.MAX_PARTS + 1, 0),
    "cut": (50, 0),
}
_REMEMBERED: Final = 4_096
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
            or len(event.fingerprint) > bounds.MAX_PARTS
            or len(event.bases) > limits.MAX_BASES
            or (rest > _SMALL and not _surely_within(event, value))
        )
    ):
        bounds.hold_fields(event)
    if size > limits.MAX_TAGS_CHARS:
        bounds.hold_texts(event)
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


def left_out(value: bytes) -> dict[str, int]:
    """How many characters of each field `admit` leaves out of a record that it takes, to explain.

    Items that are past the limit of a list in a record whose text is broken are not counted.

    Raises:
        DataError: as `admit` does where a record cannot be read.
    """
    try:
        event = _decode(value)
    except (ValueError, RecursionError):
        event = _decode_slowly(value)
    before = bounds.sizes(event)
    bounds.hold_fields(event)
    bounds.hold_texts(event)
    after = bounds.sizes(event)
    return {name: size - after[name] for name, size in before.items() if size > after[name]}


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


def _decode_slowly(value: bytes) -> ErrorEvent:
    """The event in a value that the typed decoder refused, or the reason why there is none."""
    encoding = False
    try:
        plain = _narrow(orjson.loads(value.removeprefix(b"\xef\xbb\xbf")))
    except orjson.JSONDecodeError:
        plain = loads_broken(value, _narrow)
        encoding = True
    if not isinstance(plain, dict):
        raise DataError("decode", f"expected a JSON object, got {type(plain).__name__}")
    for name in ("time", "count"):
        number = plain.get(name)
        if isinstance(number, float) and (name == "time" or number.is_integer()):
            plain[name] = round(number)
    try:
        event = msgspec.convert(plain, ErrorEvent)
    except msgspec.ValidationError as exc:
        raise DataError("validate", str(exc)) from exc
    if encoding:
        bounds.note(event, "encoding")
    return event


def _narrow(plain: Any) -> Any:
    """The known fields without nulls, and of lists one item more than is taken, so that what is
    cut afterwards is what would be cut of all."""
    if not isinstance(plain, dict):
        return plain
    known: dict[str, Any] = {}
    for name in ErrorEvent.__struct_fields__:
        field = plain.get(name)
        if isinstance(field, list) and name in _ENDS:
            first, last = _ENDS[name]
            if len(field) > first + last:
                field = [*field[:first], *field[len(field) - last :]]
            known[name] = [_without_nulls(item) for item in field]
        elif field is not None:
            known[name] = field
    if isinstance(known.get("tags"), dict):
        known["tags"] = dict(islice(_without_nulls(known["tags"]).items(), limits.MAX_TAGS + 1))
    return known


def _without_nulls(field: Any) -> Any:
    if isinstance(field, dict):
        return {key: item for key, item in field.items() if item is not None}
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


def loads_broken(value: bytes, narrow: Callable[[Any], Any] = lambda plain: plain) -> Any:
    """Errors about encodings tend to carry broken text: what is no character becomes U+FFFD.

    Only what `narrow` leaves of it is mended and returned.

    The standard library's decoder is the one that takes lone surrogates; only refused records
    come here.

    Raises:
        DataError: stage `decode`; it is no JSON all the same.
    """
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("utf-8", "replace").removeprefix("\ufeff")
        with suppress(orjson.JSONDecodeError):
            return narrow(orjson.loads(text))
    text = text.removeprefix("\ufeff")
    try:
        plain = narrow(json.loads(text))
        whole = json.dumps(plain, ensure_ascii=False, allow_nan=False)
        return json.loads(whole.encode("utf-8", "replace"))
    except RecursionError as exc:
        raise DataError("decode", "nested too deeply") from exc
    except ValueError as exc:
        raise DataError("decode", f"not JSON: {str(exc)[:200]}") from exc
