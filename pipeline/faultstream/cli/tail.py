"""Tail: the lines of a file that is written to, rotated and truncated, each exactly once.

A file is known by device, inode and its first bytes. Rotation by renaming: what is left in the
old file is read first. Truncation (logrotate's copytruncate): reading starts again at 0; what was
written and cut off between two polls is gone, as for every reader.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple

import msgspec

HEAD_BYTES: Final = 256
MAX_LINE_BYTES: Final = 256 * 1024
_CHUNK: Final = 256 * 1024


class Position(msgspec.Struct, frozen=True):
    """Where reading goes on: `offset` bytes into the file that begins with `head` (hex)."""

    device: int
    inode: int
    offset: int
    head: str = ""


class Line(NamedTuple):
    """A line without its end; `start` is where it begins. `text` None: the file ended here."""

    text: str | None
    start: int


class Tail:
    """One path. Nothing is opened before the first `lines`."""

    def __init__(self, path: Path, position: Position | None, *, from_start: bool) -> None:
        """Go on at `position`; without one, at the end of the file or, `from_start`, at 0."""
        self.path = path
        self._position = position
        self._from_start = from_start
        self._file: IO[bytes] | None = None
        self._identity = (0, 0)
        self._head = b""
        self._buffer = b""
        self._skipping = False
        self.offset = 0

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode of the file that is read."""
        return self._identity

    def position(self, offset: int) -> Position | None:
        """The position to save for `offset`; None before the file was there."""
        if self._file is None:
            return self._position
        return Position(*self._identity, offset, self._head[:offset].hex())

    def lines(self, most: int) -> Iterator[Line]:
        """Up to about `most` lines that are complete by now, and ends of files between them."""
        left = most
        while left > 0:
            if self._file is None and not self._open():
                return
            for line in self._complete():
                left -= 1
                yield line
            if left > 0 and not self._fill():
                if not self._replaced():
                    return
                yield from self._end()

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> bool:
        position, self._position = self._position, None
        file = _same(self.path, position) if position is not None else None
        offset = position.offset if file is not None and position is not None else 0
        if file is None:
            try:
                file = self.path.open("rb", buffering=0)
            except OSError:
                self._position = position
                self._from_start = True  # it comes later, so all of it is new
                return False
            if position is None and not self._from_start:
                offset = file.seek(0, os.SEEK_END)
        self._from_start = True
        self._file, self.offset, self._buffer, self._skipping = file, offset, b"", False
        status = os.fstat(file.fileno())
        self._identity = (status.st_dev, status.st_ino)
        self._head = os.pread(file.fileno(), HEAD_BYTES, 0)[:offset]
        return True

    def _fill(self) -> bool:
        file = self._file
        assert file is not None  # noqa: S101 - lines() opened it
        descriptor = file.fileno()
        size = os.fstat(descriptor).st_size
        end = self.offset + len(self._buffer)
        if size < end or os.pread(descriptor, len(self._head), 0) != self._head:
            self.offset, self._buffer, self._head = 0, b"", b""
            end, self._skipping = 0, False
        fresh = os.pread(descriptor, _CHUNK, end)
        self._buffer += fresh
        if len(self._head) < HEAD_BYTES and fresh:
            self._head = os.pread(descriptor, HEAD_BYTES, 0)
        return bool(fresh)

    def _complete(self) -> Iterator[Line]:
        *whole, rest = self._buffer.split(b"\n")
        self._buffer = rest
        for raw in whole:
            start = self.offset
            self.offset += len(raw) + 1
            if self._skipping:
                self._skipping = False
            else:
                yield Line(_text(raw), start)
        if len(rest) > MAX_LINE_BYTES:  # its beginning is taken, the rest left out
            if not self._skipping:
                yield Line(_text(rest), self.offset)
            self.offset += len(rest)
            self._buffer, self._skipping = b"", True

    def _replaced(self) -> bool:
        try:
            status = self.path.stat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) != self._identity

    def _end(self) -> Iterator[Line]:
        """The old file is read to its end: its last line may lack one."""
        if self._buffer and not self._skipping:
            yield Line(_text(self._buffer), self.offset)
        self.offset += len(self._buffer)
        yield Line(None, self.offset)
        self.close()


def _same(path: Path, position: Position) -> IO[bytes] | None:
    """The file of a position, under its own name or the one that rotation gave it."""
    for candidate in (path, *sorted(path.parent.glob(f"{path.name}?*"))):
        try:
            file = candidate.open("rb", buffering=0)
        except OSError:
            continue
        status, head = os.fstat(file.fileno()), bytes.fromhex(position.head)
        if (
            (status.st_dev, status.st_ino) == (position.device, position.inode)
            and status.st_size >= position.offset
            and os.pread(file.fileno(), len(head), 0) == head
        ):
            return file
        file.close()
    return None


def _text(raw: bytes) -> str:
    return raw.rstrip(b"\r").decode("utf-8", "replace")
