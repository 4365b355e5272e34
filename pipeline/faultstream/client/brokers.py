"""Addresses of brokers."""

from typing import Final

DEFAULT_BROKERS: Final = "127.0.0.1:9092"
_HIGHEST_PORT: Final = 65_535


def addresses(brokers: str) -> list[tuple[str, int]]:
    """Host and port of each of `host:port[,host:port]`; the port is 9092 when left out.

    Raises:
        TypeError: no text.
        ValueError: an empty list, or a port that is none.
    """
    if not isinstance(brokers, str):
        raise TypeError(f"brokers: expected host:port[,host:port] as one text, got {brokers!r}")
    found = []
    for part in filter(None, (piece.strip() for piece in brokers.split(","))):
        host, colon, port = part.rpartition(":")
        if not colon:
            host, port = part, "9092"
        if not host or not port.isdecimal() or not 0 < int(port) <= _HIGHEST_PORT:
            raise ValueError(f"brokers: expected host:port[,host:port], got {brokers!r}")
        found.append((host.strip("[]"), int(port)))
    if not found:
        raise ValueError("brokers: expected host:port[,host:port], got nothing")
    return found
