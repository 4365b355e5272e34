"""Keyed state with a guard of offsets: what makes a replay change nothing.

Each key's state carries, per source topic, the offset up to which it is true. A partition's mark
carries the offset up to which all of its keys are; it is written last in a checkpoint, so it is
never ahead of them. Records at or below either are skipped.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from faultstream import wire
from faultstream.core.errors import DataError
from faultstream.ops import log
from faultstream.stream.stage import Effects, Refusal, Rows, Source
from faultstream.transport.reading import RawRecord

S = TypeVar("S")

MARK_KEY: Final = b"\x00mark"
"""Key of a partition's mark in the table; no key of a stage begins with a zero byte."""

_log = log.get(__name__)


class Cell(Generic[S]):
    """The state of one key. Per topic, records up to `since` were counted under another key."""

    __slots__ = ("dirty", "offsets", "since", "state")

    def __init__(self, state: S, offsets: dict[str, int]) -> None:
        self.state = state
        self.offsets = offsets
        self.since: dict[str, int] = {}
        self.dirty = False


class Partition(Generic[S]):
    """The keys of one partition. `extra` is what the stage keeps beside them, `shared` what their
    states share, which follows from them and is not saved."""

    __slots__ = ("ahead", "cells", "durable", "extra", "gone", "marked", "read", "shared")

    def __init__(self) -> None:
        self.cells: dict[bytes, Cell[S]] = {}
        self.gone: set[bytes] = set()
        """Keys that were dropped since the latest snapshot; `durable` must cover them."""
        self.read: dict[str, int] = {}
        """Per topic the highest offset handled."""
        self.ahead: dict[str, int] = {}
        """Per topic the highest offset of any key when it was restored; behind it no key needs
        its own guard."""
        self.marked: dict[str, int] = {}
        """`read` as of the latest snapshot."""
        self.durable: dict[str, int] = {}
        """`marked` as of the latest snapshot that was written."""
        self.extra: Any = None
        self.shared: Any = None


class Cells(Generic[S]):
    """All partitions of a stage. `idle`, of a state and its partition's extra, says that the state
    may be dropped from the table. Rows of keys that are `last` follow all others of a checkpoint,
    and are written with each until it is durable."""

    def __init__(
        self,
        *,
        save: Callable[[S], bytes],
        load: Callable[[bytes], S],
        idle: Callable[[S, Any], bool],
        save_extra: Callable[[Any], Any] = lambda extra: extra,
        load_extra: Callable[[Any], Any] = lambda extra: extra,
        last: Callable[[bytes], bool] = lambda _key: False,
    ) -> None:
        self._save = save
        self._load = load
        self._idle = idle
        self._save_extra = save_extra
        self._load_extra = load_extra
        self._last = last
        self.partitions: dict[int, Partition[S]] = {}

    def restore(
        self, number: int, rows: Mapping[bytes, bytes], ends: Mapping[str, int]
    ) -> Partition[S]:
        """Load a partition from its rows. Offsets beyond a topic's end belong to a topic that
        was there before it; they are forgotten, so that the new records count."""
        part: Partition[S] = Partition()
        gone: set[str] = set()
        mark = wire.loads(rows[MARK_KEY]) if MARK_KEY in rows else {"offsets": {}, "extra": None}
        part.durable = _within(mark["offsets"], ends, gone)
        part.read = dict(part.durable)
        part.marked = dict(part.durable)
        part.extra = self._load_extra(mark["extra"])
        for key, value in rows.items():
            if key != MARK_KEY:
                head, _, body = value.partition(b"\n")
                said = wire.loads(head)
                offsets, since = said if isinstance(said, list) else (said, {})
                cell = Cell(self._load(body), _within(offsets, ends, gone))
                cell.since = _within(since, ends, gone)
                part.cells[key] = cell
                for topic, offset in cell.offsets.items():
                    part.ahead[topic] = max(offset, part.ahead.get(topic, -1))
        for topic in sorted(gone):
            _log.warning("topic_recreated", topic=topic, partition=number, end=ends[topic])
        self.partitions[number] = part
        return part

    def work_through(
        self,
        source: Source,
        records: Sequence[RawRecord],
        effects: Effects,
        handle: Callable[[RawRecord, dict[bytes, Cell[S]]], bool],
        *,
        stage: str,
    ) -> None:
        """Hand each record that the partition's mark does not cover to `handle`, count what came
        of it, and refuse what raises. `handle` says False when the key had seen the record.

        For stages with few records; detect has a loop of its own, because a call for every
        record costs.
        """
        part = self.partitions[source.partition]
        known = part.read.get(source.topic, -1)
        for record in records:
            if record.offset <= known:
                effects.outcomes["duplicate"] += 1
                continue
            try:
                new = handle(record, part.cells)
                effects.outcomes["tallied" if new else "duplicate"] += 1
            except DataError as exc:
                effects.refusals.append(Refusal(record, exc.stage, "DataError", exc.reason))
            except Exception as exc:  # noqa: BLE001 - our bug: the record is kept for later
                kind = type(exc).__name__
                effects.refusals.append(Refusal(record, stage, kind, str(exc), bug=True))
        if records:
            part.read[source.topic] = max(known, records[-1].offset)

    def snapshot(self) -> dict[int, Rows]:
        """The changed cells, then the mark, of every partition with changes."""
        changes: dict[int, Rows] = {}
        for number, part in self.partitions.items():
            rows: Rows = [(key, None) for key in sorted(part.gone - part.cells.keys())]
            part.gone.clear()
            last: Rows = []
            for key, cell in list(part.cells.items()):
                late = self._last(key)
                if cell.dirty or (late and not covered(cell.offsets, part.durable)):
                    cell.dirty = False
                    (last if late else rows).append((key, self._row(cell, part.durable)))
                elif self._idle(cell.state, part.extra) and covered(cell.offsets, part.durable):
                    del part.cells[key]
                    rows.append((key, None))
            rows += last
            if rows or part.read != part.marked:
                mark = {"offsets": part.read, "extra": self._save_extra(part.extra)}
                rows.append((MARK_KEY, wire.dumps(mark)))
                part.marked = dict(part.read)
                changes[number] = rows
        return changes

    def _row(self, cell: Cell[S], durable: Mapping[str, int]) -> bytes:
        """Offsets, or a list of offsets and `since` as far as it matters; then the state."""
        cell.since = {t: at for t, at in cell.since.items() if at > durable.get(t, -1)}
        head: Any = [cell.offsets, cell.since] if cell.since else cell.offsets
        return wire.dumps(head) + b"\n" + self._save(cell.state)

    def saved(self) -> None:
        """Every snapshot so far was written."""
        for part in self.partitions.values():
            part.durable = dict(part.marked)

    def __iter__(self) -> Iterator[Cell[S]]:
        """Every cell of every partition."""
        return (cell for part in self.partitions.values() for cell in part.cells.values())

    def __len__(self) -> int:
        return sum(len(part.cells) for part in self.partitions.values())


def _within(offsets: dict[str, int], ends: Mapping[str, int], gone: set[str]) -> dict[str, int]:
    """`offsets` without those at or beyond the end of their topic, whose names go to `gone`."""
    kept: dict[str, int] = {}
    for topic, offset in offsets.items():
        if topic in ends and offset >= ends[topic]:
            gone.add(topic)
        else:
            kept[topic] = offset
    return kept


def covered(offsets: Mapping[str, int], durable: Mapping[str, int]) -> bool:
    """Whether a replay begins behind all of them."""
    return all(durable.get(topic, -1) >= offset for topic, offset in offsets.items())
