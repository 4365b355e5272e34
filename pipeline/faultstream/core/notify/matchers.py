"""Matchers: `service="orders"`, `level!=info`, `service=~"pay.*"`, `title!~".*test.*"`.

The names, operators and quoting of Alertmanager. A label that is missing has the value "".
Regular expressions are RE2, so matching takes linear time whatever somebody writes; they must
match the whole value.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Protocol, cast

import re2

_FORM: Final = re.compile(
    r"""\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^\s"{},=~!][^"{},]*|)\s*""",
    re.DOTALL,
)
MAX_CHARS: Final = 1_000
LABELS: Final = (
    "service", "layer", "category", "severity", "level", "title", "group", "environment",
    "incident_id",
)  # fmt: skip
"""What response gives every alert; others have those of who published the notification."""


class _Pattern(Protocol):
    def fullmatch(self, text: str) -> object: ...


class MatcherError(ValueError):
    """A text is no matcher; says why."""


class Matcher:
    """One condition on one label."""

    __slots__ = ("_pattern", "_value", "name", "negated", "text")

    def __init__(self, text: str) -> None:
        """Raises MatcherError."""
        form = _FORM.fullmatch(text) if len(text) <= MAX_CHARS else None
        if form is None:
            raise MatcherError(f'{text[:80]!r} is no matcher such as service="orders"')
        self.text = text
        self.name, operator, value = form.groups()
        value = value.rstrip()
        if value.startswith('"'):
            value = re.sub(r"\\(.)", _unescaped, value[1:-1], flags=re.DOTALL)
        self.negated = operator.startswith("!")
        self._value = value
        self._pattern = _compiled(value) if operator.endswith("~") else None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the label of `labels` is as wanted."""
        value = labels.get(self.name, "")
        if self._pattern is None:
            found = value == self._value
        else:
            found = self._pattern.fullmatch(value) is not None
        return found is not self.negated


@lru_cache(maxsize=4_096)
def matcher(text: str) -> Matcher:
    """The matcher that `text` describes.

    Raises:
        MatcherError: it describes none.
    """
    return Matcher(text)


def match_all(texts: tuple[str, ...] | list[str], labels: Mapping[str, str]) -> bool:
    """Whether all of them match; no matcher matches everything."""
    return all(matcher(text).matches(labels) for text in texts)


def _compiled(value: str) -> _Pattern:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return cast("_Pattern", re2.compile(value, options))
    except re2.error as exc:
        why = exc.args[0] if exc.args else ""
        reason = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
        raise MatcherError(f"{value[:80]!r} is no RE2 expression: {reason}") from exc


def _unescaped(found: "re.Match[str]") -> str:
    return {"n": "\n"}.get(found[1], found[1] if found[1] in '"\\' else found[0])
