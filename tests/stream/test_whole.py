"""detect and respond as processes on a real broker: errors in, a pattern and a command out."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from faultstream import wire
from faultstream.config.topology import load
from faultstream.core import signing
from faultstream.core.records import Pattern, RecoveryCommand
from faultstream.ops import child
from faultstream.transport import topics
from tests.until import until_async

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def start(embedded_broker: str, tmp_path: Path) -> Iterator["Start"]:
    """Starts workers on the embedded broker, with the packaged names of the topics."""
    starter = Start(embedded_broker, tmp_path)
    yield starter
    for process in starter.processes:
        child.kill(process)


class Start:
    """`start("detect")` starts a worker."""

    def __init__(self, brokers: str, folder: Path) -> None:
        self.brokers = brokers
        self.processes: list[subprocess.Popen[bytes]] = []
        self._folder = folder

    def __call__(self, name: str, **env: str) -> "subprocess.Popen[bytes]":
        argv = [sys.executable, "-m", "faultstream", "worker", name]
        environment = {**os.environ, "FAULTSTREAM_KAFKA": self.brokers, **env}
        with self.log(name).open("wb") as log:
            process = child.spawn(argv, env=environment, stdout=log, name=name)
        self.processes.append(process)
        return process

    def log(self, name: str) -> Path:
        """What a worker said."""
        return self._folder / f"{name}.log"


async def test_errors_to_command(start: Start) -> None:
    """Errors of a plain producer (service, error_type and the key) become a pattern and a
    signed command; SIGTERM ends both workers with exit code 0."""
    topology = load(None)
    await topics.create(start.brokers, topology)
    start("detect")
    start("respond", FAULTSTREAM_SIGNING_KEY=KEY)
    consumer = AIOKafkaConsumer(bootstrap_servers=start.brokers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        roles = {topology.topic("patterns"): "patterns", topology.topic("commands"): "commands"}
        consumer.assign([TopicPartition(name, number) for name in roles for number in range(4)])
        async with AIOKafkaProducer(bootstrap_servers=start.brokers) as producer:
            for _ in range(5):
                value = b'{"service": "whole-way", "error_type": "ConnectionError"}'
                # without its key a service is spread over the partitions, and counted in each
                await producer.send_and_wait(topology.topic("errors"), value, key=b"whole-way")
        found: dict[str, bytes] = {}

        async def arrived() -> bool:
            for place, records in (await consumer.getmany(timeout_ms=100)).items():
                for record in records:
                    if b"whole-way" in record.value:
                        found.setdefault(roles[place.topic], record.value)
                        if roles[place.topic] == "commands":
                            headers = dict(record.headers)
                            signature = headers["faultstream-signature"].decode()
                            assert signing.verify(record.value, signature, KEY.encode())
            return len(found) == 2

        await until_async(arrived, "a pattern and a command", timeout_s=40)
    finally:
        await consumer.stop()
    assert wire.decode(Pattern, found["patterns"]).service == "whole-way"
    assert wire.decode(RecoveryCommand, found["commands"]).target.service == "whole-way"
    assert [child.stop(process) for process in start.processes] == [0, 0]


async def test_missing_topics(start: Start, tmp_path: Path) -> None:
    """Without its topics a worker ends with exit code 2, their names and the mend."""
    topology = tmp_path / "topology.yaml"
    text = (Path(__file__).parents[2] / "topology.yaml").read_text()
    topology.write_text(text.replace("faultstream.errors.v1", "nobody.made.this.v1"))
    process = start("detect", FAULTSTREAM_TOPOLOGY=str(topology))
    assert process.wait(30) == 2
    said = start.log("detect").read_text()
    assert "nobody.made.this.v1: missing. `faultstream topology create` makes it" in said


def test_respond_needs_a_key(start: Start) -> None:
    """respond without a signing key ends with exit code 2 before it connects anywhere."""
    process = start("respond", FAULTSTREAM_SIGNING_KEY="")
    assert process.wait(30) == 2
    assert "FAULTSTREAM_SIGNING_KEY: missing" in start.log("respond").read_text()
