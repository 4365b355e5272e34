"""The checkpoint: outputs are with the broker, state is in the changelog, then the input counts.

Order: fence, what the stage keeps elsewhere, snapshot, outputs, fence, changelog, table, what may
be said now, acknowledgement. A crash between any two leads to a replay that changes nothing,
because the offsets stand beside the state. What could not be written is kept and written next time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.errors import KafkaError

from faultstream.ops import clock, log, metrics
from faultstream.stream.outbox import Outbox
from faultstream.stream.stage import Settling, Stage
from faultstream.transport.changelog import StateTable

_log = log.get(__name__)

Pending = tuple[Any, Any]
"""A Faust stream and one of its events, not acknowledged yet."""


class Checkpoint:
    """Runs the checkpoints of one stage, one at a time."""

    def __init__(
        self,
        stage: Stage,
        outbox: Outbox,
        table: StateTable | None,
        *,
        turn: asyncio.Lock,
        fence: Callable[[], Awaitable[bool]],
        generation: Callable[[], int],
    ) -> None:
        """`turn` is held by whoever works with the stage. `fence` says whether the partitions are
        still ours, `generation` which assignment this is."""
        self._stage = stage
        self._outbox = outbox
        self._table = table
        self._turn = turn
        self._fence = fence
        self._generation = generation
        self._one = asyncio.Lock()
        self._pending: list[Pending] = []
        self._changes: dict[int, dict[bytes, bytes | None]] = {}

    def add(self, stream: Any, event: Any) -> None:
        """An event to acknowledge once everything up to now is durable."""
        self._pending.append((stream, event))

    def forget(self) -> None:
        """The partitions are assigned anew: nothing of before counts."""
        self._pending.clear()
        self._changes.clear()

    async def run(self) -> bool:
        """Make one, and others as long as the stage wants them; whether everything so far is
        durable now. False puts it off."""
        async with self._one:
            while True:
                start = clock.monotonic_ms()
                outcome = await self._try()
                metrics.CHECKPOINTS.labels(self._stage.name, outcome).inc()
                if outcome == "done":
                    took = (clock.monotonic_ms() - start) / 1000
                    metrics.CHECKPOINT_SECONDS.labels(self._stage.name).observe(took)
                if outcome != "done" or not self._stage.eager():
                    return outcome in {"done", "nothing"}

    async def _try(self) -> str:
        generation = self._generation()
        async with self._turn:
            if not await self._fence():
                return "fenced"
            if not await self._stage.settle(self._fence):
                return "put_off"
            await self._say()
            self._collect()
            pending = list(self._pending)
        await self._outbox.settle()
        if not pending and not self._changes:
            return "nothing"
        outcome = await self._write(generation)
        if outcome == "done":
            await self._say()
            for stream, event in pending:
                await stream.ack(event)
            del self._pending[: len(pending)]
        return outcome

    async def _write(self, generation: int) -> str:
        """The changelog, then the table; nothing counts when the assignment changed meanwhile."""
        if self._changes and not await self._fence():
            return "fenced"
        written = {number: list(rows.items()) for number, rows in self._changes.items()}
        if self._table is not None:
            topic = self._table.changelog_topic_name
            write = self._outbox.write
            try:
                await asyncio.gather(*(write(topic, n, rows) for n, rows in written.items()))
            except KafkaError as exc:
                _log.warning("changelog_not_written", error=repr(exc))
                return "put_off"
        if self._generation() != generation:
            return "fenced"
        if self._table is not None:
            for number, rows in written.items():
                self._table.store(number, rows)
        self._changes.clear()
        self._stage.saved()
        return "done"

    async def _say(self) -> None:
        """Publish what is durable and was not published yet."""
        if not isinstance(self._stage, Settling):
            return
        for output in self._stage.settled():
            await self._outbox.send(
                output.role, key=output.key, value=output.value, headers=output.headers
            )
            metrics.OUTPUTS.labels(self._stage.name, output.role).inc()

    def _collect(self) -> None:
        """Add the stage's changes to those that were not written; the latest stands last."""
        for number, rows in self._stage.snapshot().items():
            kept = self._changes.setdefault(number, {})
            for key, value in rows:
                kept.pop(key, None)
                kept[key] = value
