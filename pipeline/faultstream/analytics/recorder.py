"""Fills the tables from the log, each record exactly once.

There is no memory of what was written beside the rows themselves: before every insert the
recorder reads the highest stored offset of each partition and leaves out what is there. So a
crash between an insert and its acknowledgement, an insert whose answer was lost, and a second
recorder that took over all end with every record stored once. One insert is one part: all of
it is there or nothing. Rollups are mended on opening and after every unknown outcome.

`add` and `flush` may be repeated with the same records at any time.
"""

import time
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from faultstream.analytics.client import Connection, Place
from faultstream.analytics.columns import BUILDERS
from faultstream.analytics.columns.base import Builder, RawRecord
from faultstream.analytics.columns.errors import Errors
from faultstream.analytics.errors import SinkAway
from faultstream.analytics.migrate import migrate
from faultstream.analytics.offsets import ONE_PART, Positions, all_stored, mend, stored
from faultstream.core.policy import TopicRole, Topology
from faultstream.core.records import Control

SEAL_BYTES: Final = 64_000_000
"""A table's rows are cut into inserts of about this size."""

__all__ = ["Recorder", "SinkAway"]


class Sealed(msgspec.Struct):
    """Rows on their way: the same rows with the same token until they are known to be stored."""

    table: str
    batch: pa.RecordBatch
    token: str


