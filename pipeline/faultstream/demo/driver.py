"""How services talk to the shop's database: one question at a time over one TCP connection.

Lines in, lines out: `HELLO user` gets `OK` or `REFUSED reason`; `GET key` gets `VALUE n`;
`ADD key n` gets `VALUE n` with what it is afterwards.
"""

import asyncio
from typing import Final

CONNECT_TIMEOUT_S: Final = 2.0


class DatabaseError(Exception):
    """The database, or the way to it, did not do what was asked."""


class Connection:
    """An open connection; `ask` may be cancelled, after which the connection is of no use."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.broken = False

    async def ask(self, question: str) -> int:
        """The number that the database answers.

        Raises:
            ConnectionResetError: it went away meanwhile.
            DatabaseError: it answered something else.
        """
        self.broken = True  # until the answer is whole
        self._writer.write(question.encode() + b"\n")
        await self._writer.drain()
        line = await self._reader.readline()
        if not line:
            raise ConnectionResetError("the database closed the connection")
        word, _, rest = line.decode().strip().partition(" ")
        self.broken = False
        if word != "VALUE":
            raise DatabaseError(f"{word} {rest}")
        return int(rest)

    def close(self) -> None:
        """End the connection. May repeat."""
        self.broken = True
        self._writer.close()


async def connect(port: int, user: str) -> Connection:
    """A new connection for `user`.

    Raises:
        ConnectionRefusedError: nobody listens, or the user holds all it may.
        TimeoutError: no answer within `CONNECT_TIMEOUT_S`.
    """
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"HELLO {user}\n".encode())
            word, _, reason = (await reader.readline()).decode().strip().partition(" ")
        except (OSError, asyncio.CancelledError):
            writer.close()
            raise
    if word != "OK":
        writer.close()
        raise ConnectionRefusedError(f"the database refused the connection: {reason or 'closed'}")
    return Connection(reader, writer)
