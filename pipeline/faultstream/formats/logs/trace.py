"""Which lines carry a stack trace on, whatever language it is of.

States: head (a record without a trace yet), failed (the same, of an error), gap (the empty line
that Spring Boot leaves between an error and its trace), traceback (inside one of Python), group
(inside one of an exception group, whose lines all have a margin), end (after its last line),
blank, chain (between two tracebacks), thrown (a type and message), at (inside a trace of Java,
Node or .NET). Each line is looked at once.
"""

import re
from typing import Final

from faultstream.formats.logs import stack

_NAMED: Final = re.compile(r"(?:Error|Exception|Throwable|Failure|Fault|Interrupt|Exit|Death)$")
_PYTHONS: Final = frozenset({"traceback", "group", "end", "blank", "chain"})
UNFINISHED: Final = frozenset({"gap", "traceback", "chain"})
"""After these more must come, however long it takes."""
_HEADS: Final = frozenset({"head", "failed", "gap"})


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
    if state in _PYTHONS:
        return _python(state, line, indented=indented)
    if state == "failed" and not line.strip():
        return "gap"
    if stack.TRACEBACK.match(line):
        return _traceback(line) if state in _HEADS else None
    if state == "gap":
        return "thrown" if is_thrown(line) else None
    return _thrown("head" if state == "failed" else state, line, indented=indented)


def opened(line: str) -> str | None:
    """The state after a line that begins a traceback of Python."""
    return _traceback(line) if stack.TRACEBACK.match(line) else None


def _traceback(line: str) -> str:
    return "group" if line.lstrip().startswith("+") else "traceback"


def _thrown(state: str, line: str, *, indented: bool) -> str | None:
    if stack.AT.match(line) or stack.CAUSED.match(line):
        return "at"
    if state == "head" and is_thrown(line):
        return "thrown"
    last = state == "at" and line.strip() == "}"
    return state if indented or last else None


def _python(state: str, line: str, *, indented: bool) -> str | None:
    if state == "traceback":
        inside = indented or not line.strip() or line.startswith(("|", "+"))
        return "traceback" if inside else "end"
    if state == "group":
        return "group" if line.lstrip().startswith(("|", "+")) else _between("end", line)
    return _between(state, line, indented=indented)


def _between(state: str, line: str, *, indented: bool = False) -> str | None:
    if line.startswith(stack.CHAINED):
        return "chain"
    if state == "chain":
        if stack.TRACEBACK.match(line):
            return _traceback(line)
        return "chain" if not line.strip() else None
    if state == "blank":
        return None
    if not line.strip():
        return "blank"
    return "end" if indented else None
