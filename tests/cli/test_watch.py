"""`faultstream watch`: every line once, whatever happens to files and processes."""

import http.server
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultstream import wire
from faultstream.cli import main
from faultstream.cli.watching import Naming, Watching
from faultstream.core.event import ErrorEvent
from tests.client import topics
from tests.until import until

TRACE = "ERROR:a:failed\nTraceback (most recent call last):\n  File 'x'\nValueError: {}\n"


class Kept:
    """A target in memory. `safe` are the events that were flushed."""

    def __init__(self) -> None:
        self.waiting: list[ErrorEvent] = []
        self.safe: list[ErrorEvent] = []
        self.away = False

    def publish(self, event: ErrorEvent) -> None:
        """Keep it."""
        self.waiting.append(event)

    def flush(self) -> bool:
        """Unless it is away."""
        if not self.away:
            self.safe += self.waiting
            self.waiting = []
        return not self.away

    @property
    def messages(self) -> list[str]:
        """What the safe events say."""
        return [event.message for event in self.safe]


class Clock:
    """Milliseconds that go on by a step at every look, so that globs and quiet records are due."""

    ms = 1_795_312_899_120

    def __call__(self) -> int:
        """Now."""
        self.ms += 6_000
        return self.ms


made: list[Watching] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """No file stays open."""
    yield
    while made:
        made.pop().close()


def watch(
    target: Kept, *patterns: Path, state: Path | None = None, from_start: bool = True
) -> Watching:
    """A Watching as the command makes it."""
    watching = Watching(
        [str(pattern) for pattern in patterns], target, naming=Naming(), zone=UTC, state=state,
        from_start=from_start, clock=Clock(),
    )  # fmt: skip
    made.append(watching)
    return watching


def run(watching: Watching) -> None:
    """Read all there is, then save."""
    while watching.step():
        pass
    watching.commit()


def append(path: Path, text: str) -> None:
    """Write to the end."""
    with path.open("a") as file:
        file.write(text)


def test_starts_at_the_end(tmp_path: Path) -> None:
    """What stood in a file before is passed over; a file that comes later is read whole."""
    target, path = Kept(), tmp_path / "orders.log"
    append(path, "ERROR:a:old\n")
    watching = watch(target, tmp_path / "*.log", from_start=False)
    run(watching)
    append(path, "ERROR:a:new\n")
    append(tmp_path / "later.log", "ERROR:a:later\n")
    run(watching)
    assert sorted(target.messages) == ["later", "new"]
    assert {event.service for event in target.safe} == {"orders", "later"}


def test_half_lines_wait(tmp_path: Path) -> None:
    """A line is read when it is whole, and a trace when it is quiet."""
    target, path = Kept(), tmp_path / "a.log"
    append(path, "ERROR:a:one\nERR")
    watching = watch(target, path)
    run(watching)
    assert target.messages == ["one"]
    append(path, "OR:a:two\n")
    run(watching)
    assert target.messages == ["one", "two"]


HALF = "ERROR:a:cut\nTraceback (most recent call last):\n"


@pytest.mark.parametrize(("times", "told"), [(1, ["x"]), (4, ["cut"])])
def test_trace_that_is_cut_by_time(tmp_path: Path, times: int, told: list[str]) -> None:
    """The rest of a traceback that comes six seconds later belongs to it, after 24 none does."""
    target, path = Kept(), tmp_path / "a.log"
    append(path, HALF)
    watching = watch(target, path)
    for _ in range(times):
        run(watching)
    append(path, '  File "/a.py", line 1, in f\nValueError: x\n')
    run(watching)
    run(watching)
    assert [one.partition("\n")[0] for one in target.messages] == told


def test_rotation_while_it_does_not_run(tmp_path: Path) -> None:
    """After a restart, what is left in a file that was renamed meanwhile is read first."""
    path, state = tmp_path / "a.log", tmp_path / "state.json"
    first, second = Kept(), Kept()
    append(path, "ERROR:a:1\n")
    run(watch(first, path, state=state))
    append(path, "ERROR:a:2\n")
    path.rename(tmp_path / "a.log.1")
    append(path, "ERROR:a:3\n")
    run(watch(second, path, state=state))
    assert (first.messages, second.messages) == (["1"], ["2", "3"])


def test_crash_repeats_ids(tmp_path: Path) -> None:
    """What was not saved is read again with the same ids, and nothing is lost."""
    path, state = tmp_path / "a.log", tmp_path / "state.json"
    target = Kept()
    append(path, "ERROR:a:1\n" + TRACE.format(2))
    target.away = True
    crashed = watch(target, path, state=state)
    run(crashed)
    assert not state.exists()
    again = Kept()
    run(watch(again, path, state=state))
    assert again.messages == ["1", "2"]
    assert [one.event_id for one in again.safe] == [one.event_id for one in target.waiting]


def test_state_of_another_kind(tmp_path: Path) -> None:
    """A state file that is none of ours is refused."""
    state = tmp_path / "state.json"
    state.write_text("[]")
    with pytest.raises(ValueError, match="not a state file of watch"):
        watch(Kept(), tmp_path / "a.log", state=state)


actions = st.lists(
    st.sampled_from(["write", "write", "trace", "half", "step", "rename", "truncate", "restart"]),
    max_size=30,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions)
