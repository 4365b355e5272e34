"""The executor on real brokers: who carries what out, how often, and what is answered."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from faultstream.client import Executor, JournalInUseError, Outcome
from faultstream.core.records import RecoveryCommand, Target
from tests.client import topics
from tests.client.topics import KEYS, command, signed
from tests.until import until, until_async


class Place:
    """Topics of one test."""

    def __init__(self, broker: str, prefix: str) -> None:
        self.broker = broker
        self.commands = f"{prefix}.commands"
        self.results = f"{prefix}.results"
        topics.create(broker, self.commands, self.results)

    def executor(self, instance: str = "orders-1", **more: Any) -> Executor:
        """An executor of service orders."""
        given: dict[str, Any] = {
            "keys": KEYS,
            "brokers": self.broker,
            "instance": instance,
            "commands_topic": self.commands,
            "results_topic": self.results,
            **more,
        }
        return Executor("orders", **given)

    def publish(self, *sent: topics.Sent, partition: int | None = None) -> None:
        """Publish commands."""
        topics.publish(self.broker, self.commands, *sent, partition=partition)

    def answers(self, many: int) -> dict[tuple[str, str], str]:
        """Status by (command, instance)."""
        found = topics.results(self.broker, self.results, many)
        return {(result.command_id, result.instance): result.status for result in found}


@pytest.fixture
def place(broker: str, prefix: str) -> Place:
    """Topics on each broker."""
    return Place(broker, prefix)


@pytest.fixture
def near(embedded_broker: str, prefix: str) -> Place:
    """Topics on the embedded broker alone, where the broker makes no difference."""
    return Place(embedded_broker, prefix)


def test_broadcast_reaches_every_instance_once(place: Place) -> None:
    """Each instance carries a broadcast command out once and says so; sync or async."""
    seen: list[tuple[str, str]] = []
    first, second = place.executor("orders-1"), place.executor("orders-2")

    @first.handles("circuit_break")
    def sync(order: RecoveryCommand) -> Outcome:
        seen.append(("orders-1", order.command_id))
        return Outcome("partial", "half", {"opened": 1})

    @second.handles("circuit_break")
    async def plain(order: RecoveryCommand) -> None:
        seen.append(("orders-2", order.command_id))

    order = command()
    with first, second:
        place.publish(signed(order), signed(order))
        answers = place.answers(2)
    assert answers == {
        (order.command_id, "orders-1"): "partial",
        (order.command_id, "orders-2"): "success",
    }
    assert sorted(seen) == [("orders-1", order.command_id), ("orders-2", order.command_id)]


def test_commands_from_before_the_start_are_found(near: Place) -> None:
    """A command that was published while the executor was down and is still in force is done."""
    order = command()
    near.publish(signed(order))
    executor = near.executor()
    executor.handles("circuit_break")(lambda _: None)
    with executor:
        assert near.answers(1) == {(order.command_id, "orders-1"): "success"}


def test_missing_topics_are_waited_for_and_never_made(embedded_broker: str, prefix: str) -> None:
    """An executor that comes before the pipeline takes commands once the topics are there, for
    all and for one of a group, and makes none of them itself."""
    names = f"{prefix}.commands", f"{prefix}.results"
    executor = Executor(
        "orders",
        keys=KEYS,
        brokers=embedded_broker,
        instance="orders-1",
        commands_topic=names[0],
        results_topic=names[1],
    )
    executor.handles("circuit_break")(lambda _: None)
    executor.handles("service_restart")(lambda _: None)
    orders = command(), command("service_restart", delivery="exactly_one")
    with executor:
        assert [topics.partitions(embedded_broker, name) for name in names] == [0, 0]
        topics.create(embedded_broker, *names, partitions=3)
        topics.publish(embedded_broker, names[0], *map(signed, orders))
        results = topics.results(embedded_broker, names[1], 2)
    assert {result.status for result in results} == {"success"}
    assert [topics.partitions(embedded_broker, name) for name in names] == [3, 3]


def test_unbelievable_commands_are_refused_without_an_answer(near: Place) -> None:
    """Unsigned, forged, altered, foreign-key and unreadable commands get no answer."""
    done: list[str] = []
    executor = near.executor()
    executor.handles("circuit_break")(lambda order: done.append(order.command_id))
    value, headers = signed(command())
    good = command()
    with executor:
        near.publish(
            (value, []),
            signed(command(), key=b"another-key-of-16"),
            (value.replace(b"circuit_break", b"service_break"), headers),
            signed(command(), key_id="k9"),
            (b"\xff\x00", headers),
            signed(good),
        )
        assert list(near.answers(1)) == [(good.command_id, "orders-1")]
        until(lambda: sum(executor.stats().refused.values()) == 5, "all five are refused")
        assert executor.stats().refused == {"unsigned": 1, "forged": 3, "unknown_key": 1}
    assert done == [good.command_id]


def test_refused_commands_are_answered_where_an_answer_is_due(near: Place) -> None:
    """Expired, future, long-lived, dry and unknown commands get their status; foreign ones none."""
    done: list[str] = []
    executor = near.executor()
    executor.handles("circuit_break")(lambda order: done.append(order.command_id))
    now = command().issued_at_ms

    def target(**changes: Any) -> Target:
        return Target(**{"environment": "production", "service": "orders", **changes})

    expected = [
        (command(expires_at_ms=now - 1, issued_at_ms=now - 60_000), "expired"),
        (command(issued_at_ms=now + 60_000, expires_at_ms=now + 90_000), "rejected"),
        (command(expires_at_ms=now + 3_600_000), "rejected"),
        (command(dry_run=True), "not_attempted"),
        (command("cache_clear"), "not_attempted"),
        (command(target=target(instances=["orders-1", "orders-9"])), "success"),
    ]
    foreign = [
        command(target=target(service="payments")),
        command(target=target(environment="staging")),
        command(target=target(instances=["orders-2"])),
        command(expires_at_ms=now - 3_600_000, issued_at_ms=now - 3_660_000),
    ]
    with executor:
        near.publish(*map(signed, foreign), *(signed(order) for order, _ in expected))
        answers = near.answers(len(expected))
    assert answers == {(order.command_id, "orders-1"): status for order, status in expected}
    assert done == [expected[-1][0].command_id]


def test_nothing_is_done_again_in_the_place_of_undone(near: Place) -> None:
    """What takes back a built-in strategy goes only to handlers that say that they can."""
    seen: list[str] = []
    executor = near.executor()
    for strategy, undoes in (("retry", False), ("fallback", True), ("fill", False)):

        @executor.handles(strategy, undoes=undoes)
        def handle(order: RecoveryCommand) -> None:
            seen.append(order.strategy)

    orders = [
        command(name, command_id=f"u-{name}", rollback_of="c-0")
        for name in ("retry", "fallback", "fill")
    ]
    with executor:
        near.publish(*map(signed, orders))
        answers = near.answers(3)
    assert sorted(seen) == ["fallback", "fill"]
    assert answers["u-retry", "orders-1"] == "not_attempted"
    assert answers["u-fallback", "orders-1"] == answers["u-fill", "orders-1"] == "success"


def test_exactly_one_instance_carries_it_out(place: Place) -> None:
    """Of three instances one carries an exactly-one command out, however often it is published."""
    done: list[str] = []
    executors = [place.executor(f"orders-{number}") for number in range(3)]
    for executor in executors:
        executor.handles("service_restart")(lambda order: done.append(order.command_id))
    orders = [command("service_restart", delivery="exactly_one") for _ in range(5)]
    for executor in executors:
        executor.start()
    try:
        place.publish(*map(signed, orders), partition=0)
        answers = place.answers(5)
        place.publish(*map(signed, orders), partition=1)
        until(
            lambda: sum(executor.stats().refused.get("replayed", 0) for executor in executors) >= 5,
            "the replay is refused",
        )
    finally:
        for executor in executors:
            executor.close()
    assert sorted(done) == sorted(order.command_id for order in orders)
    assert set(answers.values()) == {"success"}


def test_nothing_is_done_twice_across_restarts(near: Place, tmp_path: Path) -> None:
    """With its journal a new process knows what the old one did."""
    done: list[str] = []
    first, second = command(), command()
    for order in (first, second):
        executor = near.executor(journal=tmp_path / "orders-1.journal")
        executor.handles("circuit_break")(lambda order: done.append(order.command_id))
        with executor:
            near.publish(signed(first), signed(order))
            near.answers(1 if order is first else 2)
    assert done == [first.command_id, second.command_id]


def test_an_interrupted_command_is_failed_not_repeated(near: Place, tmp_path: Path) -> None:
    """A command during which the executor ended is told as failed at the next start."""
    began, forever = threading.Event(), threading.Event()
    order = command()

    async def hang() -> None:
        executor = near.executor(journal=tmp_path / "journal")

        @executor.handles("circuit_break")
        async def stuck(_: RecoveryCommand) -> None:
            began.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(executor.run())
        await asyncio.to_thread(near.publish, signed(order))

        async def has_begun() -> bool:
            return began.is_set()

        await until_async(has_begun, "the handler began")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(hang())
    again = near.executor(journal=tmp_path / "journal")
    again.handles("circuit_break")(lambda _: forever.set())
    with again:
        assert near.answers(1) == {(order.command_id, "orders-1"): "failed"}
    assert not forever.is_set()


def test_a_failing_handler_is_a_failed_result(near: Place) -> None:
    """What a handler raises becomes the message of a failed result; the executor goes on."""
    executor = near.executor(handler_timeout_s=0.2)

    @executor.handles("circuit_break")
    def broken(_: RecoveryCommand) -> None:
        raise OSError("no such pool")

    @executor.handles("fallback")
    async def slow(_: RecoveryCommand) -> None:
        await asyncio.Event().wait()

    with executor:
        near.publish(signed(command()), signed(command("fallback")))
        found = topics.results(near.broker, near.results, 2)
    assert {(result.status, result.message) for result in found} == {
        ("failed", "OSError: no such pool"),
        ("failed", "not done after 0.2 s"),
    }


def test_one_journal_has_one_executor(near: Place, tmp_path: Path) -> None:
    """A second executor on the same journal is refused at its start."""
    second = near.executor(journal=tmp_path / "journal")
    with (
        near.executor(journal=tmp_path / "journal"),
        pytest.raises(JournalInUseError, match="in use by another process"),
    ):
        second.start()


def test_keys_are_checked_at_once() -> None:
    """No key and short keys are refused when the executor is made."""
    with pytest.raises(ValueError, match="at least one signing key"):
        Executor("orders", keys={})
    with pytest.raises(ValueError, match="'k1' has 5 bytes, a key has at least 16"):
        Executor("orders", keys={"k1": b"short"})
