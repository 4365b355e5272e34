"""Saving: the state of detection as bytes (MessagePack), and what older versions wrote.

The first field of a saved state is its version. What is added at the end of a struct needs no new
version; anything else adds one, and a function to `_STEPS`, from the plain values of the version
before to its own.
"""

from collections.abc import Callable
from typing import Any, Final, cast

import msgspec

from faultstream.core.detect.baseline import Baseline
from faultstream.core.detect.memory import Memory
from faultstream.core.detect.state import Lane, Published, ServiceState
from faultstream.core.episode import Episode
from faultstream.core.errors import StateVersionError
from faultstream.core.group import Group
from faultstream.core.policy import BurstPolicy
from faultstream.core.records import PatternKind
from faultstream.core.tally import Cell, Evidence, Slot

VERSION: Final = 3
_FEW_GROUPS: Final = 32


class _SavedCell(msgspec.Struct, array_like=True):
    key: str
    group: int
    count: int
    first_ms: int
    last_ms: int
    layer: str
    evidence: list[Evidence]
    release: str = ""
    operation: str | None = ""
    dependency: str | None = ""


class _SavedSlot(msgspec.Struct, array_like=True):
    number: int
    total: int
    first_ms: int
    last_ms: int
    cells: list[_SavedCell]


class _SavedLane(msgspec.Struct, array_like=True):
    experiment_id: str
    pending: list[_SavedSlot]
    recent: list[_SavedSlot]
    baseline_first: int
    baseline_counts: list[int]
    episodes: dict[PatternKind, dict[str, Episode]]
    published: dict[PatternKind, dict[str, Published]]
    ended: dict[str, int]
    dirty: list[str]
    dirty_from: int
    update_at: int
    withdrawn: dict[str, Published]
    memory: Memory
    refuted: dict[str, int] = {}


class _SavedState(msgspec.Struct, array_like=True):
    version: int
    environment: str
    service: str
    settled: int
    newest_ms: int
    late: int
    folded: int
    groups: list[Group]
    lanes: list[_SavedLane]


class _Head(msgspec.Struct, array_like=True):
    version: int


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_SavedState).decode
_head: Final = msgspec.msgpack.Decoder(_Head).decode


def save(state: ServiceState) -> bytes:
    """The state as bytes (MessagePack), each description of a group once.

    Slots that have not changed since the save before are not encoded again.
    """
    _renumber(state)
    numbers: dict[int, int] = {}

    def number(group: Group) -> int:
        found = numbers.get(id(group))  # hashing a description costs more than all the rest
        if found is None:
            known = state.groups
            found = numbers[id(group)] = known.setdefault(group, len(known))
        return found

    def slot(one: Slot) -> _SavedSlot:
        if one.saved is None:
            cells = [
                _SavedCell(
                    key,
                    number(cell.group),
                    cell.count,
                    cell.first_ms,
                    cell.last_ms,
                    cell.layer,
                    cell.evidence,
                    cell.release,
                    cell.operation,
                    cell.dependency,
                )
                for key, cell in one.cells.items()
            ]
            one.saved = _encode(_SavedSlot(one.number, one.total, one.first_ms, one.last_ms, cells))
        return cast("_SavedSlot", msgspec.Raw(one.saved))  # encoded, it is the same

    lanes = [
        _SavedLane(
            lane.experiment_id,
            [slot(one) for one in lane.pending.values()],
            [slot(one) for one in lane.recent],
            lane.baseline.first,
            lane.baseline.counts,
            lane.episodes,
            lane.published,
            lane.ended,
            sorted(lane.dirty),
            lane.dirty_from,
            lane.update_at,
            lane.withdrawn,
            lane.memory,
            lane.refuted,
        )
        for lane in state.lanes.values()
    ]
    return _encode(
        _SavedState(
            VERSION,
            state.environment,
            state.service,
            state.settled,
            state.newest_ms,
            state.late,
            state.folded,
            list(state.groups),
            lanes,
        )
    )


def _renumber(state: ServiceState) -> None:
    """Begins anew when most descriptions may be of groups that no slot holds any more."""
    slots = [one for lane in state.lanes.values() for one in (*lane.pending.values(), *lane.recent)]
    if len(state.groups) > _FEW_GROUPS + sum(len(one.cells) for one in slots):
        state.groups = {}
        for one in slots:
            one.saved = None


def load(raw: bytes, policy: BurstPolicy) -> ServiceState:
    """The state that `save` wrote, in this version or one of those before it.

    Raises:
        StateVersionError: another faultstream wrote it, in a version that this one cannot read.
        msgspec.DecodeError: these bytes are no saved state.
    """
    saved = _current(raw)
    state = ServiceState(saved.environment, saved.service, policy)
    state.settled = saved.settled
    state.newest_ms = saved.newest_ms
    state.late = saved.late
    state.folded = saved.folded

    def slot(one: _SavedSlot) -> Slot:
        made = Slot(one.number, one.total, one.first_ms, one.last_ms)
        for c in one.cells:
            group = saved.groups[c.group]
            made.cells[c.key] = Cell(
                c.count,
                c.first_ms,
                c.last_ms,
                group,
                c.layer,
                c.evidence,
                c.release,
                c.operation,
                c.dependency,
            )
        return made

    state.lanes = {}
    for one in saved.lanes:
        lane = Lane(one.experiment_id, Baseline(policy, one.baseline_first, one.baseline_counts))
        lane.pending = {item.number: slot(item) for item in one.pending}
        lane.recent = [slot(item) for item in one.recent]
        lane.episodes = one.episodes
        lane.published = one.published
        lane.ended = one.ended
        lane.dirty = set(one.dirty)
        lane.dirty_from = one.dirty_from
        lane.update_at = one.update_at
        lane.withdrawn = one.withdrawn
        lane.memory = one.memory
        lane.refuted = one.refuted
        state.lanes[one.experiment_id] = lane
    state.main = state.lanes[""]
    return state


def _current(raw: bytes) -> _SavedState:
    version = _head(raw).version
    if version == VERSION:
        return _decode(raw)
    if version not in _STEPS:
        raise StateVersionError("detection", version, reads=(min(_STEPS), VERSION))
    plain: list[Any] = msgspec.msgpack.decode(raw)
    while version < VERSION:
        plain = _STEPS[version](plain)
        version += 1
    return msgspec.convert(plain, _SavedState)


def _from_2(plain: list[Any]) -> list[Any]:
    """Version 2 kept neither the trace nor the parent of an event."""
    for lane in plain[8]:
        for slot in [*lane[1], *lane[2]]:
            for cell in slot[4]:
                cell[6] = [[*one, "", ""] for one in cell[6]]
        for episodes in lane[5].values():
            for episode in episodes.values():
                episode[12] = [[*one, "", ""] for one in episode[12]]
    return [3, *plain[1:]]


_STEPS: Final[dict[int, Callable[[list[Any]], list[Any]]]] = {2: _from_2}
