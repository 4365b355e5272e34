"""ServiceState: all that detection remembers of one service in one partition.

Events of a chaos experiment live in a lane of their own, so that they never mix with real ones.
Bounded by: slots that any detector looks back at x groups per slot x evidence per cell.
"""

from typing import Final

import msgspec

from faultstream.core.detect.baseline import Baseline
from faultstream.core.detect.fleet import Fleet
from faultstream.core.detect.memory import Memory
from faultstream.core.episode import Episode
from faultstream.core.group import Group
from faultstream.core.policy import BurstPolicy
from faultstream.core.records import PatternKind
from faultstream.core.tally import Slot

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
    the last slot of each key's previous episode, `withdrawn` what may still be said again,
    `refuted` when each key's opening was last taken back.
    """

    __slots__ = ("baseline", "dirty", "dirty_from", "ended", "episodes", "experiment_id",
                 "memory", "pending", "published", "recent", "refuted", "update_at",
                 "withdrawn")  # fmt: skip

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
        self.refuted: dict[str, int] = {}
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
    counted without their own group because a slot was full. `fleet` is shared by the services of
    an environment in a partition, and not saved. `groups` numbers the descriptions of groups in
    the bytes that slots keep (see Slot).
    """

    __slots__ = (
        "environment",
        "fleet",
        "folded",
        "groups",
        "lanes",
        "late",
        "main",
        "newest_ms",
        "service",
        "settled",
    )

    def __init__(
        self, environment: str, service: str, policy: BurstPolicy, fleet: Fleet | None = None
    ) -> None:
        self.environment = environment
        self.service = service
        self.fleet = fleet
        self.settled = NEVER
        self.newest_ms = NEVER
        self.late = 0
        self.folded = 0
        self.groups: dict[Group, int] = {}
        self.main = Lane("", Baseline(policy))
        self.lanes: dict[str, Lane] = {"": self.main}
