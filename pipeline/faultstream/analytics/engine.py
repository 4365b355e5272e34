"""The embedded engine: chDB in this process, one data folder, one owner.

ClickHouse itself, without a server. It cannot listen, must not be forked, and one folder can be
open in one process only; `http` lets everybody else ask. Handles are cheap (about a
millisecond), so that each statement has a fresh one and no setting outlives it.
"""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import chdb

from faultstream.analytics.errors import DataFolderBusy, SinkRefused

LOCK: Final = "faultstream.lock"
MEMORY: Final = Path("/dev/shm")  # noqa: S108  (a file system, no fixed name in it)
_CODE: Final = re.compile(r"Code: (\d+)")
_NAME: Final = re.compile(r"\w+")


class Engine:
    """The engine of one data folder. `close` it in the thread that made it."""

    def __init__(self, data: Path) -> None:
        """Opens `data`, made when missing.

        Raises:
            DataFolderBusy: another process has it open; the message has its process id.
            SinkRefused: the folder cannot be opened.
        """
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.data = data.resolve()
        self._lock = _lock(self.data / LOCK)
        if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK):
            tempfile.tempdir = str(MEMORY)
        self.temporary = tempfile.TemporaryDirectory(prefix="faultstream-")
        try:
            self._first: Any = chdb.connect(str(self.data / "clickhouse"))
        except Exception as exc:
            self.temporary.cleanup()
            os.close(self._lock)
            raise SinkRefused(f"the engine cannot open {self.data}: {exc}") from exc
        self.version = self.ask("SELECT version()")
        self.timezone = self.ask("SELECT timezone()")
        self.table_functions = frozenset(
            self.ask("SELECT name FROM system.table_functions").lower().split()
        )

    def ask(self, sql: str) -> str:
        """The answer of a statement of ours as text."""
        with self.handle("", {}, readonly=True) as handle:
            return _text(handle.query(sql, "TSVRaw").bytes())

    @contextmanager
    def handle(
        self, database: str, settings: Mapping[str, str], *, readonly: bool
    ) -> Iterator[Any]:
        """A fresh handle with these settings. Raises SinkRefused for what the engine refuses."""
        handle: Any = chdb.connect(str(self.data / "clickhouse"))
        try:
            if database:
                handle.query(f"USE {_quoted(database)}")
            for name, value in settings.items():
                if not _NAME.fullmatch(name):
                    raise SinkRefused(
                        "Code: 115. DB::Exception: no name of a setting. (UNKNOWN_SETTING)", 115
                    )
                handle.query(f"SET {name} = {_literal(value)}")
            if readonly:
                handle.query("SET readonly = 1")
            yield handle
        except RuntimeError as exc:
            raise refusal(exc) from exc
        finally:
            handle.close()

    def close(self) -> None:
        """Closes the engine. Statements must have ended."""
        self._first.close()
        self.temporary.cleanup()
        os.close(self._lock)


def refusal(exc: BaseException) -> SinkRefused:
    """The engine's own message and code, from what chDB raises."""
    text = str(exc).strip()
    found = _CODE.search(text)
    if found is None:
        return SinkRefused(f"Code: 1001. DB::Exception: {text or 'no message'}", 1001)
    return SinkRefused(text[found.start() :], int(found[1]))


def _lock(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise DataFolderBusy(
            f"{path.parent} is open in another process" + (f" (id {owner})" if owner else "")
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode().strip()


def _quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
