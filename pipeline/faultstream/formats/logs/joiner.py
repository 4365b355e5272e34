"""Joiner: lines of one file to records, each of one format.

A line belongs to the open record if that record's format says so, else it ends it. What no
format knows is passed over. A record is bounded; what is past its bounds is left out of it.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from faultstream.formats.logs import FORMATS
from faultstream.formats.logs.format import Format
from faultstream.formats.logs.trace import UNFINISHED

MAX_LINES: Final = 1_000
MAX_CHARS: Final = 128 * 1024
MAX_LINE_CHARS: Final = 64 * 1024


class Found(NamedTuple):
    """A finished record. `start` is where its first line begins, as the caller counts."""

    format: Format
    lines: list[str]
    start: int


class Joiner:
    """See the module. Costs the same for every line, whatever came before."""

    def __init__(self, formats: Sequence[Format] = FORMATS) -> None:
        self._formats = formats
        self._open: Found | None = None
        self._state = ""
        self._chars = 0

    @property
    def start(self) -> int | None:
        """Where the open record begins; None when none is open."""
        return None if self._open is None else self._open.start

    @property
    def unfinished(self) -> bool:
        """Whether the open record ends in the middle of a trace, so that more of it must come."""
        return self._open is not None and self._state in UNFINISHED

    def feed(self, line: str, start: int) -> Found | None:
        """Take the next line, without its end; returns the record that it finished, if any."""
        line = line[:MAX_LINE_CHARS]
        record = self._open
        if record is not None:
            state = record.format.follow(self._state, line)
            if state is not None:
                self._state = state
                self._add(record, line)
                return None
        self._open = None
        for format_ in self._formats:
            state = format_.begin(line)
            if state is not None:
                self._state, self._chars = state, 0
                self._open = Found(format_, [], start)
                self._add(self._open, line)
                break
        return record

    def end(self) -> Found | None:
        """The record that is open, now finished: its file has been quiet."""
        record, self._open = self._open, None
        return record

    def _add(self, record: Found, line: str) -> None:
        self._chars += len(line)
        if len(record.lines) < MAX_LINES and self._chars <= MAX_CHARS:
            record.lines.append(line)
