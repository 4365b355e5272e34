"""The supervisor keeps parts running and stops them in order; shown on parts of three lines."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faultstream.cli.logfile import LogFile
from faultstream.cli.supervise import Part, PartEndedError, Supervisor

Make = Callable[..., Part]

READY = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch(); "
WAIT = READY + "import time; time.sleep(60)"


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path / "logs")
    yield made
    made.stop(grace_s=0.0)


@pytest.fixture
def part(tmp_path: Path) -> Make:
    def make(name: str, code: str, *, restart: bool = True) -> Part:
        flag = tmp_path / f"{name}.ready"
        argv = [sys.executable, "-c", code, str(flag), str(tmp_path)]
        return Part(name, argv, {}, ready=flag.exists, restart=restart)

    return make


def ask_to_stop() -> None:
    """A signal for this thread alone: other threads of the tests do not block it."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def test_says_who_is_ready(
    supervisor: Supervisor, part: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each part that becomes ready is one line with its seconds."""
    supervisor.start(part("one", WAIT))
    supervisor.start(part("two", WAIT))
    assert supervisor.wait("one", "two", timeout_s=20)
    lines = sorted(capsys.readouterr().out.splitlines())
    assert [line.split()[:3] for line in lines] == [["one", "ready", "in"], ["two", "ready", "in"]]
    assert set(supervisor.pids) == {"one", "two"}


def test_restarts_what_crashes(
    supervisor: Supervisor, part: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part that crashes is started again after a wait, which is said, with where to look."""
    crash_once = (
        "import pathlib, sys, time; seen = pathlib.Path(sys.argv[2], 'seen');\n"
        "first = not seen.exists(); seen.touch()\n"
        "if first: sys.exit('broken')\n"
        "pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
    )
    supervisor.start(part("one", crash_once))
    assert supervisor.wait("one", timeout_s=20)
    out = capsys.readouterr().out
    assert "one         ended with exit code 1, again in 0.5 s; see " in out


def test_backoff_doubles(part: Make) -> None:
    """The wait doubles from 0.5 s and stays at 30 s."""
    one = part("one", WAIT)
    assert [one.waits_s() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(
    ("code", "restart", "how", "exit_code"),
    [
        ("import sys; print('no key'); sys.exit(2)", True, "ended with exit code 2: no key", 2),
        ("import sys; print('gone'); sys.exit(1)", False, "ended with exit code 1: gone", 1),
        (
            "import os; print('x', flush=True); os.kill(os.getpid(), 9)",
            False,
            "killed by signal 9: x",
            1,
        ),
    ],
)
def test_gives_up_where_a_restart_does_not_help(
    supervisor: Supervisor, part: Make, code: str, how: str, exit_code: int, *, restart: bool
) -> None:
    """Wrong configuration, or a part that may not end, ends the whole with its last words."""
    supervisor.start(part("one", code, restart=restart))
    with pytest.raises(PartEndedError) as ended:
        supervisor.wait("one", timeout_s=20)
    assert str(ended.value).startswith(f"one {how}")
    assert ended.value.exit_code == exit_code


def test_not_ready_in_time(supervisor: Supervisor, part: Make) -> None:
    """A part that does not become ready ends the whole."""
    supervisor.start(part("one", "import time; time.sleep(60)"))
    with pytest.raises(PartEndedError, match=r"^one not ready after 0.1 s: it said nothing"):
        supervisor.wait("one", timeout_s=0.1)


def test_stops_in_order(supervisor: Supervisor, part: Make, tmp_path: Path) -> None:
    """A group is told to stop only when the one before has ended."""
    note = (
        "import pathlib, signal, sys, time\n"
        "def stop(*_):\n"
        "    with open(sys.argv[2] + '/order', 'a') as file: file.write(sys.argv[1][-7:] + '\\n')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
    )
    for name in ("c", "b", "a"):
        supervisor.start(part(name, note))
    assert supervisor.wait("a", "b", "c", timeout_s=20)
    supervisor.stop(["a"], ["b"])
    assert (tmp_path / "order").read_text().split() == ["a.ready", "b.ready", "c.ready"]
    assert supervisor.pids == {}


def test_kills_what_does_not_stop(
    supervisor: Supervisor, part: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part that ignores SIGTERM is killed after the bound, and that is said."""
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAIT
    supervisor.start(part("one", deaf))
    assert supervisor.wait("one", timeout_s=20)
    supervisor.stop(["one"], grace_s=0.1)
    assert "one         did not stop, killed" in capsys.readouterr().out


def test_signal_ends_the_run(supervisor: Supervisor, part: Make) -> None:
    """SIGTERM ends `run`, after the process ids were told."""
    told: list[dict[str, int]] = []
    supervisor.start(part("one", WAIT))
    assert supervisor.wait("one", timeout_s=20)

    def changed() -> None:
        told.append(supervisor.pids)
        ask_to_stop()

    supervisor.run(changed)
    assert told == [supervisor.pids]


def test_log_file_is_bounded(tmp_path: Path) -> None:
    """Past its size the log becomes `.1`; together at most twice the size are kept."""
    path = tmp_path / "one.log"
    log = LogFile(path, "one", max_bytes=100)
    for number in range(50):
        log._write(f"line {number:04d}\n".encode())
    log.close()
    old = path.with_suffix(".log.1")
    assert path.stat().st_size <= 100
    assert old.stat().st_size <= 100
    assert path.read_text().splitlines()[-1] == "line 0049"
    assert log.last == "line 0049"
