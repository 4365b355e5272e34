"""What a child process prints, kept in a file of bounded size and shown on request."""

import threading
from pathlib import Path
from typing import IO, Final

import click

MAX_BYTES: Final = 10_000_000
"""A log file past this becomes `<name>.log.1`, replacing the one before."""


class LogFile:
    """Takes lines from pipes, one thread for each; at most 2 x `max_bytes` on disk."""

    def __init__(
        self, path: Path, name: str, *, show: bool = False, max_bytes: int = MAX_BYTES
    ) -> None:
        """`show` also prints each line to standard error, after the part's `name`."""
        self.path = path
        self._name = name
        self._show = show
        self._max_bytes = max_bytes
        self._file = path.open("ab")
        self._size = path.stat().st_size
        self._lock = threading.Lock()
        self.last = ""

    def follow(self, pipe: IO[bytes]) -> threading.Thread:
        """Read `pipe` to its end in a thread of its own, then close it."""
        thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            while line := pipe.readline(65_536):
                self._write(line)

    def _write(self, line: bytes) -> None:
        with self._lock:
            if self._file.closed:
                return
            if self._size + len(line) > self._max_bytes:
                self._file.close()
                self.path.replace(self.path.with_suffix(".log.1"))
                self._file = self.path.open("ab")
                self._size = 0
            self._file.write(line)
            self._file.flush()
            self._size += len(line)
            text = line.decode("utf-8", "replace").rstrip()
            self.last = text or self.last
        if self._show:
            click.echo(f"{self._name:<10} {text}", err=True)
