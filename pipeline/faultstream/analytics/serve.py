"""The engine as a process: opens the data folder, serves the HTTP interface, ends on SIGTERM.

`EngineProcess` starts one as a child; `faultstream engine` is one in the foreground.
"""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from faultstream.analytics.client import Address
from faultstream.analytics.engine import Engine
from faultstream.analytics.errors import DataFolderBusy, SinkAway, SinkRefused
from faultstream.analytics.http import Interface
from faultstream.analytics.question import WRITER
from faultstream.ops import child

PASSWORD: Final = "FAULTSTREAM_CLICKHOUSE_RECORDER_PASSWORD"  # noqa: S105  (a variable's name)
DATABASE: Final = "faultstream"
EXIT_BUSY: Final = 75
"""sysexits' EX_TEMPFAIL: another process has the data folder open."""
STOP_S: Final = 20.0


def serve(
    data: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8123,
    password: str = "",
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT; lets running statements end. `ready` gets the port.

    Raises:
        DataFolderBusy: another process has the folder open.
        OSError: the port is taken.
    """
    engine = Engine(data)
    try:
        asyncio.run(_serve(engine, host, port, password, ready))
    finally:
        engine.close()


async def _serve(
    engine: Engine, host: str, port: int, password: str, ready: Callable[[int], None] | None
) -> None:
    interface = Interface(engine, password, host)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(interface.app, access_log=None, shutdown_timeout=STOP_S / 2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        if ready is not None:
            ready(runner.addresses[0][1])
        await stop.wait()
    finally:
        await runner.cleanup()
        await loop.run_in_executor(None, interface.close)


class EngineProcess:
    """The engine as a child process on a loopback port."""

    def __init__(self, data: Path, *, port: int = 0, password: str = "") -> None:
        """`port` 0 is a free one; without `password` one is drawn for the recorder."""
        self.data = data
        self.port = port or child.free_port()
        self.password = password or secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None
        self._said = data / f"engine-{self.port}.log"

    @property
    def pid(self) -> int | None:
        """The child's process id, None when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def address(self, *, writer: bool = True) -> Address:
        """Where it answers: for the recorder, or for readers."""
        user, password = (WRITER, self.password) if writer else ("default", "")
        return Address(
            host="127.0.0.1",
            port=self.port,
            database=DATABASE,
            username=user,
            password=password,
        )

    def start(self, timeout_s: float = 30.0) -> None:
        """Starts it and waits until it answers; the kernel ends it when this process dies. Only
        from the main thread.

        Raises:
            DataFolderBusy: another process has the data folder open.
            SinkRefused: it ended at once; the message is the end of what it said.
            SinkAway: it did not answer in time.
        """
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = [sys.executable, "-m", "faultstream.analytics.serve", str(self.data)]
        with self._said.open("wb") as said:
            self._process = child.spawn(
                [*command, str(self.port)],
                env={**os.environ, PASSWORD: self.password},
                stderr=said,
                name="engine",
            )
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise self._failure()
            if _answers(self.port):
                return
            time.sleep(0.02)
        self.kill()
        raise SinkAway(f"the engine on {self.data} did not answer within {timeout_s:.0f} s")

    def stop(self) -> int | None:
        """SIGTERM, and SIGKILL when it takes too long; returns the exit code."""
        if self._process is None:
            return None
        code = child.stop(self._process, grace_s=STOP_S)
        if code == 0:
            self._said.unlink(missing_ok=True)
        return code

    def kill(self) -> None:
        """SIGKILL, as a crash would end it."""
        if self._process is not None:
            child.kill(self._process)

    def _failure(self) -> Exception:
        code = self._process.wait() if self._process is not None else None
        text = " ".join(self._said.read_text("utf-8", "replace").split())[-400:]
        self._said.unlink(missing_ok=True)
        if code == EXIT_BUSY:
            return DataFolderBusy(text)
        return SinkRefused(f"the engine on {self.data} ended with code {code}: {text}")


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def main(arguments: list[str]) -> int:
    """The child: data folder and port; the recorder's password comes by environment."""
    data, port = arguments
    try:
        serve(Path(data), port=int(port), password=os.environ.get(PASSWORD, ""))
    except DataFolderBusy as exc:
        print(exc, file=sys.stderr)
        return EXIT_BUSY
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
