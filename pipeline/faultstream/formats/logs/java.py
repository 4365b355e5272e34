"""Logback, Log4j, Spring Boot and java.util.logging, with stack traces and chains of causes."""

import re
from collections.abc import Sequence
from typing import Final

from faultstream.core.event import ErrorEvent
from faultstream.formats.logs import head, trace
from faultstream.formats.logs.format import LEVELS
from faultstream.formats.logs.stamp import Now

_LOGGER: Final = r"(?P<logger>\S{1,200})"
_THREAD: Final = r"\[[^\]]{0,200}\]"
_HEADS: Final = tuple(
    re.compile(rf"{head.TIME} {{1,3}}{expression}(?P<message>.*)")
    for expression in (
        rf"{LEVELS} +\d{{1,10}} --- (?:{_THREAD} ?){{1,4}}{_LOGGER} *: ",  # Spring Boot
        rf"{_THREAD} {LEVELS} +{_LOGGER} +- ",  # logback
        rf"{LEVELS} +\[(?P<logger>[\w.$]{{1,200}})\] \([^)]{{0,200}}\) ",  # Quarkus, WildFly
        rf"{LEVELS} +{_THREAD} {_LOGGER} *[:-] ",  # Log4j
    )
)
_UNCAUGHT: Final = "Exception in thread "


class Java:
    """See the module."""

    name = "java"

    def begin(self, line: str) -> str | None:
        """See Format."""
        if line.startswith(_UNCAUGHT):
            return "thrown"
        return head.opened(_HEADS, line)

    def follow(self, state: str, line: str) -> str | None:
        """See Format."""
        return trace.follow(state, line)

    def read(self, lines: Sequence[str], now: Now) -> ErrorEvent | None:
        """See Format."""
        return head.read(_HEADS, lines, now, bare="CRITICAL")
