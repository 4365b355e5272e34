"""Child processes that cannot outlive us, and loopback ports for them."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO

# Runs in the child before the real program, so that no code of ours runs between fork and exec.
# The kernel keeps the wish across exec; a parent that died before it was made shows in getppid.
# Signals blocked here or ignored by Python would stay so in the program; it gets them as usual.
_TIE = """
import ctypes, os, signal, sys
ctypes.CDLL(None, use_errno=True).prctl(1, 9)
signal.pthread_sigmask(signal.SIG_SETMASK, [])
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""

_given: set[int] = set()


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.STDOUT,
    cwd: str | os.PathLike[str] | None = None,
    name: str = "",
) -> "subprocess.Popen[bytes]":
    """Start `argv` in a session of its own; the kernel kills it when this process dies.

    The session of its own keeps a Ctrl-C on the terminal for us alone. Costs about 30 ms.

    Raises:
        RuntimeError: not called from the main thread: the kernel ties the child to the thread
            that started it, and a child of a short-lived thread would die with that.
        OSError: the interpreter cannot be started. A missing program shows as exit code 1.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(f"start {name or argv[0]} from the main thread: it dies with its thread")
    return subprocess.Popen(  # noqa: S603 - no shell, and the callers name the programs
        tied(argv),
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def tied(argv: Sequence[str]) -> list[str]:
    """A command line that runs `argv` and has the kernel kill it when the thread that started it
    ends; only on Linux, elsewhere `argv` itself. A missing program shows as exit code 1."""
    if not hasattr(ctypes.CDLL(None), "prctl"):
        return list(argv)
    return [sys.executable, "-I", "-S", "-c", _TIE, str(os.getpid()), *argv]


def stop(process: "subprocess.Popen[bytes]", *, grace_s: float = 10.0) -> int:
    """SIGTERM, and SIGKILL to its whole session after `grace_s`; the exit code. May repeat."""
    if process.poll() is None:
        process.terminate()
        try:
            return process.wait(grace_s)
        except subprocess.TimeoutExpired:
            kill(process)
    return process.wait()


def kill(process: "subprocess.Popen[bytes]") -> int:
    """SIGKILL to the process and its session; the exit code. May repeat."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:  # still before setsid, or gone meanwhile
            process.kill()
    return process.wait()


def free_port() -> int:
    """A loopback port that is free now and that no call of this process was given before.

    Below the ports that the kernel gives to outgoing connections (32768 and up on Linux), so
    that none of those takes it before it is listened on.

    Raises:
        OSError: 1000 drawn ports were all taken.
    """
    for _ in range(1000):
        port = random.randrange(20_000, 32_000)  # noqa: S311 - to avoid others, not to hide
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise OSError("no free port between 20000 and 32000 on 127.0.0.1")


def is_free(port: int) -> bool:
    """Whether somebody could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
