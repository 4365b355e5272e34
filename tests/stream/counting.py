"""A worker that counts records per key, as a process of its own: what can be lost or doubled by
the loop, the transport or a broker shows in its counts.

python -m tests.stream.counting BROKERS PREFIX
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

from faultstream.config.topology import load
from faultstream.core.policy import TopicRole, Topology
from faultstream.ops import log
from faultstream.ops.health import Health
from faultstream.stream import worker
from faultstream.stream.cells import Cell, Cells
from faultstream.stream.stage import Effects, Refusal, Rows, Source
from faultstream.transport.reading import RawRecord
from tests.conftest import prefixed

POISON = b"poison"


class CountStage:
    """Counts per key; a value of `poison` is refused."""

    name = "count"
    inputs: tuple[TopicRole, ...] = ("errors",)
    keyed = True

    def __init__(self) -> None:
        self.cells: Cells[list[int]] = Cells(
            save=lambda state: b"%d" % state[0],
            load=lambda raw: [int(raw)],
            idle=lambda _state, _extra: False,
        )
        self._said: frozenset[int] | None = None

    async def prepare(self) -> bool:
        """Always."""
        return True

    def restore(self, partition: int, rows: Mapping[bytes, bytes], ends: Mapping[str, int]) -> None:
        """Load the counts."""
        self.cells.restore(partition, rows, ends)

    def take(self, source: Source, records: Sequence[RawRecord], now_ms: int) -> Effects:
        """Count, with the guard."""
        effects = Effects()
        part = self.cells.partitions[source.partition]
        known = part.read.get(source.topic, -1)
        for record in records:
            key = record.key or b""
            if record.offset <= known:
                effects.outcomes["duplicate"] += 1
                continue
            if record.value == POISON:
                effects.refusals.append(Refusal(record, "decode", "DataError", "poison"))
                continue
            cell = part.cells.get(key)
            if cell is None:
                cell = part.cells[key] = Cell([0], {})
            if record.offset <= cell.offsets.get(source.topic, -1):
                effects.outcomes["duplicate"] += 1
                continue
            cell.offsets[source.topic] = record.offset
            cell.state[0] += 1
            cell.dirty = True
            effects.outcomes["tallied"] += 1
        part.read[source.topic] = max(known, records[-1].offset)
        # One write, so that no line of the log comes between its parts.
        took = f"took {source.partition} {records[0].offset} {records[-1].offset}\n"
        os.write(1, took.encode())
        return effects

    def unread(self, partitions: frozenset[int]) -> None:
        """Says it when it has changed."""
        if partitions != self._said:
            self._said = partitions
            os.write(1, f"unread {' '.join(map(str, sorted(partitions)))}\n".encode())

    def tick(self, now_ms: int) -> Effects:
        """Nothing."""
        return Effects()

    def eager(self) -> bool:
        """Never."""
        return False

    async def settle(self, ours: Callable[[], Awaitable[bool]]) -> bool:
        """Nothing."""
        return True

    def snapshot(self) -> Mapping[int, Rows]:
        """The counts that changed."""
        return self.cells.snapshot()

    def saved(self) -> None:
        """For the guard."""
        self.cells.saved()

    def forget(self) -> None:
        """All of it."""
        self.cells.partitions.clear()

    def __len__(self) -> int:
        return len(self.cells)


def topology(prefix: str) -> Topology:
    """The packaged one with names of its own."""
    return prefixed(load(None), prefix)


async def make(health: Health) -> CountStage:
    """For worker.run."""
    return CountStage()


if __name__ == "__main__":
    log.configure(os.environ.get("FAULTSTREAM_LOG_LEVEL", "info"))
    port = int(os.environ.get("FAULTSTREAM_METRICS_PORT", "0"))
    sys.exit(asyncio.run(worker.run(make, topology(sys.argv[2]), sys.argv[1], metrics_port=port)))
