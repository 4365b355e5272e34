"""A long handler gives signs of life, with what it is at."""

import asyncio
import threading

import pytest

from faultstream import wire
from faultstream.client import Executor, progress
from faultstream.core.records import RecoveryCommand, RecoveryResult
from tests.client import topics
from tests.client.topics import KEYS, command, signed


def test_signs_of_life_until_it_is_done(embedded_broker: str, prefix: str) -> None:
    """`in_progress` with ids of their own while it runs, each with the latest progress; then the
    result, and no sign after it. A quick handler gives none."""
    names = (f"{prefix}.commands", f"{prefix}.results")
    topics.create(embedded_broker, *names)
    executor = Executor(
        "orders",
        keys=KEYS,
        brokers=embedded_broker,
        instance="orders-1",
        commands_topic=names[0],
        results_topic=names[1],
    )
    enough = threading.Event()

    @executor.handles("service_restart", delivery="broadcast")
    def restart(_: RecoveryCommand) -> None:
        progress("draining", 0.5)
        enough.wait(20)

    @executor.handles("cache_clear")
    async def clear(_: RecoveryCommand) -> None:
        progress("clearing")

    slow, quick = command("service_restart", timeout_ms=300), command("cache_clear")

    def decoded(records: list[topics.Record]) -> list[RecoveryResult]:
        return [wire.decode(RecoveryResult, record.value) for record in records]

    with executor:
        topics.publish(embedded_broker, names[0], signed(slow), signed(quick))
        topics.read(embedded_broker, names[1], lambda found: len(found) >= 4)
        enough.set()
        found = decoded(
            topics.read(
                embedded_broker,
                names[1],
                lambda found: sum(one.status == "success" for one in decoded(found)) == 2,
            )
        )
    of_slow = [one for one in found if one.command_id == slow.command_id]
    assert [one.status for one in of_slow] == ["in_progress"] * (len(of_slow) - 1) + ["success"]
    assert len(of_slow) >= 3
    assert len({one.result_id for one in of_slow}) == len(of_slow)
    assert {(one.step, one.progress_ratio) for one in of_slow[:-1]} == {("draining", 0.5)}
    assert [(one.status, one.step) for one in found if one.command_id == quick.command_id] == [
        ("success", "clearing")
    ]


async def test_progress_is_heard_where_the_handler_is() -> None:
    """Elsewhere it does nothing, and a share outside 0..1 is refused."""
    progress("nobody listens", 1.0)
    await asyncio.to_thread(progress, "nor here")
    with pytest.raises(ValueError, match=r"ratio: expected 0 to 1, got 1\.5"):
        progress("too much", 1.5)
