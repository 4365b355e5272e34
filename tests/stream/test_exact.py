"""Counting workers end with exact counts whatever happens to them; on both brokers.

The long ones alone: python -m tests.stream.test_exact
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultstream.ops import child
from tests.kafka import ApacheKafka
from tests.stream.counted import Counted
from tests.stream.counting import POISON
from tests.until import until, until_async


@pytest.fixture
async def counted(broker: str, prefix: str, tmp_path: Path) -> Counted:
    """Topics without records, on each broker."""
    made = Counted(broker, prefix, tmp_path)
    await made.create()
    return made


@pytest.fixture
def workers() -> Iterator["list[subprocess.Popen[bytes]]"]:
    """Processes that are ended with the test, however it ends."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        child.kill(process)


async def test_kill_and_clean_stop(
    counted: Counted, workers: "list[subprocess.Popen[bytes]]"
) -> None:
    """Killed with SIGKILL amid the work, the next worker ends with exact counts; after SIGTERM
    everything is committed, so that nothing is handed out again."""
    await counted.produce(20_000)
    workers.append(counted.start())
    until(lambda: counted.took() > 0, "the first run is handled")
    child.kill(workers[0])
    await counted.produce(4_000)
    workers.append(counted.start())
    await until_async(counted.complete, "all is counted")
    assert child.stop(workers[1]) == 0
    assert await counted.counts() == counted.expected()
    assert await counted.committed() == counted.produced


async def test_rebalance(counted: Counted, workers: "list[subprocess.Popen[bytes]]") -> None:
    """A worker that joins and one that leaves cleanly cost no record and double none."""
    await counted.produce(8_000)
    workers.append(counted.start())
    until(lambda: counted.took() >= 8_000, "the first worker took all")
    workers.append(counted.start())

    async def shared() -> bool:
        await counted.produce(200)
        return counted.took(counted.logs[1]) > 0

    await until_async(shared, "the second worker takes some", timeout_s=30)
    assert child.stop(workers[0]) == 0
    await counted.produce(4_000)
    await until_async(counted.complete, "all is counted", timeout_s=30)
    assert child.stop(workers[1]) == 0
    assert await counted.counts() == counted.expected()
    assert counted.took() == counted.produced, "a graceful move hands nothing out twice"


async def test_silence_is_known(
    counted: Counted, workers: "list[subprocess.Popen[bytes]]", request: pytest.FixtureRequest
) -> None:
    """A partition is said to be read only when all of it was handed over, and then it is, also
    where a log ends with the mark of a transaction, which is no record."""
    await counted.produce(8_000)
    if "apache" in request.node.name:  # the embedded broker knows no transactions
        await counted.produce_together(400)
    workers.append(counted.start())
    until(lambda: (counted.produced, set()) in counted.unread(), "all was taken, and known to be")
    share = counted.produced // counted.partitions
    for taken, waiting in counted.unread():
        assert taken >= share * (counted.partitions - len(waiting))
    assert child.stop(workers[0]) == 0


async def test_poison(counted: Counted, workers: "list[subprocess.Popen[bytes]]") -> None:
    """A refused record becomes a dead letter with its place, and holds up nothing."""
    await counted.produce(400)
    good = counted.produced
    await counted.produce(4, value=POISON)
    counted.produced = good
    workers.append(counted.start())
    await until_async(counted.complete, "the good ones are counted")
    assert child.stop(workers[0]) == 0
    assert await counted.counts() == counted.expected()
    letters = await counted.letters()
    places = {(letter["original-partition"], letter["original-offset"]) for letter in letters}
    assert places == {(str(number), "100") for number in range(4)}
    assert {letter["original-topic"] for letter in letters} == {counted.topic}
    assert {letter["stage"] for letter in letters} == {"decode"}
    assert {letter["error-message"] for letter in letters} == {"poison"}
    assert await counted.committed() == good + 4


