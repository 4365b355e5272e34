"""The wall clock, in the one unit that everything uses. Core never asks for it: it is told."""

import time


def now_ms() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Milliseconds that only grow; for lengths, never for times."""
    return time.monotonic_ns() // 1_000_000
