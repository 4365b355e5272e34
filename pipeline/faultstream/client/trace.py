"""W3C Trace Context: what a `traceparent` header says."""

import re
from typing import Final, NamedTuple

_PARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")


class Trace(NamedTuple):
    """Ids in lower-case hexadecimal, empty when unknown."""

    trace_id: str = ""
    span_id: str = ""


def parse(traceparent: str) -> Trace:
    """The ids in a `traceparent`; empty ones when it is not valid."""
    match = _PARENT.fullmatch(traceparent) if traceparent else None
    if match is None or not match[1].strip("0") or not match[2].strip("0"):
        return Trace()
    return Trace(match[1], match[2])
