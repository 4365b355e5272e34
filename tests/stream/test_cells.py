"""The guard of offsets: replays change nothing, whatever of a checkpoint was written."""

from typing import Any

from faultstream import wire
from faultstream.stream.cells import MARK_KEY, Cell, Cells


def _cells() -> Cells[list[int]]:
    return Cells(
        save=lambda state: b"%d" % state[0],
        load=lambda raw: [int(raw)],
        idle=lambda state, _extra: state[0] == 0,
    )


def _put(cells: Cells[list[int]], key: bytes, count: int, offset: int) -> None:
    part = cells.partitions[0]
    cell = part.cells.setdefault(key, Cell([0], {}))
    cell.state[0], cell.offsets["t"], cell.dirty = count, offset, True
    part.read["t"] = max(offset, part.read.get("t", -1))


def test_round_trip() -> None:
    """What a snapshot holds is what a restore gives, offsets and extra included."""
    cells = _cells()
    cells.restore(0, {}, {})
    cells.partitions[0].extra = {"seen": 5}
    _put(cells, b"a", 3, 7)
    rows = dict(cells.snapshot()[0])
    again = _cells()
    part = again.restore(0, {key: value for key, value in rows.items() if value}, {"t": 8})
    assert part.cells[b"a"].state == [3]
    assert part.cells[b"a"].offsets == {"t": 7}
    assert part.read == {"t": 7}
    assert part.extra == {"seen": 5}
    assert cells.snapshot() == {}, "nothing changed since"


def test_the_mark_is_written_last() -> None:
    """The partition's mark follows the keys that it vouches for."""
    cells = _cells()
    cells.restore(0, {}, {})
    _put(cells, b"a", 1, 0)
    _put(cells, b"b", 1, 1)
    assert [key for key, _ in cells.snapshot()[0]] == [b"a", b"b", MARK_KEY]


def test_idle_keys_go_only_when_the_mark_covers_them() -> None:
    """A key that says nothing any more leaves the table only after a written mark covers its
    offsets; else a replay would count its records anew."""
    cells = _cells()
    cells.restore(0, {}, {})
    _put(cells, b"a", 0, 3)
    cells.snapshot()
    assert cells.snapshot() == {}, "not yet known to be written"
    cells.saved()
    rows: list[Any] = cells.snapshot()[0]
    assert rows[0] == (b"a", None)
    assert len(cells) == 0


def test_offsets_of_a_recreated_topic_are_forgotten() -> None:
    """State offsets at or beyond the end of the topic are of a topic that was there before: the
    state stays, the new records count. One below the end, they hold."""
    mark = wire.dumps({"offsets": {"t": 9}, "extra": None})
    rows = {b"a": wire.dumps({"t": 9}) + b"\n4", MARK_KEY: mark}
    part = _cells().restore(0, rows, {"t": 9})
    assert part.read == {}
    assert part.cells[b"a"].offsets == {}
    assert part.cells[b"a"].state == [4]
    part = _cells().restore(0, rows, {"t": 10})
    assert part.read == {"t": 9}
    assert part.cells[b"a"].offsets == {"t": 9}
