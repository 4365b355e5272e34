"""What the workers refused, and why. The value is kept as it came, cut at `KEPT_BYTES`."""

from typing import Final

import msgspec

from faultstream.analytics.columns.base import (
    BINARY,
    I64,
    STRING,
    TIME,
    U32,
    U64,
    WORD,
    Column,
    Plain,
    RawRecord,
    within,
)
from faultstream.core.policy import Topology
from faultstream.wire import parse_time

KEPT_BYTES: Final = 64 * 1024
PREFIX: Final = "x-faultstream-"


class DeadLetter(msgspec.Struct, frozen=True):
    """One dead letter: its headers as text (those of ours, without prefix), key and value."""

    time_ms: int
    headers: dict[str, str]
    key: bytes
    value: bytes
    value_bytes: int


def read(record: RawRecord) -> DeadLetter:
    """Any record is a dead letter; headers that are missing or senseless count as absent."""
    value = record.value or b""
    ours = {
        name[len(PREFIX) :]: raw[:KEPT_BYTES].decode("utf-8", "replace")
        for name, raw in record.headers or ()
        if name.startswith(PREFIX) and raw is not None
    }
    return DeadLetter(
        record.timestamp, ours, (record.key or b"")[:KEPT_BYTES], value[:KEPT_BYTES], len(value)
    )


def _number(letter: DeadLetter, name: str, default: int, high: int) -> int:
    text = letter.headers.get(name, "")
    try:
        return within(int(text), -1, high) if len(text) < 25 else default
    except ValueError:
        return default


def _time(letter: DeadLetter, name: str) -> int | None:
    text = letter.headers.get(name, "")
    try:
        return int(text) if text.isdecimal() and len(text) < 20 else parse_time(text)
    except (ValueError, OverflowError):
        return None


COLUMNS: Final[tuple[Column[DeadLetter], ...]] = (
    Column("time", TIME, lambda r: r.time_ms),
    Column("stage", WORD, lambda r: r.headers.get("stage", "")),
    Column("error_type", WORD, lambda r: r.headers.get("error-type", "")),
    Column("reason", STRING, lambda r: r.headers.get("error-message", "")),
    Column("consumer_group", WORD, lambda r: r.headers.get("consumer-group", "")),
    Column("attempt", U32, lambda r: max(0, _number(r, "attempt", 0, 2**32 - 1))),
    Column("first_failed_at", TIME, lambda r: _time(r, "first-failed-at")),
    Column("last_failed_at", TIME, lambda r: _time(r, "last-failed-at")),
    Column("original_topic", WORD, lambda r: r.headers.get("original-topic", "")),
    Column("original_partition", I64, lambda r: _number(r, "original-partition", -1, 2**31 - 1)),
    Column("original_offset", I64, lambda r: _number(r, "original-offset", -1, 2**63 - 1)),
    Column("original_time", TIME, lambda r: _time(r, "original-timestamp")),
    Column("key", BINARY, lambda r: r.key),
    Column("value", BINARY, lambda r: r.value),
    Column("value_bytes", U64, lambda r: r.value_bytes),
)


def builder(_: Topology) -> Plain[DeadLetter]:
    """Rows of `dead_letter_log`."""
    return Plain("dead_letter_log", read, COLUMNS)
