"""Which lines carry a stack trace on, whatever language it is of.

States: head (a record without a trace yet), traceback (inside one of Python), end (after its
last line), blank, chain (between two tracebacks), thrown (a type and message), at (inside a
trace of Java, Node or .NET). Each line is looked at once.
"""

import re
from typing import Final

from faultstream.formats.logs import stack

_NAMED: Final = re.compile(r"(?:Error|Exception|Throwable|Failure|Fault|Interrupt|Exit|Death)$")


def is_thrown(line: str) -> bool:
    """Whether a line looks like `com.example.SomeException: message`."""
    match = stack.THROWN.match(line)
    if match is None:
        return False
    name = match["type"]
    return bool(_NAMED.search(name)) or ("." in name and match["message"] is not None)


def follow(state: str, line: str) -> str | None:
    """The state after `line`, None when it does not belong to the record."""
    indented = line[:1] in (" ", "\t") and not line.isspace()
    if state == "traceback":
        inside = indented or not line.strip() or line.startswith(("|", "+"))
        return "traceback" if inside else "end"
    if state in {"end", "blank", "chain"}:
        return _between(state, line, indented=indented)
    if stack.TRACEBACK.match(line):
        return "traceback" if state == "head" else None
    return _thrown(state, line, indented=indented)


def _thrown(state: str, line: str, *, indented: bool) -> str | None:
    if stack.AT.match(line) or stack.CAUSED.match(line):
        return "at"
    if state == "head" and is_thrown(line):
        return "thrown"
    last = state == "at" and line.strip() == "}"
    return state if indented or last else None


def _between(state: str, line: str, *, indented: bool) -> str | None:
    if line.startswith(stack.CHAINED):
        return "chain"
    if state == "chain":
        if stack.TRACEBACK.match(line):
            return "traceback"
        return "chain" if not line.strip() else None
    if state == "blank":
        return None
    if not line.strip():
        return "blank"
    return "end" if indented else None