class Recorder:
    """Writes one log to one database. Not for several threads at once, except that `add` may
    run while `flush` runs in another thread only if the caller keeps them apart itself."""

    def __init__(
        self, place: Place, topology: Topology, log_id: str, *, timeout_s: float = 60.0
    ) -> None:
        """Connects in `open`. A statement is given up as SinkAway after `timeout_s`."""
        self._connection = Connection(place, timeout_s=timeout_s)
        self._topology = topology
        self._log_id = log_id
        self._builders: dict[TopicRole, Builder] = {
            role: make(topology) for role, make in BUILDERS.items()
        }
        self._seen: Positions = {}
        self._sealed: list[Sealed] = []
        self._unsure = True
        self.mended: list[str] = []
        """What the last check of the rollups had to add, for logs."""

    def open(self) -> None:
        """Connects, migrates, reads the positions and mends the rollups. May be repeated.

        Raises:
            SinkAway: ClickHouse is away; try again.
            SinkRefused: it says no (password, rights, another version's schema).
        """
        migrate(self._connection, self._topology.retention)
        self._settle()
        self.positions()

    def positions(self) -> Positions:
        """The highest stored offset of each (topic, partition) of this log, read now.

        To be asked after partitions were assigned: another recorder may have gone on. Records
        that were added and are not stored yet do not count.

        Raises:
            SinkAway, SinkRefused: as `open`.
        """
        found = all_stored(self._connection, self._log_id)
        for place, offset in found.items():
            self._seen[place] = max(offset, self._seen.get(place, -1))
        return found

    @property
    def pending(self) -> int:
        """Rows that were added and are not known to be stored."""
        waiting: int = sum(sealed.batch.num_rows for sealed in self._sealed)
        return waiting + sum(builder.rows for builder in self._builders.values())

    @property
    def pending_bytes(self) -> int:
        """Roughly the memory that the pending rows take; the caller bounds it by not adding."""
        waiting: int = sum(sealed.batch.nbytes for sealed in self._sealed)
        return waiting + sum(builder.size for builder in self._builders.values())

    @property
    def refused(self) -> int:
        """Records that could not be read and are no rows, since the recorder was made."""
        return sum(builder.refused for builder in self._builders.values())

    def control(self, control: Control) -> None:
        """Takes a correction of verdicts, for rows added from now on and by their own times.

        Raises:
            DataError: it is a broken correction.
        """
        errors = self._builders["errors"]
        if isinstance(errors, Errors):
            errors.control(control)

    def add(self, role: TopicRole, topic: str, partition: int, records: Sequence[RawRecord]) -> int:
        """Takes records of one partition, offsets ascending; returns how many became rows.

        What was added or stored before is skipped, and so is what cannot be read. Roles without
        a table (control) give 0.
        """
        builder = self._builders.get(role)
        if builder is None or not records:
            return 0
        place = (topic, partition)
        seen = self._seen.get(place, -1)
        if records[0].offset <= seen:
            records = [record for record in records if record.offset > seen]
            if not records:
                return 0
        added = builder.add(topic, partition, records)
        self._seen[place] = records[-1].offset
        if builder.size > SEAL_BYTES:
            self._seal(builder)
        return added

    def forget(self, topic: str, partition: int) -> None:
        """The partition went to another recorder: what is added of it next is a new beginning.

        Pending rows stay and are left out at the next flush as far as the other stored them.
        """
        self._seen.pop((topic, partition), None)

    def flush(self) -> None:
        """Stores all that is pending, one insert per table; blocks until it is stored.

        Raises:
            SinkAway: the rows are kept; call it again later.
            SinkRefused: ClickHouse does not take the rows; they are kept too.
        """
        for builder in self._builders.values():
            if builder.rows:
                self._seal(builder)
        while self._sealed:
            if self._unsure:
                self._settle()
            self._store(self._sealed[0])
            del self._sealed[0]

    def close(self) -> None:
        """Drops the connection. Pending rows are not stored: they are read from the log again."""
        self._connection.close()

    def _seal(self, builder: Builder) -> None:
        batch = builder.batch()
        stamp = pa.scalar(int(time.time()), pa.uint32())
        rows = batch.num_rows
        words = pa.array([self._log_id])
        log_ids = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), words)
        arrays = [*batch.columns, pa.repeat(stamp, rows), log_ids]
        names = [*batch.schema.names, "ingested_at", "log_id"]
        token = blake2b(
            repr((self._log_id, builder.table, _ranges(batch))).encode(), digest_size=16
        )
        self._sealed.append(
            Sealed(
                table=builder.table,
                batch=pa.RecordBatch.from_arrays(arrays, names=names),
                token=token.hexdigest(),
            )
        )
        builder.clear()

    def _store(self, sealed: Sealed) -> None:
        there = stored(self._connection, self._log_id, sealed.table)
        batch = _above(sealed.batch, there)
        if not batch.num_rows:
            return
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        self._unsure = True
        self._connection.insert(
            sealed.table,
            batch.schema.names,
            sink.getvalue().to_pybytes(),
            {**ONE_PART, "insert_deduplication_token": sealed.token, "query_id": sealed.token},
        )
        self._unsure = False

    def _settle(self) -> None:
        """After an unknown outcome: ends what may still run, then mends the rollups."""
        for sealed in self._sealed[:1]:
            self._connection.command(f"KILL QUERY WHERE query_id = '{sealed.token}' SYNC")
        self.mended = mend(self._connection, self._log_id)
        self._unsure = False


def _ranges(batch: pa.RecordBatch) -> list[tuple[str, int, int, int, int]]:
    """Topic, partition, first and last offset and rows of each partition in the batch."""
    table = pa.table({name: batch.column(name) for name in ("topic", "partition", "offset")})
    grouped = table.group_by(["topic", "partition"]).aggregate(
        [("offset", "min"), ("offset", "max"), ("offset", "count")]
    )
    names = ("topic", "partition", "offset_min", "offset_max", "offset_count")
    return sorted(tuple(row[name] for name in names) for row in grouped.to_pylist())


def _above(batch: pa.RecordBatch, there: Positions) -> pa.RecordBatch:
    """The rows whose offset is above the stored one of their partition."""
    for topic, partition, first, *_ in _ranges(batch):
        last = there.get((topic, partition), -1)
        if first > last:
            continue
        here = pc.and_(
            pc.equal(batch.column("topic").cast(pa.string()), topic),
            pc.equal(batch.column("partition"), partition),
        )
        known = pc.and_(here, pc.less_equal(batch.column("offset"), last))
        batch = batch.filter(pc.invert(known))
    return batch
