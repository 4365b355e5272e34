"""What settling leads to is with the broker before anything is acknowledged, and only then."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from faultstream.stream.checkpoint import Checkpoint
from faultstream.stream.stage import Output

SAID = Output("notification_decisions", b"production", b"{}", [])


class Told:
    """A stage and a stream at once, which write down what is done with them."""

    name = "notify"

    def __init__(self, *, settles: bool) -> None:
        self.done: list[str] = []
        self._settles = settles

    async def settle(self, ours: Callable[[], Awaitable[bool]]) -> bool:
        self.done.append("settle")
        return self._settles

    def settled(self) -> list[Output]:
        self.done.append("settled")
        return [SAID]

    def snapshot(self) -> dict[int, Any]:
        self.done.append("snapshot")
        return {}

    def saved(self) -> None:
        self.done.append("saved")

    def eager(self) -> bool:
        return False

    async def ack(self, event: object) -> None:
        self.done.append("ack")


class Outbox:
    """An outbox that writes into the same list."""

    def __init__(self, told: Told) -> None:
        self._done = told.done

    async def send(self, role: str, **more: object) -> None:
        assert (role, more["key"], more["value"]) == (SAID.role, SAID.key, SAID.value)
        self._done.append("send")

    async def settle(self) -> None:
        self._done.append("broker has it")


async def run(told: Told) -> bool:
    """One checkpoint over one event."""

    async def ours() -> bool:
        return True

    stage: Any = told
    outbox: Any = Outbox(told)
    checkpoint = Checkpoint(
        stage, outbox, None, turn=asyncio.Lock(), fence=ours, generation=lambda: 1
    )
    checkpoint.add(told, "event")
    return await checkpoint.run()


async def test_decisions_are_with_the_broker_before_the_acknowledgement() -> None:
    """What earlier checkpoints led to is awaited before the state without it is written; what this
    one led to is sent before the input counts."""
    told = Told(settles=True)
    assert await run(told)
    assert told.done == [
        "settle", "settled", "send", "snapshot", "broker has it", "saved", "settled", "send", "ack",
    ]  # fmt: skip


async def test_nothing_is_said_of_what_did_not_settle() -> None:
    """The partitions may belong to somebody else by now."""
    told = Told(settles=False)
    assert not await run(told)
    assert told.done == ["settle"]
