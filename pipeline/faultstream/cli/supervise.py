"""A supervisor: starts parts as child processes, says when they are ready, restarts them, stops
them in order. One thread decides; nothing here knows what the parts do."""

import http.client
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import click

from faultstream.cli.logfile import LogFile
from faultstream.ops import child

FIRST_BACKOFF_S: Final = 0.5
MAX_BACKOFF_S: Final = 30.0
STEADY_S: Final = 60.0
"""A part that ran this long starts again at the first backoff."""
GRACE_S: Final = 15.0
"""How long a part may take to stop before it is killed."""
TICK_S: Final = 0.05
_WAKE: Final = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}


class PartEndedError(RuntimeError):
    """A part ended that must not, or that a restart cannot mend. `exit_code` is for us."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Part:
    """One child process. `ready` is asked often and must answer within half a second."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        env: dict[str, str],
        *,
        ready: Callable[[], bool],
        where: str = "",
        restart: bool = True,
    ) -> None:
        """`restart` false means that the whole stops when this part ends."""
        self.name = name
        self.where = where
        self.restart = restart
        self.process: subprocess.Popen[bytes] | None = None
        self.is_ready = False
        self._argv = list(argv)
        self._env = env
        self._ready = ready
        self._backoff_s = FIRST_BACKOFF_S
        self._started = 0.0
        self._again_at = 0.0

    def start(self, log: LogFile) -> None:
        """Start the process; its output goes to `log`."""
        self._started = time.monotonic()
        self.is_ready = False
        self.process = child.spawn(
            self._argv, env=self._env, stdout=subprocess.PIPE, name=self.name
        )
        assert self.process.stdout is not None  # noqa: S101 - PIPE was asked for
        log.follow(self.process.stdout)

    def became_ready(self) -> float | None:
        """Seconds from start to ready, once; None otherwise."""
        if self.is_ready or self.process is None or not self._ready():
            return None
        self.is_ready = True
        return time.monotonic() - self._started

    def ended(self) -> int | None:
        """The exit code when it just ended; None while it runs or waits for its restart."""
        if self.process is None or self.process.poll() is None:
            return None
        code = self.process.returncode
        self.process = None
        self.is_ready = False
        if time.monotonic() - self._started > STEADY_S:
            self._backoff_s = FIRST_BACKOFF_S
        self._again_at = time.monotonic() + self._backoff_s
        return code

    def waits_s(self) -> float:
        """The backoff before the coming restart; it doubles with each call."""
        wait_s = self._backoff_s
        self._backoff_s = min(2 * wait_s, MAX_BACKOFF_S)
        return wait_s

    def is_due(self) -> bool:
        """Whether it waits for a restart whose time has come."""
        return self.process is None and self._again_at > 0 and time.monotonic() >= self._again_at


class Supervisor:
    """Runs parts until a signal. Use from the main thread, `start` parts, then `run`."""

    def __init__(self, logs: Path, *, show_logs: bool = False) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._folder = logs
        self._show_logs = show_logs
        self._began = time.monotonic()
        self._parts: dict[str, Part] = {}
        self._logs: dict[str, LogFile] = {}
        # Signals are blocked and read one by one, so that none comes in the middle of a step.
        self._old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, _WAKE)

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the running parts by name."""
        return {name: part.process.pid for name, part in self._parts.items() if part.process}

    def start(self, part: Part) -> None:
        """Start a part without waiting for it."""
        path = self._folder / f"{part.name}.log"
        self._parts[part.name] = part
        self._logs[part.name] = LogFile(path, part.name, show=self._show_logs)
        part.start(self._logs[part.name])

    def say(self, name: str, text: str) -> None:
        """One line on standard output about a part."""
        click.echo(f"{name:<12}{text}")

    def wait(self, *names: str, timeout_s: float) -> bool:
        """Wait until the parts of these names are ready; False when a signal asked to stop.

        Raises:
            PartEndedError: one of them cannot run, or was not ready within `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while late := [name for name in names if not self._parts[name].is_ready]:
            if time.monotonic() > deadline:
                raise PartEndedError(self._text(late[0], f"not ready after {timeout_s:g} s"), 1)
            if self._step() is not None:
                return False
        return True

    def run(self, changed: Callable[[], None]) -> None:
        """Keep the parts running until a signal; `changed` is called when process ids did.

        Raises:
            PartEndedError: a part ended that the rest cannot do without.
        """
        pids: dict[str, int] = {}
        while True:
            if self.pids != pids:
                pids = self.pids
                changed()
            if self._step() is not None:
                return

    def stop(self, *groups: Sequence[str], grace_s: float = GRACE_S) -> None:
        """SIGTERM the parts group by group, the next when the last one has ended; then the rest.

        A part that takes longer than `grace_s`, or a second Ctrl-C, is ended with SIGKILL.
        """
        named = {name for group in groups for name in group}
        for group in [*groups, [name for name in self._parts if name not in named]]:
            running = [self._parts[name] for name in group if name in self._parts]
            self._stop_group([part for part in running if part.process], grace_s)
        for log in self._logs.values():
            log.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._old_mask)

    def _stop_group(self, parts: Sequence[Part], grace_s: float) -> None:
        deadline = time.monotonic() + grace_s
        for part in parts:
            if part.process is not None:
                part.process.terminate()
        while any(part.process and part.process.poll() is None for part in parts):
            if _signal() is not None or time.monotonic() > deadline:
                for part in parts:
                    if part.process is not None and part.process.poll() is None:
                        self.say(part.name, "did not stop, killed")
                        child.kill(part.process)
        for part in parts:
            part.process = None

    def _step(self) -> int | None:
        """Wait a tick, look at every part; the signal that asks to stop, if one came."""
        if (asked := _signal()) is not None:
            return asked
        for part in self._parts.values():
            seconds = part.became_ready()
            if seconds is not None:
                self.say(part.name, f"ready in {seconds:4.1f} s  {part.where}".rstrip())
            code = part.ended()
            if code is not None:
                self._ended(part, code)
            if part.is_due():
                part.start(self._logs[part.name])
        return None

    def _ended(self, part: Part, code: int) -> None:
        how = f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        if not part.restart or code == 2:
            raise PartEndedError(self._text(part.name, how), 2 if code == 2 else 1)
        self.say(part.name, f"{how}, again in {part.waits_s():g} s; see {self._path(part.name)}")

    def _path(self, name: str) -> Path:
        return self._logs[name].path

    def _text(self, name: str, how: str) -> str:
        last = self._logs[name].last
        return f"{name} {how}: {last or 'it said nothing'} (all of it in {self._path(name)})"


def _signal() -> int | None:
    """SIGTERM, SIGINT or SIGHUP when one came within a tick; wakes early for a child's end."""
    info = signal.sigtimedwait(_WAKE, TICK_S)
    if info is None or info.si_signo == signal.SIGCHLD:
        return None
    return info.si_signo


def answers_http(port: int, path: str) -> bool:
    """Whether a GET on loopback is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=0.5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
