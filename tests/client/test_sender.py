"""One producer and its troubles: what is kept for later, what is refused, and a way out of each."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError

from faultstream.client import asking, sender
from faultstream.client.sender import Parcel, Sender


class Producer:
    """Stands for aiokafka's: `answers` are what becomes of each record; 'hangs' on stop."""

    def __init__(
        self, *answers: Exception | None, at_once: bool = False, hangs: bool = False
    ) -> None:
        self.answers = list(answers)
        self.at_once, self.hangs = at_once, hangs
        self.sent: list[bytes] = []
        self.stopped = self.closed = False
        self.client = self
        self._sender: Any = None

    async def send(self, _: str, *, value: bytes, **__: Any) -> "asyncio.Future[None]":
        """Taken, with an answer to come."""
        answer = self.answers.pop(0)
        self.sent.append(value)
        if answer is not None and self.at_once:
            raise answer
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if answer is None:
            future.set_result(None)
        else:
            future.set_exception(answer)
        return future

    async def stop(self) -> None:
        """Ends, or waits for a broker for ever."""
        if self.hangs:
            await asyncio.Event().wait()
        self.stopped = True

    async def close(self) -> None:
        """By force."""
        self.closed = True


async def test_a_library_that_is_missing_is_told_once(
    embedded_broker: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With what to install; nothing is lost, and nothing raises."""
    monkeypatch.setitem(sys.modules, "aiokafka", None)
    one = Sender(embedded_broker, "test", {}, refused=lambda *_: None)
    assert [await one.connect(), await one.connect()] == [False, False]
    [record] = caplog.records
    assert record.getMessage().startswith("Kafka's library cannot be loaded (pip install aiokafka)")


def parcel(name: str) -> Parcel:
    """One record."""
    return Parcel("topic", b"key", name.encode(), [], name)


class Post:
    """A sender over such a producer, on a topic that is there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.there = True
        self.refused: list[tuple[str, str]] = []
        self.sender = Sender(
            "127.0.0.1:1",
            "test",
            {},
            refused=lambda one, why: self.refused.append((one.token, why)),
        )

        async def there(*_: object) -> bool:
            return self.there

        monkeypatch.setattr(asking, "there", there)

    def refuse(self, one: Parcel, why: str) -> None:
        """Note what was refused."""
        self.refused.append((one.token, why))

    def with_(self, producer: Any) -> None:
        """Connected by this producer."""
        self.sender._producer = producer

    async def deliver(self, *names: str) -> list[str]:
        """What is left."""
        return [one.token for one in await self.sender.deliver([parcel(name) for name in names])]


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    """See Post."""
    return Post(monkeypatch)


async def test_without_a_connection_everything_is_left(post: Post) -> None:
    """And with one that works, nothing."""
    assert await post.deliver("a", "b") == ["a", "b"]
    post.with_(Producer(None, None))
    assert await post.deliver("a", "b") == []
    assert post.sender.connected


@pytest.mark.parametrize("at_once", [False, True])
async def test_trouble_keeps_what_it_hit_and_gives_the_producer_up(
    post: Post, at_once: bool
) -> None:
    """Records after one that could not even be handed over are not tried, so order is kept."""
    producer = Producer(None, KafkaConnectionError(), None, at_once=at_once)
    post.with_(producer)
    assert await post.deliver("a", "b", "c") == (["b", "c"] if at_once else ["b"])
    assert producer.sent == ([b"a", b"b"] if at_once else [b"a", b"b", b"c"])
    assert (producer.stopped, post.sender.connected, post.refused) == (True, False, [])


@pytest.mark.parametrize("at_once", [False, True])
async def test_what_can_never_arrive_is_refused_and_stops_nothing(
    post: Post, at_once: bool
) -> None:
    """A record that is too large goes out of the way of the next ones."""
    post.with_(Producer(None, MessageSizeTooLargeError(), None, at_once=at_once))
    assert await post.deliver("a", "b", "c") == []
    assert post.refused == [("b", "MessageSizeTooLargeError")]
    assert post.sender.connected


async def test_a_missing_topic_is_said_once(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    """What is meant for it waits."""
    post.there = False
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            post.with_(Producer())
            assert await post.deliver("a") == ["a"]
    assert caplog.text.count("Kafka has no topic topic") == 1


async def test_a_broker_that_says_nothing_does_not_hold_the_end_up(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its bound what goes on behind us is cancelled, and the connection closed."""
    monkeypatch.setattr(sender, "_STOP_TIMEOUT_S", 0.01)
    task = asyncio.create_task(asyncio.Event().wait())
    producer = Producer(hangs=True)
    producer._sender = SimpleNamespace(sender_task=task)
    post.with_(producer)
    await post.sender.close()
    assert task.cancelled()
    assert producer.closed
    other = Producer(hangs=True)
    post.with_(other)
    await post.sender.close()
    assert other.closed


@contextlib.asynccontextmanager
async def rude_broker() -> AsyncIterator[str]:
    """Takes connections and says nothing that Kafka would."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_what_is_no_kafka_is_no_connection(caplog: pytest.LogCaptureFixture) -> None:
    """Neither nobody, nor somebody who hangs up; of several addresses one is enough to try."""
    async with rude_broker() as address:
        for brokers in ("127.0.0.1:1", f"127.0.0.1:1,{address}"):
            made = Sender(brokers, "test", {}, refused=lambda *_: None)
            assert await made.connect() is False
            assert not made.connected
    assert await sender.reachable("127.0.0.1:1") is False


async def test_a_connection_that_is_cancelled_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever waits may be cancelled; the half-made producer is stopped."""
    stopped: list[object] = []
    begun = asyncio.Event()

    async def start(_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def stop(producer: object) -> None:
        stopped.append(producer)

    monkeypatch.setattr(AIOKafkaProducer, "start", start)
    monkeypatch.setattr(AIOKafkaProducer, "stop", stop)
    async with rude_broker() as address:
        made = Sender(address, "test", {}, refused=lambda *_: None)
        task = asyncio.create_task(made.connect())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(stopped) == 1
    assert not made.connected
    monkeypatch.undo()
    for producer in stopped:
        assert isinstance(producer, AIOKafkaProducer)
        await producer.stop()
