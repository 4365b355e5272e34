"""Columns, and the plain builder for topics of which there are few records.

A builder turns records into one Arrow batch. `add` may be repeated only for records that were
not taken yet: whoever calls it knows the offsets.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec
import pyarrow as pa

from faultstream.core.errors import DataError

T = TypeVar("T")

STRING: Final = pa.string()
WORD: Final = pa.dictionary(pa.int32(), pa.string())
TIME: Final = pa.timestamp("ms", tz="UTC")
BOOL: Final = pa.bool_()
WORDS: Final = pa.list_(pa.string())
MAP: Final = pa.map_(pa.string(), pa.string())
BINARY: Final = pa.binary()
U32: Final = pa.uint32()
U64: Final = pa.uint64()
I64: Final = pa.int64()
F64: Final = pa.float64()

MAX_TIME_MS: Final = 4_291_747_199_000
"""2105-12-31T23:59:59Z; what is later is stored as this, ClickHouse's DateTime ends in 2106."""


class RawRecord(Protocol):
    """A record as a Kafka client hands it over; aiokafka's ConsumerRecord is one."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> Any: ...
    @property
    def value(self) -> Any: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Builder(Protocol):
    """Collects the rows of one table."""

    table: str
    rows: int
    size: int
    """Roughly the bytes held."""
    refused: int
    """Records that could not be read, since the beginning."""

    def add(self, topic: str, partition: int, records: Sequence[RawRecord]) -> int:
        """Takes records of one partition in the order of their offsets; returns rows added."""
        ...

    def batch(self) -> pa.RecordBatch:
        """The columns of what was added, without those that are the same for a whole batch."""
        ...

    def clear(self) -> None:
        """Forgets what was added."""
        ...


class Column(msgspec.Struct, Generic[T], frozen=True):
    """One column: its name, its Arrow type, and where its value comes from."""

    name: str
    type: Any
    of: Callable[[T], Any]


class Plain(Generic[T]):
    """A builder for tables that grow slowly: rows are kept as records until asked for.

    `read` gives the row's record; a DataError of it means that the record is not stored here
    (the worker that needs the topic has sent it to the dead letters).
    """

    def __init__(
        self, table: str, read: Callable[[RawRecord], T], columns: Sequence[Column[T]]
    ) -> None:
        self.table = table
        self.rows = 0
        self.size = 0
        self.refused = 0
        self._read = read
        self._columns = columns
        self._records: list[T] = []
        self._places: list[tuple[str, int, int]] = []

    def add(self, topic: str, partition: int, records: Sequence[RawRecord]) -> int:
        """Takes what can be read."""
        before = self.rows
        for record in records:
            try:
                self._records.append(self._read(record))
            except DataError:
                self.refused += 1
                continue
            self._places.append((topic, partition, record.offset))
            self.size += len(record.value or b"") + 200
            self.rows += 1
        return self.rows - before

    def batch(self) -> pa.RecordBatch:
        """The columns of what was added."""
        names, arrays = [], []
        for column in self._columns:
            names.append(column.name)
            arrays.append(array([column.of(record) for record in self._records], column.type))
        topics, partitions, offsets = zip(*self._places, strict=True) if self.rows else ((),) * 3
        names += ["topic", "partition", "offset"]
        arrays += [
            array(list(topics), WORD),
            pa.array(partitions, pa.uint16()),
            pa.array(offsets, pa.uint64()),
        ]
        return pa.RecordBatch.from_arrays(arrays, names=names)

    def clear(self) -> None:
        """Forgets what was added."""
        self.rows = self.size = 0
        self._records = []
        self._places = []


def array(values: Sequence[Any], kind: Any) -> pa.Array:
    """An Arrow array; what UTF-8 cannot hold (lone surrogates) becomes `?`."""
    try:
        return _array(values, kind)
    except UnicodeEncodeError:
        return _array(_clean(values), kind)


def _array(values: Sequence[Any], kind: Any) -> pa.Array:
    if kind is WORD:
        return pa.array(values, STRING).dictionary_encode()
    if kind is TIME:
        held = [None if ms is None else min(max(ms, 0), MAX_TIME_MS) for ms in values]
        return pa.array(held, pa.int64()).cast(TIME)
    return pa.array(values, kind)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_clean(key): _clean(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(part) for part in value]
    return value


def within(value: int, low: int, high: int) -> int:
    """`value`, held to the bounds of a ClickHouse integer type."""
    return min(max(value, low), high)
