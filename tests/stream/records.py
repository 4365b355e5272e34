"""Records as the broker has them, for stages without a broker."""

from collections.abc import Sequence
from typing import NamedTuple

from faultstream import wire


class Raw(NamedTuple):
    """See RawRecord."""

    offset: int
    value: bytes | None
    key: bytes | None = b"key"
    timestamp: int = 1_800_000_000_000
    headers: Sequence[tuple[str, bytes]] = ()


def errors(count: int, *, first: int = 0, service: str = "orders") -> list[Raw]:
    """Error events with ascending offsets, a millisecond apart."""
    return [
        Raw(
            offset,
            wire.dumps({"service": service, "error_type": "TimeoutError", "message": "slow"}),
            timestamp=1_800_000_000_000 + offset,
        )
        for offset in range(first, first + count)
    ]
