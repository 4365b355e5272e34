"""Records with a head of time, level and logger, and maybe a stack trace below it."""

import re
from collections.abc import Sequence
from typing import Final

from faultstream.core.event import ErrorEvent
from faultstream.formats.logs import stack
from faultstream.formats.logs.format import grouped, is_error, severity_of, stated
from faultstream.formats.logs.stamp import Now, milliseconds

TIME: Final = (
    r"\[?(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?Z| ?[+-]\d\d:?\d\d)?"
    r"|\d\d:\d\d:\d\d[.,]\d{3})\]?"
)
PLAIN: Final = "LogError"
"""The type of an error that was only logged."""


def matched(heads: Sequence[re.Pattern[str]], line: str) -> re.Match[str] | None:
    """The first of `heads` that fits."""
    for head in heads:
        match = head.match(line)
        if match is not None:
            return match
    return None


def opened(heads: Sequence[re.Pattern[str]], line: str) -> str | None:
    """The state of trace.py that a line opens, if one of `heads` fits."""
    match = matched(heads, line)
    if match is None:
        return None
    return "failed" if is_error(grouped(match, "level")) else "head"


def read(
    heads: Sequence[re.Pattern[str]], lines: Sequence[str], now: Now, *, bare: str = "ERROR"
) -> ErrorEvent | None:
    """The error of a record: its exception if there is one, else what was logged as an error.

    `bare` is the level of a record that has no head. A warning counts when it has a trace.
    """
    head = matched(heads, lines[0])
    found = stack.parse(lines[1:] if head else lines)
    level = grouped(head, "level") if head else bare
    severity = severity_of(level)
    if not is_error(level) and (found is None or severity != "medium"):
        return None
    said = grouped(head, "message") if head else ""
    event = ErrorEvent(
        service="",
        error_type=PLAIN,
        message=said,
        severity=stated(level),
        component=grouped(head, "logger") if head else "",
        time=milliseconds(grouped(head, "time"), now) if head and grouped(head, "time") else None,
    )
    if found is None:
        if head is None:
            return None
        more = [line for line in lines[1:] if line.strip()]
        event.message = "\n".join([said, *more])
        return event
    event.error_type, event.frames, event.causes = found.error_type, found.frames, found.causes
    event.message = found.message or said
    if said and found.message and said != found.message:
        event.tags = {"log_message": said[:1_024]}
    return event
