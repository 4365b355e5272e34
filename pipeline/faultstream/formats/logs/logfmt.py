"""logfmt: key=value pairs, as Go's slog and logrus, Grafana's services and many others write."""

import re
from collections.abc import Sequence
from typing import Final

from faultstream.core.event import ErrorEvent
from faultstream.formats.logs import jsonlines
from faultstream.formats.logs.stamp import Now

_OPENING: Final = re.compile(r"[A-Za-z@][\w.@/-]{0,60}=")
_LEVEL: Final = re.compile(r"(?:^|\s)(?:level|lvl|severity)=\S")
_PAIR: Final = re.compile(r'([A-Za-z@][\w.@/-]{0,60})=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
_ESCAPED: Final = re.compile(r"\\(.)")
_MEANT: Final = {"n": "\n", "t": "\t", "r": "\r"}
_MOST: Final = 100


class Logfmt:
    """A line that begins with a pair and has a level; keys are those of JSON lines."""

    name = "logfmt"

    def begin(self, line: str) -> str | None:
        """See Format."""
        return "line" if _OPENING.match(line) and _LEVEL.search(line) else None

    def follow(self, state: str, line: str) -> str | None:  # noqa: ARG002 - one line each
        """See Format."""
        return None

    def read(self, lines: Sequence[str], now: Now) -> ErrorEvent | None:
        """See Format."""
        plain: dict[str, str] = {}
        for pair in _PAIR.finditer(lines[0]):
            name, quoted, bare = pair.groups()
            if name not in plain and len(plain) < _MOST:
                plain[name] = bare if quoted is None else _ESCAPED.sub(_meant, quoted)
        return jsonlines.event(plain, now)


def _meant(match: re.Match[str]) -> str:
    return _MEANT.get(match[1], match[1])
