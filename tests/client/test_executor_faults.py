"""The executor when it is killed and when Kafka goes away."""

import subprocess
import sys
from pathlib import Path

import pytest

from faultstream.client import Executor
from tests.client import topics
from tests.client.topics import KEYS, command, signed
from tests.kafka import ApacheKafka
from tests.until import until

SCRIPT = """
import sys, threading
from pathlib import Path
from faultstream.client import Executor

broker, commands, results, folder, mode = sys.argv[1:]
done = Path(folder) / "done"
executor = Executor(
    "orders", keys={"k1": b"0123456789abcdef"}, brokers=broker, instance="orders-1",
    commands_topic=commands, results_topic=results, journal=Path(folder) / "journal",
)

@executor.handles("circuit_break")
def carry_out(command):
    with done.open("a") as file:
        file.write(command.command_id + "\\n")
    if mode == "hang":
        threading.Event().wait()

executor.start()
threading.Event().wait()
"""


def test_a_killed_executor_carries_nothing_out_twice(
    embedded_broker: str, prefix: str, tmp_path: Path
) -> None:
    """kill -9 in the middle of a command: told as failed, not repeated; the next one is done."""
    names = (f"{prefix}.commands", f"{prefix}.results")
    topics.create(embedded_broker, *names)
    done = tmp_path / "done"

    def start(mode: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-c", SCRIPT, embedded_broker, *names, str(tmp_path), mode]
        return subprocess.Popen(argv)

    def lines() -> list[str]:
        return done.read_text().split() if done.exists() else []

    first, second = command(), command()
    topics.publish(embedded_broker, names[0], signed(first))
    process = start("hang")
    try:
        until(lambda: len(lines()) == 1, "the first command has begun")
    finally:
        process.kill()
        process.wait()
    topics.publish(embedded_broker, names[0], signed(first), signed(second))
    process = start("work")
    try:
        found = topics.results(embedded_broker, names[1], 2)
    finally:
        process.kill()
        process.wait()
    assert lines() == [first.command_id, second.command_id]
    assert {result.command_id: result.status for result in found} == {
        first.command_id: "failed",
        second.command_id: "success",
    }


@pytest.mark.kafka
def test_a_broker_restart_is_waited_out(apache_kafka_node: ApacheKafka, prefix: str) -> None:
    """Commands before and after are carried out once, and a result that had to wait arrives."""
    broker = apache_kafka_node.address
    names = (f"{prefix}.commands", f"{prefix}.results")
    topics.create(broker, *names)
    done: list[str] = []
    executor = Executor(
        "orders",
        keys=KEYS,
        brokers=broker,
        instance="orders-1",
        commands_topic=names[0],
        results_topic=names[1],
    )

    @executor.handles("circuit_break")
    def carry_out(order: object) -> None:
        if done:
            apache_kafka_node.stop()
        done.append(str(order))

    orders = [command() for _ in range(3)]
    with executor:
        topics.publish(broker, names[0], signed(orders[0]))
        topics.results(broker, names[1], 1)
        topics.publish(broker, names[0], signed(orders[1]))
        until(lambda: len(done) == 2, "the second command took the broker down", timeout_s=40)
        until(lambda: executor.stats().untold == 1, "its result waits")
        apache_kafka_node.start()
        assert len(topics.results(broker, names[1], 2)) == 2
        done.clear()
        topics.publish(broker, names[0], signed(orders[2]))
        found = topics.results(broker, names[1], 3)
    assert {result.command_id for result in found} == {order.command_id for order in orders}
    assert len(done) == 1
