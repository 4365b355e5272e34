"""Python's logging in its usual layouts, gunicorn, loguru, and bare tracebacks."""

import re
from collections.abc import Sequence
from typing import Final

from faultstream.core.event import ErrorEvent
from faultstream.formats.logs import head, trace
from faultstream.formats.logs.format import LEVELS
from faultstream.formats.logs.stamp import Now

_NAME: Final = (
    r"(?:\[?(?P<logger>[\w.-]{1,200}(?::\S{1,200})?)\]?(?:: | - | \| )"
    r"|(?:[\w-]{1,100}(?:\.[\w-]{1,100}){1,10}) )?"
)
_HEADS: Final = tuple(
    re.compile(rf"{expression}(?P<message>.*)")
    for expression in (
        rf"{head.TIME} - (?P<logger>\S{{1,200}}) - {LEVELS} - ",
        rf"{head.TIME} \[\d{{1,10}}\] \[{LEVELS}\] ",  # gunicorn
        rf"{LEVELS}:(?P<logger>[\w.-]{{1,200}}):",
        rf"{head.TIME}[ |:-]{{1,5}}\[?{LEVELS}\]?[ |:-]{{1,12}}{_NAME}",
    )
)


class Python:
    """See the module."""

    name = "python"

    def begin(self, line: str) -> str | None:
        """See Format."""
        return trace.opened(line) or head.opened(_HEADS, line)

    def follow(self, state: str, line: str) -> str | None:
        """See Format."""
        return trace.follow(state, line)

    def read(self, lines: Sequence[str], now: Now) -> ErrorEvent | None:
        """See Format."""
        return head.read(_HEADS, lines, now)
