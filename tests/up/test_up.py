"""`faultstream up` as a user runs it: real broker, real engine, real workers."""

import asyncio
import json
import os
import re
import signal
import stat
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaProducer

from faultstream.ops import child
from tests.until import until

READY_S = 90.0


class Up:
    """One `faultstream up` on free ports, in a folder of its own."""

    def __init__(self, data: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.data = data
        argv = [sys.executable, "-m", "faultstream", "up", "--data", str(data)]
        argv += ["--port", "0", "--http-port", "0", "--gateway-port", "0", *arguments]
        env = environment() | (env or {})
        self.out = data.with_suffix(".out")
        with self.out.open("wb") as out:
            self.process = child.spawn(argv, env=env, stdout=out, name="up")

    def ready(self) -> dict[str, Any]:
        """Waits for its up.json, not one that a killed one left."""
        found: dict[str, Any] = {}

        def there() -> bool:
            assert self.process.poll() is None, self.out.read_text()
            if (self.data / "up.json").exists():
                found.update(json.loads((self.data / "up.json").read_text()))
            return bool(found) and found["pids"]["up"] == self.process.pid

        until(there, "faultstream up is ready", timeout_s=READY_S)
        return found

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Asks as anybody may: no user, no password."""
        where = urllib.parse.urlsplit(self.ready()["clickhouse"])
        query = urllib.parse.quote(query + " FORMAT JSONEachRow")
        url = f"http://{where.netloc}/?database={where.path[1:]}&query={query}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return [json.loads(line) for line in answer.read().splitlines()]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    made = Up(tmp_path / "data")
    yield made
    child.stop(made.process, grace_s=60)


def produce(
    address: str, value: bytes, count: int, *, topic: str = "faultstream.errors.v1"
) -> None:
    async def go() -> None:
        async with AIOKafkaProducer(bootstrap_servers=address) as producer:
            for _ in range(count):
                await producer.send_and_wait(topic, value, key=b"orders")

    asyncio.run(go())


def alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_one_error_goes_the_whole_way_and_nothing_stays(up: Up) -> None:
    """A plain record, no headers and no id, is a row, a pattern and an incident in SQL; SIGTERM
    then ends every process with exit code 0 and takes up.json away."""
    found = up.ready()
    assert set(found["pids"]) == {
        "up", "kafka", "clickhouse", "detect", "respond", "record", "notify", "gateway"
    }  # fmt: skip
    for name in ("up.json", "signing.key", "operator.token"):
        assert stat.S_IMODE((up.data / name).stat().st_mode) == 0o600
    value = b'{"service":"orders","layer":"service","error_type":"ConnectionError"}'
    produce(found["kafka"], value, 5)
    until(
        lambda: up.sql("SELECT count() AS n FROM errors")[0]["n"] in {5, "5"},
        "five errors are recorded",
        timeout_s=30,
    )
    for table in ("patterns", "incidents"):
        until(lambda table=table: up.sql(f"SELECT * FROM {table}"), f"a row in {table}")  # type: ignore[misc]
    up.process.terminate()
    assert up.process.wait(60) == 0
    assert not (up.data / "up.json").exists()
    assert not any(alive(pid) for pid in found["pids"].values())
    assert up.out.read_text().splitlines()[-1] == "stopped"
    lines = up.out.read_text().splitlines()
    said = {line.split()[0] for line in lines if re.search(r" ready in +[0-9.]+ s", line)}
    assert said == {
        "kafka", "topics", "clickhouse", "detect", "respond", "record", "notify", "gateway"
    }  # fmt: skip


def test_killed_supervisor_leaves_nothing(up: Up) -> None:
    """Nothing outlives a SIGKILL of the supervisor, and the folder is free again."""
    found = up.ready()
    child.kill(up.process)
    pids = found["pids"].values()
    until(lambda: not any(alive(pid) for pid in pids), "every part is gone")
    again = Up(up.data)
    try:
        assert set(again.ready()["pids"]) == set(found["pids"])
    finally:
        assert child.stop(again.process, grace_s=60) == 0


def test_crashed_worker_comes_back(up: Up) -> None:
    """A killed worker is started again, which is said, and up.json has its new process id."""
    found = up.ready()
    os.kill(found["pids"]["notify"], signal.SIGKILL)

    def back() -> bool:
        pids = up.ready()["pids"]
        return bool(pids.get("notify", found["pids"]["notify"]) != found["pids"]["notify"])

    until(back, "notify is back")
    assert "notify      killed by signal 9, again in 0.5 s; see " in up.out.read_text()


def test_second_up_on_a_folder_is_refused(up: Up) -> None:
    """One folder has one `up`; the second is told who has it, with exit code 2."""
    until((up.data / "up.lock").exists, "the first one has the folder")
    until(lambda: (up.data / "up.lock").read_text() != "", "the first one has the folder")
    done = call_up("--data", str(up.data))
    assert done.returncode == 2
    assert done.stderr == (
        f"{up.data}: `faultstream up` runs in this folder already, process {up.process.pid}. "
        "Stop it first, or choose another folder with --data\n"
    )


@pytest.mark.parametrize("option", ["--port", "--http-port", "--gateway-port"])
def test_taken_port_is_refused(tmp_path: Path, embedded_broker: str, option: str) -> None:
    """A port in use is said with the mend, with exit code 2, before anything is started."""
    port = embedded_broker.rpartition(":")[2]
    ports = dict.fromkeys(("--port", "--http-port", "--gateway-port"), "0") | {option: port}
    given = [part for pair in ports.items() for part in pair]
    done = call_up("--data", str(tmp_path / "data"), *given)
    assert done.returncode == 2
    assert done.stderr == (
        f"command line: {option}: port {port} on 127.0.0.1 is taken. "
        f"End what listens there, or let {option} 0 take a free one\n"
    )


def test_kafka_away_is_3(tmp_path: Path) -> None:
    """A Kafka that does not answer ends with exit code 3 and its address."""
    address = f"127.0.0.1:{child.free_port()}"
    ports = ("--http-port", "0", "--gateway-port", "0")
    done = call_up("--data", str(tmp_path / "data"), "--kafka", address, *ports)
    assert done.returncode == 3
    assert f"no broker of {address} answered" in done.stderr


@pytest.mark.kafka
def test_whole_way_on_apache_kafka(tmp_path: Path, apache_kafka: str, prefix: str) -> None:
    """With --kafka no broker is started, and the way is the same."""
    given = yaml.safe_load(Path("topology.yaml").read_text())
    for policy in given["topics"].values():
        policy["name"] = f"{prefix}.{policy['name']}"
    file = tmp_path / "topology.yaml"
    file.write_text(yaml.safe_dump(given))
    up = Up(tmp_path / "data", "--kafka", apache_kafka, env={"FAULTSTREAM_TOPOLOGY": str(file)})
    try:
        found = up.ready()
        assert found["kafka"] == apache_kafka
        assert "kafka" not in found["pids"]
        value = b'{"service":"orders","layer":"service","error_type":"ConnectionError"}'
        produce(apache_kafka, value, 5, topic=given["topics"]["errors"]["name"])
        for table in ("errors", "patterns", "incidents"):
            until(lambda table=table: up.sql(f"SELECT * FROM {table}"), f"a row in {table}")  # type: ignore[misc]
    finally:
        assert child.stop(up.process, grace_s=60) == 0


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if "FAULTSTREAM" not in name}


def call_up(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "faultstream", "up", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
