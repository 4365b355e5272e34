"""Go: panics, fatal errors of its runtime, and panics that net/http caught."""

import re
from collections.abc import Sequence
from typing import Final

from faultstream.core.event import ErrorEvent
from faultstream.formats.logs import stack
from faultstream.formats.logs.stamp import Now, milliseconds

_OPENING: Final = re.compile(
    r"(?:(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?) )?"
    r"(?P<kind>panic: |fatal error: |http: panic serving \S{1,100}: )(?P<message>.*)"
)
_TYPED: Final = re.compile(r"(?:\(|&)?(?P<type>\*?[a-z]\w{0,60}\.[A-Z]\w{0,100})[)({]")
_BELONGS: Final = re.compile(r"goroutine \d+ |\[signal |created by |\t|exit status \d|\s*$")
_CALL: Final = re.compile(r"[\w./*·$@~-]+[(\[{]")


class Go:
    """See the module."""

    name = "go"

    def begin(self, line: str) -> str | None:
        """See Format."""
        return "panic" if _OPENING.match(line) else None

    def follow(self, state: str, line: str) -> str | None:
        """See Format. After `exit status` nothing follows."""
        called = line.endswith(")") and _CALL.match(line)
        if state == "over" or not (called or _BELONGS.match(line)):
            return None
        return "over" if line.startswith("exit status") else state

    def read(self, lines: Sequence[str], now: Now) -> ErrorEvent | None:
        """See Format."""
        opening = _OPENING.match(lines[0])
        if opening is None:
            return None
        kind, message = opening["kind"], opening["message"]
        found = stack.go(lines)
        typed = _TYPED.match(message)
        error_type = "panic"
        if message.startswith("runtime error: "):
            error_type = "runtime.Error"
        elif kind.startswith("fatal"):
            error_type = "fatal error"
        elif typed:
            error_type = typed["type"]
        served = kind.startswith("http")
        return ErrorEvent(
            service="",
            error_type=error_type,
            message=message.removesuffix(" [recovered]"),
            severity="" if served else "fatal",
            handled=served,
            frames=found.frames if found else [],
            time=milliseconds(opening["time"], now) if opening["time"] else None,
        )
