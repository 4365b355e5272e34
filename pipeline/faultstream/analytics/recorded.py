"""Recorded errors as error events again, for what works on files of them (row A8).

What a row does not keep is lost: the hints of severity and category and the explicit fingerprint
parts that a client gave. Events are told once each, in order of time.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from faultstream import wire
from faultstream.analytics.client import Connection

_AS_THEY_ARE: Final = (
    "event_id", "environment", "service", "layer", "host", "instance", "release", "operation",
    "component", "function", "error_type", "message", "count", "handled", "recoverable",
    "retry_count", "max_retries", "http_status", "request_id", "user_id", "session_id", "trace_id",
    "span_id", "parent_event_id", "correlation_id", "experiment_id", "tags", "bases",
)  # fmt: skip
_TEXTS: Final = ("causes", "frames")
_ASKED: Final = f"""SELECT {", ".join((*_AS_THEY_ARE, *_TEXTS))},
  toUnixTimestamp64Milli(time) AS at FROM errors
WHERE time >= fromUnixTimestamp64Milli({{since:Int64}})
  AND time < fromUnixTimestamp64Milli({{until:Int64}})
  AND ({{environment:String}} = '' OR environment = {{environment:String}})
  AND ({{service:String}} = '' OR service = {{service:String}})
ORDER BY time, event_id LIMIT 1 BY event_id LIMIT {{most:UInt64}}"""  # noqa: S608 - text of ours


def events(
    connection: Connection,
    since_ms: int,
    until_ms: int,
    *,
    environment: str = "",
    service: str = "",
    most: int = 10_000_000,
) -> Iterator[bytes]:
    """Lines of JSON, each an event as on its topic, of event times in [since_ms, until_ms).

    Read piece by piece, so that memory does not grow with their number.

    Raises:
        SinkAway, SinkRefused: as every question.
    """
    asked = {
        "since": since_ms,
        "until": until_ms,
        "environment": environment,
        "service": service,
        "most": most,
    }
    rest = b""
    for piece in connection.pieces(_ASKED, "JSONEachRow", asked):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield _event(wire.loads(line))
    if rest:
        yield _event(wire.loads(rest))


def _event(row: dict[str, Any]) -> bytes:
    event = {
        name: row[name] for name in _AS_THEY_ARE if row[name] not in ("", None) and row[name] != []
    }
    for name in _TEXTS:
        if row[name]:
            try:
                event[name] = json.loads(row[name])
            except ValueError:
                continue  # text that was no Unicode is recorded as it was printed
    if not event.get("tags"):
        event.pop("tags", None)
    event["time"] = int(row["at"])
    return wire.dumps(event)
