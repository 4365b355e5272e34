"""What a message says: by the rules for messages, by names of errors in it, by an HTTP status.

Messages are templates of at most template.HEAD_CHARS characters, and every repeat in the
expressions is bounded, so the cost is bounded too.
"""

import re
from collections.abc import Iterator
from enum import Enum
from itertools import islice
from typing import Final

from faultstream.core.classify.knowledge import Knowledge, Spec
from faultstream.core.classify.statuses import of_status
from faultstream.core.group import Category

MAX_MENTIONED: Final = 4
FOLLOWED_BY_CODE: Final = "code"
# Names of errors, codes in capitals, and codes where something says that one follows, as the
# libraries of gRPC and of clouds do.
_MENTIONED: Final = re.compile(
    r"(?<![\w.$])(?:[A-Za-z_][\w$]{0,80}\.){0,8}[A-Z][A-Za-z0-9]{2,80}"
    r"(?:Exception|Error|Fault|Failure)(?![\w.$])"
    r"|(?<![A-Za-z0-9_])[A-Z][A-Z0-9]{1,40}(?:_[A-Z0-9]{1,40}){1,8}(?![A-Za-z0-9_])"
    r"|(?:(?<=code = )|(?<=status: )|(?<=StatusCode\.)|(?<=error occurred \()"
    r"|(?<=[eE]rror Code: )|(?<=ErrorCode: )|(?<=ErrorCode:)|(?<=api error )|(?<=[( ]Code: )"
    r"|(?<=StatusCode=\"))"
    r"(?P<code>[A-Za-z][A-Za-z_]{3,40}(?:\.[A-Z][A-Za-z]{2,40}){0,3})(?=[ ,:;)\"]|$)"
)
_STATUS: Final = re.compile(
    r"(?<![a-z])(?:http|status(?:[ _-]?code)?|code|response|returned|responded with|answered)"
    r"(?: is| was)?[\s:=(\"']{1,3}(?:http )?([45][0-9]{2})(?![0-9])"
    r"|^([45][0-9]{2})(?: [\"(]?[a-z]|, message=)"
)


class Said(Enum):
    """Marks between verdicts: names in the message are to be looked at; weak ones follow."""

    NAMES = "names"
    WEAK = "weak"


def family(known: Knowledge, low: str) -> Category | None:
    """The category whose texts stand in a message in lower case, whatever the type."""
    within = known.texts.within(low)
    for category, texts in known.families:
        if not within.isdisjoint(texts):
            return category
    return None


def said(
    known: Knowledge, low: str, senses: frozenset[Category], *, weak: bool
) -> Iterator[Spec | Said]:
    """Verdicts of the rules that match, in the order in which they count.

    First those for one of the categories `senses`, then the place of names, then those for all
    types, then an HTTP status, and `weak` ones last.
    """
    within = known.texts.within(low)
    for rule in known.messages:
        if rule.within and not senses.isdisjoint(rule.within) and rule.matches(low, within):
            yield rule.spec
    yield Said.NAMES
    for rule in known.messages:
        if not rule.within and not rule.weak and rule.matches(low, within):
            yield rule.spec
    code = _STATUS.search(low)
    status = of_status(int(code[1] or code[2])) if code else None
    if status is not None:
        yield status
    if weak:
        for rule in known.messages:
            if rule.weak and not rule.within and rule.matches(low, within):
                yield Said.WEAK
                yield rule.spec


def mentioned(text: str) -> Iterator[tuple[str, str]]:
    """Names of errors and codes in a message, with `code` where it says that it is one."""
    for match in islice(_MENTIONED.finditer(text), MAX_MENTIONED):
        yield match[0], match.lastgroup or ""
