"""The reporter on real brokers, which come late, go away and come back."""

import asyncio
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultstream.client import Reporter
from faultstream.client.delivery import Stats
from faultstream.ops import child
from faultstream.transport.embedded import EmbeddedBroker
from tests.client import topics
from tests.kafka import ApacheKafka
from tests.until import until

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def adds_up(stats: Stats) -> bool:
    """Every error is in exactly one place."""
    where = stats.sent + stats.spooled + stats.waiting + sum(stats.dropped.values())
    return stats.reported == where


@pytest.fixture
def topic(embedded_broker: str, prefix: str) -> str:
    """An errors topic on the embedded broker."""
    name = f"{prefix}.errors"
    topics.create(embedded_broker, name)
    return name


@pytest.fixture
def nowhere() -> str:
    """An address where nobody listens."""
    return f"127.0.0.1:{child.free_port()}"


@pytest.fixture
def late_broker() -> Iterator[EmbeddedBroker]:
    """A broker that is not started yet."""
    broker = EmbeddedBroker(child.free_port())
    yield broker
    broker.stop()


def refuse(password: str) -> None:
    """Raises with a secret in a local and in the message."""
    raise ConnectionError(f"refused: password={password}")


def test_an_event_says_what_happened(broker: str, prefix: str) -> None:
    """Type with module, message, causes, frames, trace, headers and key; no locals, no secrets."""
    topic = f"{prefix}.errors"
    topics.create(broker, topic)
    with Reporter(
        "orders", brokers=broker, topic=topic, layer="service", release="1.0"
    ) as reporter:
        try:
            try:
                refuse("hunter2-hunter2")
            except ConnectionError as exc:
                raise subprocess.SubprocessError("cannot charge") from exc
        except subprocess.SubprocessError as exc:
            event_id = reporter.report(
                exc, operation="charge", http_status=502, tags={"token": "t0ps3cret", "shard": 7},
                traceparent=TRACEPARENT,
            )  # fmt: skip
        record = topics.read(broker, topic, bool)[0]
    event = topics.events(broker, topic, 1)[0]
    assert record.key == b"orders"
    headers = dict(record.headers)
    assert headers["ce_id"].decode() == event["event_id"] == event_id
    assert headers["ce_type"] == b"io.faultstream.error.raised.v1"
    assert headers["traceparent"].decode() == TRACEPARENT
    assert event["error_type"] == "subprocess.SubprocessError"
    assert event["causes"] == [
        {"error_type": "ConnectionError", "message": "refused: password=[scrubbed]"}
    ]
    assert event["frames"][-1]["function"] == "test_an_event_says_what_happened"
    assert event["frames"][-1]["in_app"]
    assert event["tags"] == {"token": "[scrubbed]", "shard": "7"}
    assert event["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert event["handled"] is True
    assert b"hunter2" not in record.value
    assert b"t0ps3cret" not in record.value


def test_floods_are_folded_and_counted_exactly(embedded_broker: str, topic: str) -> None:
    """Eight threads report 2,000 identical errors each: few events, and their counts are exact."""
    with Reporter("orders", brokers=embedded_broker, topic=topic, fold_ms=100) as reporter:

        def flood() -> None:
            for number in range(2_000):
                reporter.report("TimeoutError", f"order {number} timed out")

        threads = [threading.Thread(target=flood) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert reporter.flush(20)
        stats = reporter.stats()
    found = topics.events(embedded_broker, topic, 16_000)
    assert "count" not in found[0]
    assert len(found) < 500
    assert (stats.reported, stats.sent, stats.folded) == (16_000, 16_000, 16_000 - len(found))


def test_different_errors_are_not_folded(embedded_broker: str, topic: str) -> None:
    """Type, words of the message, operation and tags tell errors apart."""
    with Reporter("orders", brokers=embedded_broker, topic=topic) as reporter:
        for error, message, operation, shard in (
            ("A", "x", "", "1"), ("B", "x", "", "1"), ("A", "y", "", "1"), ("A", "x", "pay", "1"),
            ("A", "x", "", "2"),
        ):  # fmt: skip
            reporter.report(error, message, operation=operation, tags={"shard": shard})
    assert len(topics.events(embedded_broker, topic, 5)) == 5


def test_kafka_may_come_later(late_broker: EmbeddedBroker, prefix: str) -> None:
    """What is reported before there is any broker arrives once it is there."""
    with Reporter("orders", brokers=late_broker.address, topic=prefix) as reporter:
        ids = [reporter.report("Error", word) for word in ("one", "two", "three")]
        assert not reporter.flush(0.2)
        assert reporter.stats().waiting == 3
        late_broker.start()
        topics.create(late_broker.address, prefix)
        assert reporter.flush(20)
        assert adds_up(reporter.stats())
        assert reporter.stats().connected
    found = topics.events(late_broker.address, prefix, 3)
    assert sorted(event["event_id"] for event in found) == sorted(ids)


def test_a_missing_topic_is_waited_for_and_never_made(
    late_broker: EmbeddedBroker, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """On a broker that creates what it is asked about, a reporter that comes before the pipeline
    keeps its errors, says so once, and leaves making the topic to the pipeline."""
    late_broker.start()
    with Reporter("orders", brokers=late_broker.address, topic=prefix) as reporter:
        reporter.report("Error")
        until(lambda: f"Kafka has no topic {prefix}" in caplog.text, "it says what it waits for")
        assert not reporter.flush(0.5)
        topics.create(late_broker.address, prefix, partitions=3)
        assert reporter.flush(20)
        assert adds_up(reporter.stats())
    assert caplog.text.count("Kafka has no topic") == 1
    assert topics.partitions(late_broker.address, prefix) == 3


@pytest.mark.kafka
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_kafka_may_go_and_come_back(apache_kafka_node: ApacheKafka, prefix: str, end: str) -> None:
    """Errors during an outage, clean or not, arrive once it is over; nothing is lost."""
    broker = apache_kafka_node.address
    topics.create(broker, prefix)
    with Reporter("orders", brokers=broker, topic=prefix) as reporter:
        reporter.report("Before")
        assert reporter.flush(10)
        getattr(apache_kafka_node, end)()
        reporter.report("During")
        assert not reporter.flush(0.5)
        apache_kafka_node.start()
        assert reporter.flush(40)
        reporter.report("After")
        assert reporter.flush(10)
        assert adds_up(reporter.stats())
    found = topics.events(broker, prefix, 3)
    assert {event["error_type"] for event in found} == {"Before", "During", "After"}


def test_a_full_buffer_drops_and_counts(nowhere: str, caplog: pytest.LogCaptureFixture) -> None:
    """Past its bounds in records or bytes new errors are dropped, counted and told at the end."""
    reporter = Reporter("orders", brokers=nowhere, max_records=10, fold_ms=0)
    accepted = [reporter.report(f"Error{number}") for number in range(25)]
    assert sum(map(bool, accepted)) == 10
    assert reporter.stats().dropped == {"full": 15}
    assert adds_up(reporter.stats())
    reporter.close(0)
    assert reporter.stats().dropped == {"full": 15, "unsent": 10}
    assert "errors that were not reported, by reason: {'full': 15, 'unsent': 10}" in caplog.text
    assert reporter.report("Late") == ""
    assert reporter.stats().dropped["closed"] == 1
    small = Reporter("orders", brokers=nowhere, max_bytes=10_000, fold_ms=0)
    assert small.report("Large", "x" * 20_000) == ""
    assert small.report("Small", "x")
    small.close(0)


def test_the_spool_bridges_an_outage_and_a_restart(
    nowhere: str, embedded_broker: str, topic: str, tmp_path: Path
) -> None:
    """What a process could not send it leaves in the spool; the next one delivers it once."""
    spool = tmp_path / "spool"
    first = Reporter("orders", brokers=nowhere, topic=topic, spool=spool)
    ids = [first.report("Error", word) for word in ("one", "password=hunter2-hunter2")]
    first.report("Error", "one")
    first.close(1)
    stats = first.stats()
    assert (stats.spooled, stats.dropped) == (3, {})
    assert adds_up(stats)
    files = list(spool.iterdir())
    assert len(files) == 1
    assert b"hunter2" not in files[0].read_bytes()
    assert files[0].stat().st_mode & 0o777 == 0o600
    with Reporter("orders", brokers=embedded_broker, topic=topic, spool=spool) as second:
        second.report("Error", "three")
        until(lambda: second.stats().recovered == 3, "the spool is delivered")
        assert second.stats().sent == 1
    found = topics.events(embedded_broker, topic, 4)
    assert set(ids) <= {event["event_id"] for event in found}
    assert not list(spool.iterdir())


def test_flush_spools_what_kafka_does_not_take(nowhere: str, tmp_path: Path) -> None:
    """So that a process that ends by a signal after it loses nothing."""
    reporter = Reporter("orders", brokers=nowhere, spool=tmp_path)
    try:
        for _ in range(3):
            reporter.report("Oops")
        assert reporter.flush(20.0)
        assert reporter.stats().spooled == 3
    finally:
        reporter.close(0)


def test_a_full_spool_is_a_bound(nowhere: str, tmp_path: Path) -> None:
    """Past its size events stay in the buffer, and are dropped and counted at the end."""
    reporter = Reporter("orders", brokers=nowhere, spool=tmp_path, max_spool_bytes=100)
    reporter.report("Error")
    reporter.close(0.5)
    assert reporter.stats().dropped == {"unsent": 1}


def test_the_logging_handler_never_feeds_itself(nowhere: str) -> None:
    """Records of Kafka's and our loggers, and those logged while reporting, are left alone."""
    reporter = Reporter("orders", brokers=nowhere, fold_ms=0)
    handler = reporter.logging_handler(logging.DEBUG)
    root, shop = logging.getLogger(), logging.getLogger("shop")
    root.addHandler(handler)
    shop.addHandler(handler)
    shop.propagate = False  # pytest's own handlers format the record too

    class Chatty:
        def __str__(self) -> str:
            shop.error("while formatting")
            return "chatty"

    try:
        for name in ("aiokafka.client", "kafka", "faultstream.client", "faultstream"):
            logging.getLogger(name).error("trouble")
        assert reporter.stats().reported == 0
        shop.error("%s", Chatty())
        assert reporter.stats().reported == 1
        try:
            refuse("x")
        except ConnectionError:
            shop.exception("no order for %s", "anna")
        shop.error("%d", "no number")
        until(lambda: reporter.stats().waiting == 2, "both wait")
        assert reporter.stats().dropped == {"unreadable": 1}
    finally:
        root.removeHandler(handler)
        shop.removeHandler(handler)
        shop.propagate = True
        reporter.close(0)


def test_event_loops_may_come_and_go(embedded_broker: str, topic: str) -> None:
    """Errors of tasks in one loop after the other, and of threads, take the same way."""
    reporter = Reporter("orders", brokers=embedded_broker, topic=topic, fold_ms=0)

    @reporter.capture(operation="work", swallow=True)
    async def work(number: int) -> None:
        await asyncio.sleep(0)
        raise ValueError(f"number {number}")

    async def many() -> None:
        await asyncio.gather(*map(work, range(5)))

    for _ in range(3):
        asyncio.run(many())

    async def with_reporter() -> None:
        async with reporter:
            await work(5)

    asyncio.run(with_reporter())
    found = topics.events(embedded_broker, topic, 16)
    assert {event["operation"] for event in found} == {"work"}
    assert "faultstream" not in {thread.name for thread in threading.enumerate()}


SCRIPT = """
import os, sys, multiprocessing
from faultstream.client import Reporter

broker, topic, mode = sys.argv[1:]
reporter = Reporter("orders", brokers=broker, topic=topic, fold_ms=0)

def report(who, many=3):
    for number in range(many):
        reporter.report("Error", f"{who} {'abcdefgh'[number]}")

if mode == "exit":
    report("main")
elif mode == "uncaught":
    report("main")
    raise SystemExit(3)
elif mode == "os._exit":
    report("main")
    assert reporter.flush(20)
    os._exit(0)
elif mode == "fork":
    report("parent")
    pid = os.fork()
    if pid == 0:
        assert reporter.stats().reported == 0
        report("child")
        assert reporter.flush(20)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    report("parent again", 2)
elif mode == "worker":
    report("parent")
    worker = multiprocessing.get_context("fork").Process(target=report, args=("worker",))
    worker.start()
    worker.join()
"""


@pytest.mark.parametrize(
    ("mode", "code", "total"),
    [("exit", 0, 3), ("uncaught", 3, 3), ("os._exit", 0, 3), ("fork", 0, 8), ("worker", 0, 6)],
)
def test_nothing_is_lost_or_doubled_when_processes_end(
    embedded_broker: str, topic: str, mode: str, code: int, total: int
) -> None:
    """At interpreter exit, os._exit after flush, fork and a forked worker: each error once."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, embedded_broker, topic, mode],
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    assert (done.returncode, done.stderr) == (code, "")
    found = topics.events(embedded_broker, topic, total)
    assert len({event["event_id"] for event in found}) == len(found) == total


def test_exit_without_kafka_is_bounded(nowhere: str, prefix: str) -> None:
    """A program that ends while Kafka is away ends, says what it lost, and keeps its exit code."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, nowhere, prefix, "uncaught"],
        timeout=30,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "errors that were not reported, by reason: {'unsent': 3}" in done.stderr
