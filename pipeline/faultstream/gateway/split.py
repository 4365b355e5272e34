"""The records in a body of our own format, apart and unread."""

from typing import Final

import msgspec

from faultstream.core.errors import DataError
from faultstream.formats.native import loads_broken
from faultstream.gateway.errors import ProblemError


def split(body: bytes, content_type: str) -> list[tuple[str, bytes]]:
    """The records in a body: an object, an array of them, or one on each line.

    Raises:
        ProblemError: 400; there is none, or it is no JSON.
    """
    start = body.lstrip()[:1]
    if not start:
        raise ProblemError(
            400, "the body is empty", mend='send {"service": ..., "error_type": ...}'
        )
    if start == b"[":
        return [(f"[{at}]", bytes(one)) for at, one in enumerate(_array(body))]
    lines = content_type in {"application/x-ndjson", "application/jsonl", "application/ndjson"}
    if lines or (b"\n" in body.strip() and not _is_json(body)):
        return [
            (f"line {at}", line)
            for at, line in enumerate(body.split(b"\n"), 1)
            if line and not line.isspace()
        ]
    return [("record", body)]


def _array(body: bytes) -> list[msgspec.Raw]:
    try:
        return msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        try:
            plain = loads_broken(body)
            return [msgspec.Raw(msgspec.json.encode(one)) for one in list(plain)]
        except (DataError, RecursionError) as exc:
            raise ProblemError(400, "no JSON", str(exc)[:200], mend="send valid JSON") from exc


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


class _Timed(msgspec.Struct):
    time: msgspec.Raw = msgspec.Raw(b"null")


_timed_of: Final = msgspec.json.Decoder(_Timed).decode


def timed(value: bytes) -> bool:
    """Whether a record in our format tells its time."""
    try:
        return bytes(_timed_of(value).time) != b"null"
    except (msgspec.DecodeError, RecursionError):
        return False
