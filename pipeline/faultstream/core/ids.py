"""Ids are derived, never drawn, so that a replay repeats them and changes nothing downstream."""

import hashlib
from typing import Final

_SEPARATOR: Final = b"\x1f"


def derive(kind: str, *parts: str | int) -> str:
    """The id of `kind` that belongs to `parts`: a UUID of version 8 (RFC 9562), lower case.

    Equal parts give equal ids on every machine and for ever; the order of the parts counts.
    """
    digest = hashlib.blake2b(kind.encode(), digest_size=16)
    for part in parts:
        digest.update(_SEPARATOR)
        digest.update(str(part).encode("utf-8", "surrogatepass"))
    raw = bytearray(digest.digest())
    raw[6] = (raw[6] & 0x0F) | 0x80
    raw[8] = (raw[8] & 0x3F) | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def event_id(topic: str, partition: int, offset: int) -> str:
    """The id of an event whose producer gave none: its place in the log."""
    return derive("event", topic, partition, offset)
