"""UUIDv7 (RFC 9562): ids that sort by the time they were made. Safe across forks."""

import os
import time
from typing import Final

_VARIANT: Final = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
"""A random hexadecimal digit with its upper two bits set to 10."""


def uuid7() -> str:
    """A new id, lower case; 48 bits of milliseconds since the epoch, 74 random bits."""
    text = f"{(time.time_ns() // 1_000_000) & 0xFFFF_FFFF_FFFF:012x}{os.urandom(10).hex()}"
    variant = _VARIANT[text[16]]
    return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
