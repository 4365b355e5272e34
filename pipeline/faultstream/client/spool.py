"""Files for the time when Kafka is away, delivered later.

A folder of segments `<service>-<time>-<random>.jsonl`, one event a line. Whoever works on one
holds its lock, so several processes share a folder, and what a dead process left is delivered by
the next one of the service. A segment is removed when Kafka has all of it: after a crash in
between at most one segment (`SEGMENT_BYTES`) is delivered twice, with the same event ids.
Linux and other systems with flock.
"""

import errno
import fcntl
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

SEGMENT_BYTES: Final = 256 * 1024


class Spool:
    """The folder of one service. `max_bytes` bounds all of its segments together.

    Raises OSError when the disk refuses; the caller keeps what it wanted to write.
    """

    def __init__(self, folder: Path, service: str, max_bytes: int) -> None:
        self._folder = folder
        self._name = re.sub(r"[^A-Za-z0-9._-]", "_", service)[:80]
        self._max_bytes = max_bytes
        self._fd = -1
        self._path = Path()
        self._written = 0
        self.own: dict[str, int] = {}
        """Errors (counts) in the segments that this process wrote, by file name."""

    def write(self, lines: Sequence[bytes], count: int) -> bool:
        """Append events that stand for `count` errors, and sync; False when there is no room."""
        block = b"".join(line + b"\n" for line in lines)
        if self._bytes() + len(block) > self._max_bytes:
            return False
        if self._fd < 0:
            self._open()
        size = os.fstat(self._fd).st_size
        if os.write(self._fd, block) != len(block):
            os.ftruncate(self._fd, size)  # no half of what the caller keeps
            raise OSError(errno.ENOSPC, "the disk is full")
        os.fsync(self._fd)
        self._written += len(block)
        self.own[self._path.name] = self.own.get(self._path.name, 0) + count
        if self._written >= SEGMENT_BYTES:
            self.seal()
        return True

    def seal(self) -> None:
        """End the segment that is written, so that it can be delivered."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def next(self) -> "Segment | None":
        """The oldest segment that nobody works on; its lock is held until it is let go."""
        self.seal()
        for path in self._segments():
            try:
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(fd).st_nlink > 0:
                    return Segment(path, fd, self.own)
            except OSError:
                pass
            os.close(fd)
        return None

    @property
    def waiting(self) -> bool:
        """Whether there is any segment, of whatever process."""
        return bool(self._segments())

    def _open(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{self._name}-{time.time_ns():020d}-{os.urandom(4).hex()}.jsonl"
        self._path = self._folder / name
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._fd = os.open(self._path, flags, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        self._written = 0

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._name}-*.jsonl"))

    def _bytes(self) -> int:
        total = 0
        for path in self._segments():
            try:
                total += path.stat().st_size
            except OSError:
                continue
        return total


class Segment:
    """One file to deliver. End with `done` or `release`."""

    def __init__(self, path: Path, fd: int, own: dict[str, int]) -> None:
        self._path = path
        self._fd = fd
        self._own = own

    def lines(self) -> list[bytes]:
        """Its events; a last line that a crash cut short is left out."""
        with os.fdopen(os.dup(self._fd), "rb") as file:
            file.seek(0)
            return [line[:-1] for line in file if line.endswith(b"\n")]

    def done(self) -> int:
        """Remove it: Kafka has it. How many of its errors this process had reported."""
        self._path.unlink(missing_ok=True)
        self.release()
        return self._own.pop(self._path.name, 0)

    def release(self) -> None:
        """Leave it for later."""
        os.close(self._fd)