async def test_too_much_poison(counted: Counted, workers: "list[subprocess.Popen[bytes]]") -> None:
    """More refusals in a row than the limit stop the worker with exit code 1 and the reason,
    and none of them is acknowledged."""
    await counted.produce(8_000, value=POISON)
    workers.append(counted.start())
    assert workers[0].wait(30) == 1
    log = counted.logs[0].read_text()
    assert "records were all refused (dead_letters.max_consecutive is 1000)" in log
    assert await counted.committed() == 0


@pytest.mark.kafka
async def test_broker_restart(
    apache_kafka_node: ApacheKafka,
    prefix: str,
    tmp_path: Path,
    workers: "list[subprocess.Popen[bytes]]",
) -> None:
    """A broker that goes away and comes back: the same worker goes on by itself, exactly."""
    counted = Counted(apache_kafka_node.address, prefix, tmp_path)
    await counted.create()
    await counted.produce(4_000)
    workers.append(counted.start())
    await until_async(counted.complete, "the first part is counted")
    until(lambda: not counted.unread()[-1][1], "all is known to be read")
    apache_kafka_node.stop()
    everything = set(range(counted.partitions))
    until(lambda: counted.unread()[-1][1] == everything, "nobody knows what is in the log")
    apache_kafka_node.start()
    await counted.produce(4_000)
    await until_async(counted.complete, "the rest is counted", timeout_s=60)
    until(lambda: not counted.unread()[-1][1], "all is known to be read again")
    assert child.stop(workers[0]) == 0
    assert await counted.counts() == counted.expected()


@pytest.mark.chaos
async def test_frozen_worker(counted: Counted, workers: "list[subprocess.Popen[bytes]]") -> None:
    """A worker that freezes longer than its session loses its partitions; when it wakes it does
    not overwrite what the new owner wrote."""
    await counted.produce(4_000)
    workers.append(counted.start())
    await until_async(counted.complete, "the first part is counted")
    os.kill(workers[0].pid, signal.SIGSTOP)
    await counted.produce(4_000)
    workers.append(counted.start())
    await until_async(counted.complete, "the second worker counted the rest", timeout_s=40)
    os.kill(workers[0].pid, signal.SIGCONT)
    await counted.produce(4_000)
    await until_async(counted.complete, "both go on", timeout_s=40)
    for process in workers:
        assert child.stop(process) == 0
    assert await counted.counts() == counted.expected()


@pytest.mark.chaos
async def test_many_kills(counted: Counted, workers: "list[subprocess.Popen[bytes]]") -> None:
    """FAULTSTREAM_CHAOS_KILLS (20) kills with SIGKILL at random moments under
    FAULTSTREAM_CHAOS_RATE (2000) records a second leave exact counts."""
    kills = int(os.environ.get("FAULTSTREAM_CHAOS_KILLS", "20"))
    rate = int(os.environ.get("FAULTSTREAM_CHAOS_RATE", "2000"))
    chance = random.Random(int(os.environ.get("FAULTSTREAM_CHAOS_SEED", "7")))
    done = asyncio.Event()

    async def feed() -> None:
        while not done.is_set():
            await counted.produce(rate // 4)
            await asyncio.sleep(0.25)

    feeding = asyncio.ensure_future(feed())
    for _ in range(kills):
        before = counted.took()
        process = counted.start()
        workers.append(process)

        async def working(before: int = before) -> bool:
            return counted.took() > before

        await until_async(working, "the worker takes something", timeout_s=60)
        await asyncio.sleep(chance.uniform(0.2, 4.0))
        child.kill(process)
    done.set()
    await feeding
    workers.append(counted.start())
    await until_async(counted.complete, "all is counted", timeout_s=120)
    assert child.stop(workers[-1]) == 0
    assert await counted.counts() == counted.expected()
    assert await counted.committed() == counted.produced


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-m", "chaos", "-s", *sys.argv[1:]]))
