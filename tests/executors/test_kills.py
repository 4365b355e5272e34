"""`faultstream executor` as a process, on both brokers, killed in the middle of its work."""

import os
import signal
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from faultstream import wire
from faultstream.config.topology import load
from faultstream.core.records import RecoveryCommand, RecoveryResult
from faultstream.ops import child
from tests.client import topics
from tests.client.topics import KEY, command, signed
from tests.until import until

PROGRAM = """\
import os, sys, time
file = sys.argv[1]
with open(file, "a") as out:
    out.write(sys.argv[2] + "\\n")
if os.path.exists(file + ".slow"):
    time.sleep(600)
"""


class Place:
    """Topics, a topology that names them, and an executor.yaml whose program leaves a trace."""

    def __init__(self, broker: str, prefix: str, folder: Path) -> None:
        self.folder = folder
        self.done = folder / "done"
        self.broker = broker
        text = Path("topology.yaml").read_text()
        for role in load().topics.values():
            text = text.replace(f"{{name: {role.name}", f"{{name: {prefix}.{role.name}")
        (folder / "topology.yaml").write_text(text)
        topology = load(folder / "topology.yaml")
        self.commands, self.results = topology.topic("commands"), topology.topic("results")
        topics.create(broker, self.commands, self.results)
        (folder / "program.py").write_text(PROGRAM)
        argv = [sys.executable, str(folder / "program.py"), str(self.done), "{command_id}"]
        handler = f"{{command: {{argv: {argv}}}}}".replace("'", '"')
        back = [*argv[:3], "back {rollback_of}"]
        scale = f"{{command: {{argv: {argv}, undo_argv: {back}}}}}".replace("'", '"')
        (folder / "executor.yaml").write_text(
            f"version: 1\ninstance: ops-1\njournal: {folder / 'journal'}\n"
            f"services:\n  orders:\n    concurrency: 8\n    handlers:\n"
            f"      cache_clear: {handler}\n      service_restart: {handler}\n"
            f"      resource_scale: {scale}\n"
        )

    def start(self) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "faultstream", "executor"]
        argv += ["--config", str(self.folder / "executor.yaml"), "--brokers", self.broker]
        env = {
            **os.environ,
            "FAULTSTREAM_TOPOLOGY": str(self.folder / "topology.yaml"),
            "FAULTSTREAM_SIGNING_KEY": KEY.decode(),
        }
        with (self.folder / "log").open("ab") as out:
            return child.spawn(argv, env=env, stdout=out, stderr=out)

    def publish(self, *orders: RecoveryCommand) -> None:
        topics.publish(self.broker, self.commands, *map(signed, orders))

    def slow(self, wanted: bool) -> None:
        """Whether the program hangs once it has left its trace."""
        mark = Path(f"{self.done}.slow")
        mark.touch() if wanted else mark.unlink()

    def ran(self) -> list[str]:
        return self.done.read_text().split() if self.done.exists() else []

    def has_run(self, many: int) -> bool:
        return len(self.ran()) >= many

    def answers(self, many: int) -> list[RecoveryResult]:
        """The different answers, once there are so many; signs of life are none."""

        def answers(records: list[topics.Record]) -> dict[str, RecoveryResult]:
            decoded = (wire.decode(RecoveryResult, record.value) for record in records)
            return {one.result_id: one for one in decoded if one.status != "in_progress"}

        found = topics.read(
            self.broker,
            self.results,
            lambda records: len(answers(records)) >= many,
            timeout_s=60,
        )
        return list(answers(found).values())


@pytest.fixture
def place(broker: str, prefix: str, tmp_path: Path) -> Place:
    return Place(broker, prefix, tmp_path)


def orders(many: int) -> list[RecoveryCommand]:
    """Commands of both deliveries by turns."""
    return [
        command("service_restart", delivery="exactly_one") if n % 2 else command("cache_clear")
        for n in range(many)
    ]


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.chaos)])
def test_killed_in_the_middle_it_does_nothing_twice(place: Place, kills: int) -> None:
    """kill -9 in the middle of both kinds of commands: each command runs at most once, those that
    were interrupted are told as failed, the others as done, one answer each."""
    everything: list[RecoveryCommand] = []
    process = None
    try:
        for _ in range(kills):
            before, fresh = len(place.ran()), orders(2)
            everything += fresh
            place.slow(True)
            place.publish(*everything)  # what is old comes again, too
            process = place.start()
            until(partial(place.has_run, before + 2), "both run", timeout_s=60)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            place.slow(False)
        last = orders(2)
        everything += last
        place.publish(*everything)
        process = place.start()
        found = place.answers(len(everything))
    finally:
        if process is not None:
            child.kill(process)
    assert Counter(place.ran()) == Counter(order.command_id for order in everything)
    assert len(found) == len(everything)
    told = {result.command_id: (result.status, result.message) for result in found}
    for order in everything:
        ended = ("success", "exit code 0") if order in last else _INTERRUPTED
        assert told[order.command_id] == ended


_INTERRUPTED = ("failed", "the executor ended while at it")


def test_what_was_done_is_taken_back(embedded_broker: str, prefix: str, tmp_path: Path) -> None:
    """A command with `rollback_of` runs the handler's undo, and nothing where there is none."""
    place = Place(embedded_broker, prefix, tmp_path)
    undo = command("resource_scale", delivery="exactly_one", rollback_of="c-1")
    other = command("cache_clear", rollback_of="c-2")
    place.publish(undo, other)
    process = place.start()
    try:
        told = {result.command_id: result for result in place.answers(2)}
    finally:
        child.kill(process)
    assert told[undo.command_id].status == "success"
    assert told[other.command_id].status == "not_attempted"
    assert "takes nothing back" in told[other.command_id].message
    assert place.ran() == ["back", "c-1"]


def test_sigterm_lets_it_finish(embedded_broker: str, prefix: str, tmp_path: Path) -> None:
    """What runs is finished and told, the exit code is 0, and it says when it is ready."""
    place = Place(embedded_broker, prefix, tmp_path)
    process = place.start()
    try:
        log = tmp_path / "log"
        until(lambda: "ready: orders: cache_clear, service_restart, re" in log.read_text(), "ready")
        place.slow(True)
        order = command("cache_clear")
        place.publish(order)
        until(lambda: place.ran() == [order.command_id], "it runs")
        process.terminate()
        assert process.poll() is None
        for pid in _programs(process.pid):
            os.kill(pid, signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        child.kill(process)
    (result,) = place.answers(1)
    assert (result.status, result.message) == ("failed", "ended by signal 15")


def _programs(parent: int) -> list[int]:
    """The children of a process."""
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(word) for word in text.split()]
