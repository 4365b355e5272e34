"""record: every topic into ClickHouse, once. No table: the offsets stand in the data.

The recorder skips what is stored, so records may come again; a partition goes on after its
highest stored offset. While ClickHouse is away rows are kept, fetching stops for want of credit,
and recovery is not held up, because this worker has a group of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from faust.types import TP

from faultstream.core.policy import TOPIC_ROLES, TopicRole, Topology
from faultstream.core.records import Control
from faultstream.ops import clock, log
from faultstream.ops.health import Health
from faultstream.stream.stage import Effects, Rows, Source
from faultstream.transport.reading import RawRecord

FIRST_RETRY_MS: Final = 250
LAST_RETRY_MS: Final = 5_000

_log = log.get(__name__)


class Recorder(Protocol):
    """Rows to ClickHouse; analytics/recorder.py. All calls block; one at a time."""

    @property
    def pending(self) -> int:
        """Rows added and not flushed."""
        ...

    def open(self) -> None:
        """Connect, migrate, mend. May raise `away`, and be repeated then."""
        ...

    def positions(self) -> Mapping[tuple[str, int], int]:
        """Highest stored offset per (topic, partition) of this log, read anew. May raise `away`."""
        ...

    def control(self, control: Control) -> None:
        """Take a correction of verdicts; other controls change nothing. Raises DataError."""
        ...

    def add(self, role: TopicRole, topic: str, partition: int, records: Sequence[RawRecord]) -> int:
        """Take records; those stored or pending already are skipped. Rows added."""
        ...

    def flush(self) -> None:
        """Store everything pending. May be repeated after `away`: the same rows are kept."""
        ...


class RecordStage:
    """See the module. `away` is what the recorder raises while ClickHouse cannot be reached."""

    name: Final = "record"
    inputs: Final[tuple[TopicRole, ...]] = TOPIC_ROLES
    keyed: Final = False

    def __init__(
        self,
        recorder: Recorder,
        topology: Topology,
        health: Health,
        *,
        away: type[Exception],
        clock_ms: Callable[[], int] = clock.monotonic_ms,
    ) -> None:
        self._recorder = recorder
        self._max_rows = topology.record.max_rows
        self._health = health
        self._away = away
        self._clock_ms = clock_ms
        self._retry_ms = 0
        self._not_before_ms = 0
        self._opened = False
        self._unsure = False

    async def start_at(self, partitions: frozenset[TP]) -> Mapping[TP, int]:
        """Where each partition goes on: after its highest stored offset, else at its beginning.

        While ClickHouse is away: where Kafka's commits say, which are never ahead of it.
        """
        try:
            stored = await asyncio.to_thread(self._open)
        except self._away as exc:
            self._wait(exc)
            self._unsure = True
            return {}
        self._unsure = False
        self._well()
        return {tp: stored.get((tp.topic, tp.partition), -1) + 1 for tp in partitions}

    def _open(self) -> Mapping[tuple[str, int], int]:
        if not self._opened:
            self._recorder.open()
            self._opened = True
        return self._recorder.positions()

    def control(self, control: Control) -> None:
        """See Steered. What is stored stays as it is."""
        self._recorder.control(control)

    async def prepare(self) -> bool:
        """Not while it is unknown what is stored."""
        if self._unsure and self._clock_ms() >= self._not_before_ms:
            await self.start_at(frozenset())
        return not self._unsure

    def restore(self, partition: int, rows: Mapping[bytes, bytes], ends: Mapping[str, int]) -> None:
        """Nothing: see `start_at`."""

    def take(self, source: Source, records: Sequence[RawRecord], now_ms: int) -> Effects:  # noqa: ARG002 - Stage's
        """See Stage. Records that no table takes are ignored here; who reads them first refuses
        them."""
        effects = Effects()
        added = self._recorder.add(source.role, source.topic, source.partition, records)
        effects.outcomes.update(tallied=added, ignored=len(records) - added)
        return effects

    def tick(self, now_ms: int) -> Effects:  # noqa: ARG002 - Stage's
        """Nothing depends on time alone."""
        return Effects()

    def eager(self) -> bool:
        """When a batch is full and ClickHouse is there."""
        return self._recorder.pending >= self._max_rows and self._clock_ms() >= self._not_before_ms

    async def settle(self, ours: Callable[[], Awaitable[bool]]) -> bool:
        """Store what is pending. False while ClickHouse is away, with growing pauses."""
        if self._clock_ms() < self._not_before_ms or not await ours():
            return False
        try:
            await asyncio.to_thread(self._recorder.flush)
        except self._away as exc:
            self._wait(exc)
            return False
        self._well()
        return True

    def _well(self) -> None:
        if self._retry_ms:
            _log.info("clickhouse_back")
        self._retry_ms = self._not_before_ms = 0
        self._health.well("clickhouse")

    def _wait(self, exc: Exception) -> None:
        self._retry_ms = min(LAST_RETRY_MS, max(FIRST_RETRY_MS, 2 * self._retry_ms))
        self._not_before_ms = self._clock_ms() + self._retry_ms
        self._health.wait("clickhouse", str(exc) or type(exc).__name__)
        _log.warning("clickhouse_away", error=str(exc), retry_ms=self._retry_ms)

    def snapshot(self) -> Mapping[int, Rows]:
        """No table."""
        return {}

    def saved(self) -> None:
        """No table."""

    def forget(self) -> None:
        """Rows that are pending stay: stored once, they are skipped when they come again."""

    def __len__(self) -> int:
        return self._recorder.pending
