"""The errors table: the only one on the hot path, so its columns are built while decoding.

What an event shares with many others is stored once and referred to by number: its group (type,
category, severity, fingerprint, template, rule) and its origin (environment, service, layer,
host, ...). Those columns reach ClickHouse as Arrow dictionaries. Fields that hardly anybody sets
cost one look per row, and one constant column when a batch has none.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec
import pyarrow as pa

from faultstream.analytics.columns.base import (
    STRING,
    TIME,
    U64,
    RawRecord,
    array,
    within,
)
from faultstream.core.errors import DataError
from faultstream.core.event import ErrorEvent
from faultstream.core.group import Group
from faultstream.core.grouping import Grouper
from faultstream.core.ids import event_id
from faultstream.core.policy import Topology
from faultstream.core.records import Control
from faultstream.formats.native import admit

ORIGIN: Final = (
    "environment",
    "service",
    "layer",
    "host",
    "instance",
    "release",
    "operation",
    "component",
    "function",
    "experiment_id",
)
RARE: Final = (
    "request_id",
    "user_id",
    "session_id",
    "trace_id",
    "span_id",
    "parent_event_id",
    "correlation_id",
)
NUMBERS: Final = {
    "retry_count": (pa.int64(), -(2**63), 2**63 - 1),
    "max_retries": (pa.int64(), -(2**63), 2**63 - 1),
    "http_status": (pa.int32(), -(2**31), 2**31 - 1),
}
FLAGS: Final = ("handled", "recoverable")
PLAIN: Final = ("event_id", "time", "message", "count", *RARE, *FLAGS, *NUMBERS)
_origin: Final = attrgetter(*ORIGIN)
_plain: Final = attrgetter(*PLAIN)
_json: Final = msgspec.json.Encoder().encode
_INDEX: Final = pa.int32()


def _group_columns(groups: Sequence[Group]) -> dict[str, pa.Array]:
    verdicts = [group.verdict for group in groups]
    return {
        "error_type": array([group.error_type for group in groups], STRING),
        "template": array([group.template for group in groups], STRING),
        "fingerprint": array([group.fingerprint for group in groups], STRING),
        "system_fingerprint": array([group.system_fingerprint for group in groups], STRING),
        "fingerprint_version": array([group.version for group in groups], STRING),
        "domain": array([verdict.domain for verdict in verdicts], STRING),
        "category": array([verdict.category for verdict in verdicts], STRING),
        "severity": array([verdict.severity for verdict in verdicts], STRING),
        "rule": array([verdict.rule for verdict in verdicts], STRING),
    }


class Errors:
    """Rows of `errors`. A record that `admit` refuses is no row: detect reports it.

    Events are taken apart at once and not kept: thousands of live objects would cost more in
    garbage collection than everything here together.
    """

    table = "errors"

    def __init__(self, topology: Topology) -> None:
        self.rows = 0
        self.size = 0
        self.refused = 0
        self._grouper = Grouper(topology)
        self.clear()

    def control(self, control: Control) -> None:
        """Takes a correction of verdicts; other controls change nothing. Raises DataError."""
        self._grouper.control(control)

    def clear(self) -> None:
        """Forgets what was added."""
        self.rows = self.size = 0
        self._plain: list[tuple[Any, ...]] = []
        self._record_times: list[int] = []
        self._offsets: list[int] = []
        self._runs: list[tuple[str, int, int]] = []
        self._origins: dict[tuple[str, ...], int] = {}
        self._origin_of: list[int] = []
        self._groups: list[Group] = []
        self._group_of: list[int] = []
        self._number_of: dict[int, int] = {}
        """By id(); `_groups` keeps each of them alive, so that its id stays its own."""
        self._tag_ends: list[int] = [0]
        self._tag_keys: list[str] = []
        self._tag_values: list[str] = []
        self._texts: dict[str, dict[int, str]] = {"causes": {}, "frames": {}}
        self._cut: dict[int, list[str]] = {}
        self._bases: dict[tuple[str, ...], int] = {(): 0}
        self._bases_of: dict[int, int] = {}

    def add(self, topic: str, partition: int, records: Sequence[RawRecord]) -> int:
        """Takes what can be admitted."""
        plain, times, offsets = self._plain, self._record_times, self._offsets
        origins, origin_of, group_of = self._origins, self._origin_of, self._group_of
        groups, numbers, group = self._groups, self._number_of, self._grouper.group
        keys, values, ends = self._tag_keys, self._tag_values, self._tag_ends
        before, size = len(plain), 0
        for record in records:
            value = record.value
            try:
                event = admit(value, timestamp_ms=record.timestamp)
            except DataError:
                self.refused += 1
                continue
            found = group(event)
            number = numbers.get(id(found))
            if number is None:
                number = numbers[id(found)] = len(groups)
                groups.append(found)
            origin = _origin(event)
            at = origins.get(origin)
            if at is None:
                at = origins[origin] = len(origins)
            group_of.append(number)
            origin_of.append(at)
            if event.tags:
                keys.extend(event.tags)
                values.extend(event.tags.values())
            ends.append(len(keys))
            if event.frames or event.causes or event.bases or event.cut:
                self._nested(len(plain), event)
            plain.append(_plain(event))
            times.append(record.timestamp)
            offsets.append(record.offset)
            size += len(value)
        added = len(plain) - before
        if added:
            self._runs.append((topic, partition, added))
            self.rows = len(plain)
            self.size += size + 400 * added
        return added

    def _nested(self, row: int, event: ErrorEvent) -> None:
        if event.causes:
            self._texts["causes"][row] = _text(event.causes)
        if event.frames:
            self._texts["frames"][row] = _text(event.frames)
        if event.bases:
            self._bases_of[row] = self._bases.setdefault(tuple(event.bases), len(self._bases))
        if event.cut:
            self._cut[row] = event.cut

    def batch(self) -> pa.RecordBatch:
        """The columns of what was added."""
        columns = {
            **self._by_origin(),
            **self._by_group(),
            **self._own(),
            **self._listed(),
            **self._place(),
        }
        return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))

    def _by_origin(self) -> dict[str, pa.Array]:
        index = pa.array(self._origin_of, _INDEX)
        values = zip(*self._origins, strict=True) if self._origins else ((),) * len(ORIGIN)
        return {
            name: _shared(array(column, STRING), index)
            for name, column in zip(ORIGIN, values, strict=True)
        }

    def _by_group(self) -> dict[str, pa.Array]:
        index = pa.array(self._group_of, _INDEX)
        groups = self._groups
        columns = {name: _shared(values, index) for name, values in _group_columns(groups).items()}
        transient = pa.array([group.verdict.transient for group in groups], pa.bool_())
        confidence = pa.array([group.verdict.confidence for group in groups], pa.float32())
        columns["transient"] = transient.take(index)
        columns["confidence"] = confidence.take(index)
        return columns

    def _own(self) -> dict[str, pa.Array]:
        own = {name: [row[at] for row in self._plain] for at, name in enumerate(PLAIN)}
        ids = own["event_id"]
        columns: dict[str, pa.Array] = {
            "event_id": array(ids if all(ids) else self._with_derived(ids), STRING),
            "time": pa.array(own["time"], pa.int64()).cast(TIME),
            "message": array(own["message"], STRING),
            "count": pa.array(own["count"], pa.uint32()),
            "record_time": array(self._record_times, TIME),
        }
        for name in RARE:
            set_somewhere = any(own[name])
            columns[name] = array(own[name], STRING) if set_somewhere else self._constant()
        for name in FLAGS:
            columns[name] = pa.array(own[name], pa.bool_())
        for name, (kind, low, high) in NUMBERS.items():
            columns[name] = _numbers(own[name], kind, low, high)
        return columns

    def _with_derived(self, ids: list[str]) -> list[str]:
        places = ((topic, partition) for topic, partition, rows in self._runs for _ in range(rows))
        return [
            found or event_id(topic, partition, offset)
            for found, (topic, partition), offset in zip(ids, places, self._offsets, strict=True)
        ]

    def _listed(self) -> dict[str, pa.Array]:
        columns: dict[str, pa.Array] = {}
        for name, texts in self._texts.items():
            all_rows = [texts.get(row, "") for row in range(self.rows)] if texts else None
            columns[name] = array(all_rows, STRING) if all_rows else self._constant()
        cut = [self._cut.get(row, ()) for row in range(self.rows)]
        columns["cut"] = array(cut, pa.list_(STRING))
        bases = array(list(self._bases), pa.list_(STRING))
        index = pa.array([self._bases_of.get(row, 0) for row in range(self.rows)], _INDEX)
        columns["bases"] = bases.take(index)
        columns["tags"] = pa.MapArray.from_arrays(
            pa.array(self._tag_ends, pa.int32()),
            array(self._tag_keys, STRING),
            array(self._tag_values, STRING),
        )
        return columns

    def _place(self) -> dict[str, pa.Array]:
        topics: dict[str, int] = {}
        topic_of: list[int] = []
        partitions: list[int] = []
        for topic, partition, rows in self._runs:
            topic_of += [topics.setdefault(topic, len(topics))] * rows
            partitions += [partition] * rows
        return {
            "topic": pa.DictionaryArray.from_arrays(
                pa.array(topic_of, _INDEX), pa.array(list(topics), STRING)
            ),
            "partition": pa.array(partitions, pa.uint16()),
            "offset": pa.array(self._offsets, U64),
        }

    def _constant(self) -> pa.Array:
        """No text in any row."""
        return pa.DictionaryArray.from_arrays(
            pa.repeat(pa.scalar(0, _INDEX), self.rows), pa.array([""], STRING)
        )


def _shared(values: pa.Array, index: pa.Array) -> pa.Array:
    """`values` taken by `index`, as a dictionary without doubles, which ClickHouse needs."""
    coded = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices.take(index), coded.dictionary)


def _text(parts: list[Any]) -> str:
    try:
        return _json(parts).decode()
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(parts)
        return "" if plain is None else repr(plain).encode("utf-8", "replace").decode()


def _numbers(values: list[int | None], kind: Any, low: int, high: int) -> pa.Array:
    try:
        return pa.array(values, kind)
    except (OverflowError, pa.ArrowInvalid):
        return pa.array([None if v is None else within(v, low, high) for v in values], kind)
