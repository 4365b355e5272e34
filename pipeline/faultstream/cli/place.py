"""The data folder of `faultstream up`: who runs in it, its signing key, its up.json."""

import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faultstream.config.errors import ConfigError
from faultstream.core.signing import MIN_KEY_BYTES


class Place:
    """Held by one process at a time, and let go by the kernel when that ends in any way."""

    def __init__(self, folder: Path) -> None:
        """Make the folder when absent and take it.

        Raises:
            ConfigError: it cannot be made, or somebody else has it.
        """
        self.folder = folder.absolute()
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (self.folder / "up.lock").open("a+")
        except OSError as exc:
            raise ConfigError(str(folder), "", f"no usable folder: {exc.strerror}") from exc
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "unknown"
            self._lock.close()
            raise ConfigError(
                str(folder),
                "",
                f"`faultstream up` runs in this folder already, process {holder}",
                mend="Stop it first, or choose another folder with --data",
            ) from exc
        self.forget_up()  # one that was killed left it
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()}\n")
        self._lock.flush()

    @property
    def up_json(self) -> Path:
        """Where everything is, for other commands; there while all is ready."""
        return self.folder / "up.json"

    def write_up(self, up: Mapping[str, Any]) -> None:
        """Replace up.json in one step, readable by its owner alone."""
        fresh = self.folder / "up.json.new"
        fresh.unlink(missing_ok=True)
        _write_private(fresh, json.dumps(up, indent=1) + "\n")
        fresh.replace(self.up_json)

    def forget_up(self) -> None:
        """Remove up.json. May be repeated."""
        self.up_json.unlink(missing_ok=True)

    def signing_key(self) -> str:
        """The key of this folder; made once, 64 hexadecimal digits.

        Raises:
            ConfigError: the file is there but holds no key.
        """
        return self._secret("signing.key", "signing key")

    def operator_token(self) -> str:
        """What lets an operator steer through the gateway of this folder; made once.

        Raises:
            ConfigError: the file is there but holds none.
        """
        return self._secret("operator.token", "token")

    def _secret(self, file: str, what: str) -> str:
        path = self.folder / file
        if not path.exists():
            _write_private(path, secrets.token_hex(32) + "\n")
        found = path.read_text("utf-8").strip()
        if len(found.encode()) < MIN_KEY_BYTES:
            raise ConfigError(
                str(path),
                "",
                f"too short for a {what}",
                bound=f"at least {MIN_KEY_BYTES} bytes",
                value=f"{len(found)} bytes",
                mend="Delete the file and a new one is made",
            )
        return found

    def leave(self) -> None:
        """Let somebody else have the folder. May be repeated."""
        self.forget_up()
        self._lock.close()


def _write_private(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
