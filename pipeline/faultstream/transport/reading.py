"""What an app tells the transport, and the message and schema of a run of records."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import faust
from faust.serializers.schemas import Schema
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from faultstream.transport.ledger import Ledger, Run


class RawRecord(Protocol):
    """One record as the broker has it. `timestamp` is milliseconds since the epoch."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass
class Reading:
    """How an app reads. Set before the app starts.

    `topics` are handed over in runs: one message per fetched run of a partition, whose value is
    the list of records. A partition is not fetched while `max_unfinished` of its records or more
    are unfinished; that and one fetch bound the memory.
    """

    topics: frozenset[str]
    max_unfinished: int = 20_000
    fetch_wait_ms: int = 100
    revoke_timeout_s: float = 10.0
    before_revoke: Callable[[], Awaitable[None]] | None = None
    """Awaited while partitions that are about to be revoked are still ours."""
    start_at: Callable[[frozenset[TP]], Awaitable[Mapping[TP, int]]] | None = None
    """Where to read from after an assignment; partitions it leaves out go on from the commit."""
    ledger: Ledger[TP] = field(default_factory=Ledger)
    ends: dict[TP, int] = field(default_factory=dict)
    """True end offset of each partition of `topics` at the latest assignment."""

    def lag(self, consumer: Any) -> int:
        """Records of our partitions that are in the log, as far as it was fetched, and not
        finished: unfinished ones and those that were not fetched yet."""
        lag = 0
        for tp in consumer.assignment():
            if tp.topic in self.topics:
                read = consumer._read_offset[tp]  # noqa: SLF001 - Faust has no other way
                end = consumer.highwater(tp)
                if end is not None:
                    lag += max(0, end - (read + 1 if read is not None else 0))
                lag += self.ledger.unfinished(tp)
        return lag


class App(faust.App):
    """A Faust app whose transport is ours."""

    reading: Reading


class RunMessage(ConsumerMessage):
    """A run as one message; its offset is the offset of the last record.

    The compiled stream iterator and `Consumer.ack` both set `acked`; either finishes the run.
    """

    __slots__ = ("run",)

    def __init__(self, *args: Any, run: Run[TP], **kwargs: Any) -> None:
        self.run = run
        super().__init__(*args, **kwargs)

    @property
    def acked(self) -> bool:
        """Whether the run is finished."""
        return self.run.done

    @acked.setter
    def acked(self, value: bool) -> None:
        if value:
            self.run.finish()


class RunSchema(Schema[Any, Any]):
    """Leaves the records of a run as they are."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        """Runs have no key."""

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ARG002 - Faust's
        """The list of records."""
        return message.value
