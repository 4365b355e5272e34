"""What a process writes that prints an exception without a head: Node, .NET, Java alike."""

from collections.abc import Sequence

from faultstream.core.event import ErrorEvent
from faultstream.formats.logs import head, stack, trace
from faultstream.formats.logs.stamp import Now


class Node:
    """`TypeError: message` and lines that begin with `at`; without such a line it is no error."""

    name = "node"

    def begin(self, line: str) -> str | None:
        """See Format."""
        return "thrown" if trace.is_thrown(line) else None

    def follow(self, state: str, line: str) -> str | None:
        """See Format."""
        return trace.follow(state, line)

    def read(self, lines: Sequence[str], now: Now) -> ErrorEvent | None:
        """See Format."""
        event = head.read((), lines, now)
        first = stack.THROWN.match(lines[0])
        if event is not None and first is not None and first["code"]:
            event.tags = {"code": first["code"]}
        return event
