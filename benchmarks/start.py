"""How long `faultstream up` takes from its start to the first pattern, and where the time goes.

    python benchmarks/start.py

Prints what `up` says of each part, then when the first event was handled: an error is published
as soon as the topics are there, and the pattern it makes is waited for on its topic, and the row
in ClickHouse. The seconds of CPU are for judging a busy machine.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from faultstream.config.topology import load
from faultstream.ops import child
from faultstream.transport import topics
from faultstream.transport.topics import wait_for_broker

EVENT = b'{"service":"orders","error_type":"java.lang.OutOfMemoryError","severity":"fatal"}'


async def measure(folder: Path) -> None:
    kafka, http = child.free_port(), child.free_port()
    argv = [sys.executable, "-m", "faultstream", "up", "--data", str(folder / "data")]
    argv += ["--gateway-port", str(child.free_port())]
    began = time.monotonic()
    with (folder / "out").open("wb") as out:
        up = child.spawn([*argv, "--port", str(kafka), "--http-port", str(http)], stdout=out)
    try:
        address, topology = f"127.0.0.1:{kafka}", load()
        await wait_for_broker(address)
        await until(lambda: topics.differences(address, topology), want=False)
        async with (
            AIOKafkaConsumer(
                topology.topic("patterns"),
                bootstrap_servers=address,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=20,
            ) as patterns,
            AIOKafkaProducer(bootstrap_servers=address) as producer,
        ):
            await producer.send_and_wait(topology.topic("errors"), EVENT, key=b"orders")
            print(f"{time.monotonic() - began:6.2f} s  event published")
            await asyncio.wait_for(patterns.getone(), 60)
            print(f"{time.monotonic() - began:6.2f} s  its pattern is on the topic")
        await until(lambda: asyncio.to_thread(rows, http))
        print(f"{time.monotonic() - began:6.2f} s  its row is in ClickHouse")
        await until(lambda: asyncio.to_thread((folder / "data" / "up.json").exists))
        print(f"{time.monotonic() - began:6.2f} s  all ready")
        pids = json.loads((folder / "data" / "up.json").read_text())["pids"]
        shown = ", ".join(f"{name} {cpu_s(pid):.1f}" for name, pid in pids.items())
        print(f"CPU seconds by then: {shown}; load {os.getloadavg()[0]:.1f}")
    finally:
        child.stop(up, grace_s=60)
        print((folder / "out").read_text(), end="")


async def until(ask: Callable[[], Awaitable[object]], *, want: bool = True) -> None:
    while bool(await ask()) is not want:  # noqa: ASYNC110 - the one asked is another process
        await asyncio.sleep(0.02)


def rows(port: int) -> int:
    query = urllib.parse.quote("SELECT count() FROM errors")
    url = f"http://127.0.0.1:{port}/?database=faultstream&query={query}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.read())
    except (urllib.error.URLError, OSError):
        return 0


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="faultstream-start-") as name:
        asyncio.run(measure(Path(name)))
