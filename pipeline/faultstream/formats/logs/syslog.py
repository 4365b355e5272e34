"""Syslog as files hold it: RFC 3164 with or without its priority, RFC 5424, ISO times.

Where no priority says so, an error is what begins or ends like one: files keep no severity.
"""

import re
from collections.abc import Sequence
from typing import Final

from faultstream.core.event import ErrorEvent
from faultstream.formats.logs.stamp import Now, milliseconds

_LINE: Final = re.compile(
    r"(?:<(?P<priority>\d{1,3})>)?(?:1 )?"
    r"(?P<time>[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S{8,26}) "
    r"(?P<host>\S{1,255}) (?P<program>[^\s:\[]{1,128})"
    r"(?:\[\d+\]:?|:| \S{1,128} \S{1,32}(?: (?:-|\[[^\]]{0,2048}\]))) (?P<message>.*)"
)
_WORDS: Final = re.compile(
    r"(?i)\b(?:error|fatal|panic|segfault|out of memory|oom-kill|killed process|i/o error|failed"
    r"|failure|cannot|unable to|core dumped|exception)\b"
)
_GRAVE: Final = re.compile(r"(?i)\b(?:panic|segfault|out of memory|oom-kill|core dumped|fatal)\b")
_ERR: Final = 3


class Syslog:
    """See the module."""

    name = "syslog"

    def begin(self, line: str) -> str | None:
        """See Format."""
        return "line" if _LINE.match(line) else None

    def follow(self, state: str, line: str) -> str | None:
        """See Format. Some daemons indent what goes on."""
        return state if line[:1] == "\t" else None

    def read(self, lines: Sequence[str], now: Now) -> ErrorEvent | None:
        """See Format."""
        match = _LINE.match(lines[0])
        if match is None:
            return None
        message = "\n".join([match["message"], *lines[1:]])
        severity = ""
        if match["priority"]:
            level = int(match["priority"]) & 7
            if level > _ERR:
                return None
            severity = ("fatal", "critical", "critical", "")[level]
        elif not _WORDS.search(match["message"]):
            return None
        elif _GRAVE.search(match["message"]):
            severity = "critical"
        return ErrorEvent(
            service="",
            error_type="SyslogError",
            message=message,
            severity=severity,
            component=match["program"],
            host=match["host"],
            time=milliseconds(match["time"], now),
        )
