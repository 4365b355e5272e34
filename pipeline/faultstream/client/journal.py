"""What an executor has begun, done and told, kept across restarts.

A file of JSON lines, synced before a command is carried out: that makes it at most once. Results
stay in it until Kafka has them: that makes them at least once. Lines of commands that have expired
`GRACE_MS` ago are left out when the file is opened, and when it grows; expired commands are refused
anyway. Without a path the journal is in memory, and both promises last as long as the process.
"""

import contextlib
import errno
import fcntl
import os
import threading
from pathlib import Path
from typing import Any, Final

from faultstream import wire
from faultstream.client.setting import JournalInUseError
from faultstream.core.errors import DataError
from faultstream.core.records import RecoveryResult

GRACE_MS: Final = 3_600_000
COMPACT_BYTES: Final = 1_048_576


class Journal:
    """One file, for one executor. Safe for several threads. OSError when the disk refuses."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._fd = -1
        self._lock_fd = -1
        self._size = 0
        self._most = 1_000
        self._lock = threading.Lock()
        self._expiry: dict[str, int] = {}
        self._begun: dict[str, RecoveryResult] = {}
        self._unsent: dict[str, tuple[str, RecoveryResult]] = {}

    def open(self, now_ms: int) -> None:
        """Read what is there, and leave out what is over.

        Raises:
            JournalInUseError: somebody else has it.
        """
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lock = self._path.with_name(self._path.name + ".lock")
        self._lock_fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            self.close()
            raise JournalInUseError(f"{self._path} is in use by another process") from exc
        with contextlib.suppress(FileNotFoundError):
            for line in self._path.read_bytes().split(b"\n"):
                self._replay(line)
        with self._lock:
            self._compact(now_ms)

    def close(self) -> None:
        """Let go of the file."""
        for fd in (self._fd, self._lock_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._lock_fd = -1

    def knows(self, command_id: str) -> bool:
        """Whether it was begun or answered."""
        return command_id in self._expiry

    def begin(self, result: RecoveryResult, expires_at_ms: int, now_ms: int) -> None:
        """From here on the command counts as taken. `result` is the answer after a crash."""
        with self._lock:
            if self._size > COMPACT_BYTES or len(self._expiry) > self._most:
                self._compact(now_ms)
            self._write({"begun": wire.to_dict(result), "expires": expires_at_ms})
            self._expiry[result.command_id] = expires_at_ms
            self._begun[result.command_id] = result

    def finish(self, result: RecoveryResult, expires_at_ms: int) -> None:
        """The answer, to be told until `told`."""
        with self._lock:
            self._write({"done": wire.to_dict(result), "expires": expires_at_ms})
            self._done(result, expires_at_ms)

    def keep(self, result: RecoveryResult, expires_at_ms: int) -> None:
        """`finish` in memory only, for when the disk refuses."""
        with self._lock:
            self._done(result, expires_at_ms)

    def told(self, result_id: str) -> None:
        """Kafka has the answer. Not synced: telling it twice does no harm."""
        with self._lock:
            if self._unsent.pop(result_id, None) is not None:
                self._write({"told": result_id}, sync=False)

    def interrupted(self) -> list[RecoveryResult]:
        """Answers for what was begun and never finished: the process ended in between."""
        with self._lock:
            return list(self._begun.values())

    def untold(self) -> list[RecoveryResult]:
        """Answers that Kafka does not have yet."""
        with self._lock:
            return [result for _, result in self._unsent.values()]

    def expiry(self, command_id: str) -> int:
        """When a known command expires."""
        return self._expiry[command_id]

    def _done(self, result: RecoveryResult, expires_at_ms: int) -> None:
        self._expiry[result.command_id] = expires_at_ms
        self._begun.pop(result.command_id, None)
        self._unsent[result.result_id] = (result.command_id, result)

    def _replay(self, line: bytes) -> None:
        """One line of the file; one that a crash cut short says nothing."""
        try:
            plain = wire.loads(line)
            if "begun" in plain:
                result = wire.from_dict(RecoveryResult, plain["begun"])
                self._expiry[result.command_id] = int(plain["expires"])
                self._begun[result.command_id] = result
            elif "done" in plain:
                done = wire.from_dict(RecoveryResult, plain["done"])
                self._done(done, int(plain["expires"]))
            elif "told" in plain:
                self._unsent.pop(plain["told"], None)
            else:
                self._expiry[str(plain["seen"])] = int(plain["expires"])
        except (ValueError, KeyError, TypeError, DataError):
            return

    def _write(self, plain: dict[str, Any], *, sync: bool = True) -> None:
        if self._path is None:
            return
        if self._fd < 0:
            raise OSError("the journal is closed")
        line = b"\n" + wire.dumps(plain)  # first the line's end: the one before may be cut short
        _put(self._fd, line)
        self._size += len(line)
        if sync:
            os.fsync(self._fd)

    def _compact(self, now_ms: int) -> None:
        """Write anew what still matters, and put it in the place of the old file."""
        waiting = {*self._begun, *(command_id for command_id, _ in self._unsent.values())}
        self._expiry = {
            command_id: at
            for command_id, at in self._expiry.items()
            if at + GRACE_MS > now_ms or command_id in waiting
        }
        self._most = 2 * len(self._expiry) + 1_000
        if self._path is None:
            return
        lines = [{"seen": command_id, "expires": at} for command_id, at in self._expiry.items()]
        lines += [
            {"begun": wire.to_dict(result), "expires": self._expiry[command_id]}
            for command_id, result in self._begun.items()
        ]
        lines += [
            {"done": wire.to_dict(result), "expires": self._expiry[command_id]}
            for command_id, result in self._unsent.values()
        ]
        fresh = self._path.with_name(self._path.name + ".new")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _put(fd, b"".join(wire.dumps(line) + b"\n" for line in lines))
            os.fsync(fd)
            fresh.replace(self._path)
        except BaseException:
            os.close(fd)
            raise
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        os.fsync(folder)
        os.close(folder)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._size = 0


def _put(fd: int, block: bytes) -> None:
    """Write all of it, or raise OSError."""
    if os.write(fd, block) != len(block):
        raise OSError(errno.ENOSPC, "the disk is full")
