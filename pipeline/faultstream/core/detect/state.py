"""ServiceState: all that detection remembers of one service in one partition, and its bytes.

Events of a chaos experiment live in a lane of their own, so that they never mix with real ones.
Bounded by: slots that any detector looks back at x groups per slot x evidence per cell.
"""

from typing import Final

import msgspec

from faultstream.core.detect.baseline import Baseline
from faultstream.core.detect.memory import Memory
from faultstream.core.episode import Episode
from faultstream.core.group import Group
from faultstream.core.policy import BurstPolicy
from faultstream.core.records import PatternKind
from faultstream.core.tally import Cell, Evidence, Slot

NEVER: Final = -(1 << 62)
FAR: Final = 1 << 62


class Published(msgspec.Struct, array_like=True):
    """What was last said of an episode: as of `at_ms` in event time."""

    pattern_id: str
    anchor_ms: int
    revision: int
    at_ms: int
    count: int
    rate: float


class Lane:
    """One experiment's events of a service, or (experiment '') all real ones.

    `recent` are settled slots, ascending; `pending` may still change. `episodes` are folded from
    settled slots, `published` is what the world was told, both by kind and key. `ended` keeps
    the last slot of each key's previous episode, `withdrawn` what may still be said again.
    """

    __slots__ = ("baseline", "dirty", "dirty_from", "ended", "episodes", "experiment_id",
                 "memory", "pending", "published", "recent", "update_at", "withdrawn")  # fmt: skip

    def __init__(self, experiment_id: str, baseline: Baseline) -> None:
        self.experiment_id = experiment_id
        self.pending: dict[int, Slot] = {}
        self.recent: list[Slot] = []
        self.baseline = baseline
        self.memory = Memory()
        self.episodes: dict[PatternKind, dict[str, Episode]] = {}
        self.published: dict[PatternKind, dict[str, Published]] = {}
        self.ended: dict[str, int] = {}
        self.withdrawn: dict[str, Published] = {}
        self.dirty: set[str] = set()
        self.dirty_from = FAR
        self.update_at = FAR

    @property
    def open(self) -> bool:
        """Whether there is an episode that was not closed yet."""
        return any(self.published.values()) or any(self.episodes.values())


class ServiceState:
    """The state of one service. `settled` is the first slot number that may still change.

    `late` counts events that came after their slot had settled, `folded` those that were
    counted without their own group because a slot was full.
    """

    __slots__ = (
        "environment",
        "folded",
        "lanes",
        "late",
        "main",
        "newest_ms",
        "service",
        "settled",
    )

    def __init__(self, environment: str, service: str, policy: BurstPolicy) -> None:
        self.environment = environment
        self.service = service
        self.settled = NEVER
        self.newest_ms = NEVER
        self.late = 0
        self.folded = 0
        self.main = Lane("", Baseline(policy))
        self.lanes: dict[str, Lane] = {"": self.main}


class _SavedCell(msgspec.Struct, array_like=True):
    key: str
    group: int
    count: int
    first_ms: int
    last_ms: int
    layer: str
    evidence: list[Evidence]
    release: str = ""


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


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_SavedState).decode
_VERSION: Final = 3


def save(state: ServiceState) -> bytes:
    """The state as bytes (MessagePack), each description of a group once."""
    groups: dict[Group, int] = {}
    numbers: dict[int, int] = {}

    def number(group: Group) -> int:
        found = numbers.get(id(group))  # hashing a description costs more than all the rest
        if found is None:
            found = numbers[id(group)] = groups.setdefault(group, len(groups))
        return found

    def slot(one: Slot) -> _SavedSlot:
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
            )
            for key, cell in one.cells.items()
        ]
        return _SavedSlot(one.number, one.total, one.first_ms, one.last_ms, cells)

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
        )
        for lane in state.lanes.values()
    ]
    return _encode(
        _SavedState(
            _VERSION,
            state.environment,
            state.service,
            state.settled,
            state.newest_ms,
            state.late,
            state.folded,
            list(groups),
            lanes,
        )
    )


def load(raw: bytes, policy: BurstPolicy) -> ServiceState:
    """The state that `save` wrote.

    Raises:
        msgspec.DecodeError: these bytes are no saved state.
    """
    saved = _decode(raw)
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
                c.count, c.first_ms, c.last_ms, group, c.layer, c.evidence, c.release
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
        state.lanes[one.experiment_id] = lane
    state.main = state.lanes[""]
    return state
