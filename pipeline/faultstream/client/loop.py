"""The event loop of our own threads."""

import asyncio
import socket
from typing import Any


class Loop(asyncio.SelectorEventLoop):
    """Looks names up in its own thread: the pool that asyncio uses refuses work at exit."""

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - the name in the standard library
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """As socket.getaddrinfo; blocks this loop, which serves nobody else."""
        return socket.getaddrinfo(host, port, family, type, proto, flags)