def test_every_line_once(tmp_path: Path, many: list[str]) -> None:
    """Writing, rotation by rename and by truncation, and restarts in any order: each line once."""
    folder = tmp_path / os.urandom(8).hex()
    folder.mkdir()
    path, state = folder / "a.log", folder / "state.json"
    target = Kept()
    watching = watch(target, path, state=state)
    wanted: list[str] = []
    looked = False  # a file that comes and goes between two looks was never there
    for number, action in enumerate([*many, "step", "step"]):
        if action in {"write", "trace", "half"}:
            text = f"ERROR:a:{number}\n" if action != "trace" else TRACE.format(number)
            cut = len(text) - (3 if action == "half" else 0)
            append(path, text[:cut])
            append(path, text[cut:])
            wanted.append(str(number))
        elif action == "step":
            run(watching)
            looked = path.exists()
        elif action == "rename" and looked:
            path.rename(folder / f"a.log.{number}")
            looked = False
        elif action == "truncate" and looked:
            run(watching)  # what is cut off unread is gone
            path.write_text("")
            run(watching)
        elif action == "restart":
            run(watching)
            looked = path.exists()
            watching.close()
            watching = watch(target, path, state=state)
    watching.step(last=True)
    watching.commit()
    watching.close()
    assert target.messages == wanted


def test_dry_run(tmp_path: Path) -> None:
    """--dry-run prints events within limits and without secrets, and keeps no positions."""
    path = tmp_path / "orders.log"
    append(path, 'ERROR:shop:password=hunter2\n{"level":50,"msg":"no","svc":{"id":"pay"}}\n')
    options = ["watch", "--dry-run", "--once", "--from-start", "--service-field", "svc.id"]
    result = CliRunner().invoke(
        main, [*options, str(path)], env={"FAULTSTREAM_DATA": str(tmp_path)}
    )
    assert result.exit_code == 0
    first, second = map(wire.loads, result.output.splitlines())
    assert (first["service"], first["message"]) == ("orders", "password=[scrubbed]")
    assert (second["service"], second["message"]) == ("pay", "no")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["orders.log"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing to watch: give a FILE or --scrape URL"),
        (["--scrape", "file:///etc/passwd"], "expected http:// or https://"),
        (["--service", "{host}", "a"], "{stem}, {name} and {parent} only"),
        (["--timezone", "Mars/Base", "--dry-run", "a"], "no such zone: 'Mars/Base'"),
    ],
)
def test_wrong_options(options: list[str], message: str) -> None:
    """What cannot work is refused with the reason."""
    result = CliRunner().invoke(main, ["watch", *options])
    assert result.exit_code == 2
    assert message in result.output


def test_metric_and_health_records(tmp_path: Path) -> None:
    """Records of metrics and health in a file become events when they cross or fail."""
    target, path = Kept(), tmp_path / "health.json"
    records = [{"service": "orders", "metric": "ms", "value": n % 10} for n in range(50)]
    records += [{"service": "orders", "metric": "ms", "value": 90}] * 3
    records += [{"service": "orders", "check": "database", "status": "fail"}]
    append(path, "".join(f"{wire.dumps(record).decode()}\n" for record in records))
    run(watch(target, path))
    assert [event.error_type for event in target.safe] == [
        "MetricLimitExceeded", "HealthCheckFailed",
    ]  # fmt: skip
    assert len({event.event_id for event in target.safe}) == 2


@pytest.fixture
def exporter() -> Iterator[str]:
    """An address whose gauge is 1 twelve times and 100 from then on."""
    count = 0

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal count
            count += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"# TYPE queue gauge\nqueue {1 if count <= 12 else 100}\n".encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """An empty log."""
    path = tmp_path / "orders.log"
    path.touch()
    return path


def _start(*options: str, broker: str, data: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "faultstream", "watch", *options],
        env={**os.environ, "FAULTSTREAM_KAFKA": broker, "FAULTSTREAM_DATA": str(data)},
        stdout=subprocess.PIPE,
        text=True,
    )


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert process.stdout is not None
    process.stdout.close()


def test_to_kafka_and_on_after_a_restart(
    embedded_broker: str, prefix: str, log: Path, tmp_path: Path
) -> None:
    """Errors of a log arrive on the topic once each, also over an orderly restart."""
    topic, state = f"{prefix}.errors", tmp_path / "watch.json"
    topics.create(embedded_broker, topic)
    for number in range(2):
        process = _start(str(log), "--from-start", "--topic", topic, broker=embedded_broker,
                         data=tmp_path)  # fmt: skip
        append(log, TRACE.format(number))
        topics.events(embedded_broker, topic, number + 1)
        _stop(process)
        assert state.exists()
    found = topics.events(embedded_broker, topic, 2)
    assert sorted(event["message"] for event in found) == ["0", "1"]


def test_scrape_to_event(exporter: str, tmp_path: Path) -> None:
    """A scraped gauge that leaves what was ordinary becomes an event."""
    process = _start("--scrape", exporter, "--every", "0.1", "--dry-run", broker="127.0.0.1:1",
                     data=tmp_path)  # fmt: skip
    assert process.stdout is not None
    first = process.stdout.readline()
    event = wire.loads(first)
    assert (event["error_type"], event["operation"]) == ("MetricLimitExceeded", "queue")
    _stop(process)
    until(lambda: process.poll() == 0, "the end of the process")


def test_nothing_to_read_once_is_1(tmp_path: Path) -> None:
    """A file that is not there may come later, unless all is to be read once; one of several is
    enough."""
    gone, there = str(tmp_path / "gone.log"), tmp_path / "there.log"
    there.write_text("fine\n")
    options = ["watch", "--dry-run", "--once", "--from-start"]
    alone = CliRunner().invoke(main, [*options, gone])
    assert (alone.exit_code, alone.stderr) == (1, f"no file matches {gone!r}\n")
    assert CliRunner().invoke(main, [*options, gone, str(there)]).exit_code == 0
