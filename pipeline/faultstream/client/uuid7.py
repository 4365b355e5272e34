"""UUIDv7 (RFC 9562): ids that sort by the time they were made. Safe across forks."""

import os
import time


def uuid7() -> str:
    """A new id, lower case; 48 bits of milliseconds since the epoch, 74 random bits."""
    random = int.from_bytes(os.urandom(10), "big")
    high = (time.time_ns() // 1_000_000) & 0xFFFF_FFFF_FFFF
    value = (high << 80) | (0x7 << 76) | ((random >> 68 & 0xFFF) << 64)
    value |= (0b10 << 62) | (random & 0x3FFF_FFFF_FFFF_FFFF)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
