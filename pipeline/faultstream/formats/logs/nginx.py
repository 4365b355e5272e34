"""nginx: its error log, and answers of 500 and above in access logs of any web server."""

import re
from collections.abc import Sequence
from typing import Final

from faultstream.core.event import ErrorEvent
from faultstream.formats.logs.format import is_error, stated
from faultstream.formats.logs.stamp import Now, milliseconds

_ERROR: Final = re.compile(
    r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>\w{1,8})\] \d+#\d+: (?:\*\d+ )?"
    r"(?P<message>.*)"
)
_DETAILS: Final = re.compile(r", (client|server|request|upstream|host|referrer): ")
_ACCESS: Final = re.compile(
    r"\S{1,255} \S{1,255} [^\[\"]{1,255}\[(?P<time>[^\]]{20,30})\] "
    r"\"(?P<method>[A-Z]{3,10}) (?P<path>[^\s?\"]{1,4096})[^\"]{0,8192}\" (?P<status>\d{3}) "
)


class NginxError:
    """The error log. Client, request and upstream become tags, not part of the message."""

    name = "nginx-error"

    def begin(self, line: str) -> str | None:
        """See Format."""
        return "line" if _ERROR.match(line) else None

    def follow(self, state: str, line: str) -> str | None:  # noqa: ARG002 - one line each
        """See Format."""
        return None

    def read(self, lines: Sequence[str], now: Now) -> ErrorEvent | None:
        """See Format."""
        match = _ERROR.match(lines[0])
        if match is None or not is_error(match["level"]):
            return None
        message, *details = _DETAILS.split(match["message"])
        tags = dict(zip(details[::2], (text.strip('"') for text in details[1::2]), strict=True))
        return ErrorEvent(
            service="",
            error_type="NginxError",
            message=message,
            severity=stated(match["level"]),
            operation=_operation(tags.get("request", "")),
            tags={name: text[:1_024] for name, text in tags.items()},
            time=milliseconds(match["time"], now),
        )


class Access:
    """The common and the combined log format. The query is left out: it may hold secrets."""

    name = "access"

    def begin(self, line: str) -> str | None:
        """See Format."""
        return "line" if _ACCESS.match(line) else None

    def follow(self, state: str, line: str) -> str | None:  # noqa: ARG002 - one line each
        """See Format."""
        return None

    def read(self, lines: Sequence[str], now: Now) -> ErrorEvent | None:
        """See Format."""
        match = _ACCESS.match(lines[0])
        if match is None or not 500 <= int(match["status"]) <= 599:
            return None
        operation = f"{match['method']} {match['path']}"
        return ErrorEvent(
            service="",
            error_type="HttpServerError",
            message=f"HTTP {match['status']} for {operation}",
            http_status=int(match["status"]),
            operation=operation[:512],
            time=milliseconds(match["time"], now),
        )


def _operation(request: str) -> str:
    method, _, rest = request.partition(" ")
    return f"{method} {rest.partition(' ')[0].partition('?')[0]}"[:512].strip()
