"""Found: what stood in one request of another system's format, and small tools to read it.

What comes in is foreign JSON of any shape, so everything is read by `text`, `number` and `under`,
which answer with nothing instead of raising.
"""

from typing import Any, Final, NamedTuple

import msgspec

from faultstream.core.event import ErrorEvent

LONGEST: Final = 8_192
"""Characters of an attribute that is taken over; the limits of events are narrower or equal."""


class Refused(NamedTuple):
    """A record that cannot be used: where in the request, what is wrong, how to mend it."""

    where: str
    problem: str
    mend: str = ""


class Found(msgspec.Struct):
    """The events of a request with where they stood, what was refused, and what was left out by
    kind: it is fine, but no error."""

    events: list[tuple[str, ErrorEvent]] = []
    refused: list[Refused] = []
    ignored: dict[str, int] = {}

    def ignore(self, kind: str, count: int = 1) -> None:
        """Count what is no error."""
        self.ignored[kind] = self.ignored.get(kind, 0) + count


def text(value: Any, most: int = 512) -> str:
    """A string or number as text, cut to `most` characters; '' for anything else."""
    if isinstance(value, str):
        return value[:most]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ""


def number(value: Any, least: int, most: int) -> int | None:
    """A whole number, also when written as a string, within the bounds; else None."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    return None


def under(value: Any, *path: str) -> dict[str, Any]:
    """The object at a path; an empty one when there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; nothing when it is none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def hexadecimal(value: Any, digits: int) -> str:
    """An id of that many hexadecimal digits in lower case; '' when it is none, or all zeros."""
    if not isinstance(value, str):
        return ""
    plain = value.replace("-", "").lower()
    good = len(plain) == digits and all(digit in "0123456789abcdef" for digit in plain)
    return plain if good and plain.strip("0") else ""
