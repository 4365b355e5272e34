"""What a log format is, and the small things that several of them need.

A format says which line opens one of its records, which further lines belong to it, and which
error a finished record tells of. It keeps nothing itself: what must be known from line to line
is a short word, the state, so that joining costs the same for every line whatever came before.
"""

import re
from collections.abc import Sequence
from typing import Final, Protocol

from faultstream.core.event import ErrorEvent
from faultstream.core.severity import ALIASES, RANK, Severity
from faultstream.formats.logs.stamp import Now

LEVELS: Final = r"(?P<level>TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERR|ERROR|SEVERE|CRIT|CRITICAL|ALERT|FATAL|PANIC|EMERG|EMERGENCY)"  # noqa: E501 - one list
_HARM: Final = RANK["high"]


class Format(Protocol):
    """One format. All methods are pure; expressions are linear in the length of a line."""

    name: str

    def begin(self, line: str) -> str | None:
        """The state after `line`, if it opens a record; else None."""

    def follow(self, state: str, line: str) -> str | None:
        """The state after `line`, if it belongs to the record that is in `state`; else None."""

    def read(self, lines: Sequence[str], now: Now) -> ErrorEvent | None:
        """The error that a record tells of, None when it tells of none.

        `service` is empty unless the record names it, `time` None unless it has one.
        """


def severity_of(word: str) -> Severity | None:
    """What a logger's level means; None for one that nobody knows."""
    return ALIASES.get(word.strip().lower())


def is_error(word: str) -> bool:
    """Whether records of this level are errors."""
    severity = severity_of(word)
    return severity is not None and RANK[severity] >= _HARM


def stated(word: str) -> str:
    """The severity for an event: only what is graver than an ordinary error is worth saying."""
    severity = severity_of(word)
    return severity if severity is not None and RANK[severity] > _HARM else ""


def grouped(match: re.Match[str], name: str) -> str:
    """A named group, empty when it took no part or is not in the expression."""
    found = match.groupdict().get(name)
    return (found or "").strip()
