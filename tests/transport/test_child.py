"""Child processes start as they would by themselves and end when they must."""

import signal
import subprocess
import sys
import threading

from faultstream.ops import child


def test_not_from_a_thread() -> None:
    """A child dies with the thread that started it, so other threads are refused."""
    said: list[str] = []

    def start() -> None:
        try:
            child.spawn([sys.executable, "-c", ""], name="it")
        except RuntimeError as exc:
            said.append(str(exc))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert said == ["start it from the main thread: it dies with its thread"]


def test_blocked_signals_are_not_inherited() -> None:
    """A child gets SIGTERM also when its parent blocks it."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        process = child.spawn(
            [sys.executable, "-c", "print(flush=True); import time; time.sleep(60)"],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        with process.stdout as out:
            out.readline()
        assert child.stop(process, grace_s=30) == -signal.SIGTERM
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def test_deaf_child_is_killed_with_its_children() -> None:
    """What ignores SIGTERM is killed after the grace, with what it started."""
    deaf = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(flush=True); time.sleep(60)"
    )
    process = child.spawn([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as out:
        out.readline()
        assert child.stop(process, grace_s=0.1) == -signal.SIGKILL
        assert out.read() == b""  # ends only when the grandchild, which holds it too, is gone


def test_stop_may_repeat() -> None:
    """Stopping what has ended gives its exit code again."""
    process = child.spawn([sys.executable, "-c", "import sys; sys.exit(7)"])
    process.wait(30)
    assert child.stop(process) == 7
    assert child.kill(process) == 7


def test_free_ports_are_never_the_same() -> None:
    """A port that was given is not given again, though nobody listens on it yet."""
    ports = [child.free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert all(child.is_free(port) for port in ports)
