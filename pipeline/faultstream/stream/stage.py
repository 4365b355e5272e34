"""What a stage is to the loop around it: records in, outputs and refusals out, state to save.

A stage never waits and never sends; the loop does. It may be handed records again that it has
seen: it skips those that its state covers already and counts them as duplicates.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from faust.types import TP

from faultstream.core.policy import TopicRole
from faultstream.core.records import Control
from faultstream.transport.reading import RawRecord

Rows = list[tuple[bytes, bytes | None]]
"""Keys and values of a state table; None takes the key out."""

Header = tuple[str, bytes]


class Source(NamedTuple):
    """Where a run of records comes from."""

    role: TopicRole
    topic: str
    partition: int


class Output(NamedTuple):
    """One record to publish on the topic that plays `role`. May be published again after a
    crash, with the same `record_id`."""

    role: TopicRole
    key: bytes
    value: bytes
    headers: list[Header]


class Refusal(NamedTuple):
    """One record for the dead letters. `bug` when it is our fault and not the record's."""

    record: RawRecord
    stage: str
    error_type: str
    reason: str
    bug: bool = False


@dataclass(slots=True)
class Effects:
    """What came of a run of records or of a tick."""

    outputs: list[Output] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    """Records by outcome, refusals left out: tallied, late, duplicate, ignored."""


class Stage(Protocol):
    """One worker's work. Called by one task at a time."""

    @property
    def name(self) -> str:
        """Of the worker; part of its group's name."""
        ...

    @property
    def inputs(self) -> tuple[TopicRole, ...]:
        """All must have equally many partitions when the stage is keyed."""
        ...

    @property
    def keyed(self) -> bool:
        """Whether it has a state table; without one the state lives elsewhere."""
        ...

    async def prepare(self) -> bool:
        """Called before each run; False when it cannot be taken yet and must be offered again."""
        ...

    def restore(self, partition: int, rows: Mapping[bytes, bytes], ends: Mapping[str, int]) -> None:
        """Take over a partition. `ends` is the end offset of each input topic's partition."""
        ...

    def take(self, source: Source, records: Sequence[RawRecord], now_ms: int) -> Effects:
        """Handle a run of records of one partition, in the order of their offsets.

        Never raises for what a record holds: that becomes a refusal.
        """
        ...

    def tick(self, now_ms: int) -> Effects:
        """Let time pass; called about four times a second."""
        ...

    def eager(self) -> bool:
        """Whether a checkpoint is wanted now and not only when it is due."""
        ...

    async def settle(self, ours: Callable[[], Awaitable[bool]]) -> bool:
        """Make everything durable that is not in the table, before it is acknowledged.

        `ours` is the fence: False means that the partitions may belong to somebody else. Returns
        False when it must be tried again later; nothing is acknowledged then.
        """
        ...

    def snapshot(self) -> Mapping[int, Rows]:
        """What has changed since the last snapshot, by partition, in the order to write it."""
        ...

    def saved(self) -> None:
        """Every snapshot so far was written."""
        ...

    def forget(self) -> None:
        """Drop all state: the partitions are assigned anew."""
        ...

    def __len__(self) -> int:
        """Keys, or rows, in memory."""
        ...


@runtime_checkable
class Steered(Protocol):
    """A stage that operators steer."""

    def control(self, control: Control) -> None:
        """One record of the control topic; first all that are in force, then new ones."""
        ...


@runtime_checkable
class Paced(Protocol):
    """A stage that takes silence for a sign, and so must know silence from a delay."""

    def unread(self, partitions: frozenset[int]) -> None:
        """The partitions that may hold records that were not handed over; told before a tick."""
        ...


@runtime_checkable
class Settling(Protocol):
    """A stage with outputs that wait until the state that led to them is durable."""

    def settled(self) -> Sequence[Output]:
        """What may be published now; asked before each snapshot and after each that was written."""
        ...


@runtime_checkable
class Positioned(Protocol):
    """A stage whose offsets live outside Kafka."""

    async def start_at(self, partitions: frozenset[TP]) -> Mapping[TP, int]:
        """Where to read from; partitions left out go on from Kafka's commit."""
        ...
