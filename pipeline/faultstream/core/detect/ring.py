"""Ring: what detectors look at, slots of event time in ascending order.

`slots` are the service's non-empty slots as far back as any detector looks: settled ones first,
then those that may still change. A detector asked about position `at` must look at slots[:at+1]
only, so that the answer for a settled slot never changes.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal, Protocol

import msgspec

from faultstream.core.detect.baseline import Baseline
from faultstream.core.detect.fleet import NEVER_HELD, Hold
from faultstream.core.detect.memory import Memory
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import Edge, PatternKind
from faultstream.core.tally import Evidence, Slot


class Ring:
    """Slots of one service, and what was learned from the settled ones before the newest.

    For a patient detector `memory` holds exactly the slots before the one it is asked about.
    """

    __slots__ = ("_hold", "_totals", "baseline", "memory", "service", "slot_ms", "slots")

    def __init__(
        self,
        slots: Sequence[Slot],
        baseline: Baseline,
        memory: Memory,
        slot_ms: int,
        *,
        service: str = "",
        hold: Hold = NEVER_HELD,
    ) -> None:
        self.slots = slots
        self.baseline = baseline
        self.memory = memory
        self.slot_ms = slot_ms
        self.service = service
        self._hold = hold
        self._totals: dict[tuple[int, int], tuple[int, int]] = {}

    def cold(self, at: int, since: int) -> bool:
        """Whether what begins in slot number `since` and is seen at slots[at] is of a service that
        is new in a fleet that is new as a whole."""
        return since < self._hold[1] and self._hold[0] <= self.slots[at].number

    def total(self, at: int, length: int) -> tuple[int, int]:
        """(events in the `length` slots of time that end with slots[at], the earliest slot
        among them that has any)."""
        found = self._totals.get((at, length))
        if found is not None:
            return found
        newest = since = self.slots[at].number
        total, back = 0, at
        while back >= 0:
            slot = self.slots[back]
            if slot.number <= newest - length:
                break
            total += slot.total
            since = slot.number
            back -= 1
        self._totals[at, length] = total, since
        return total, since


class Finding(msgspec.Struct, frozen=True):
    """A detector's condition holds at a slot.

    `since` is the number of the earliest slot that counts towards it; `needed` how many events
    from there on completed it; `baseline` what is usual, in events a second. `earlier` events,
    the first at `earlier_ms`, belong to it from before `since`, among them those in `evidence`.
    An episode closes after `quiet_ms` without the condition; 0: after the quiet of the policy.
    What is predicted is expected at `expected_ms`, and over at `due_ms`. `early`: one error shows
    it, while the service as a whole is not yet past its limit.
    """

    since: int
    needed: int
    confidence: float
    reason: str
    baseline: float = 0.0
    earlier: int = 0
    earlier_ms: int = 0
    quiet_ms: int = 0
    edges: tuple[Edge, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    expected_ms: int = 0
    due_ms: int = 0
    early: bool = False


class Detector(Protocol):
    """One kind of pattern: a pure function over the ring.

    scope `group`: asked per group in a slot, key = its fingerprint; `service`: key is ''.
    An open episode lasts while the condition holds, or `lasts` says so. A patient one is asked
    about settled slots only, once per slot: about the keys it names and those with an open
    episode.
    """

    kind: ClassVar[PatternKind]
    scope: ClassVar[Literal["group", "service"]]
    patient: ClassVar[bool]

    def __init__(self, policy: DetectorsPolicy) -> None: ...

    @property
    def enabled(self) -> bool:
        """Whether the topology wants it."""
        ...

    @property
    def back_events(self) -> int:
        """How many events back it looks at single groups."""
        ...

    @property
    def back_ms(self) -> int:
        """How far back it looks at totals."""
        ...

    @property
    def pause_ms(self) -> int:
        """An episode that went on after a pause may pause three times as long, up to this."""
        ...

    def keys(self, ring: Ring, at: int) -> Iterable[str]:
        """The keys in slots[at] for which the condition may newly hold (patient ones only)."""
        ...

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:
        """Whether the condition holds at `ring.slots[at]` for `key`."""
        ...

    def lasts(self, ring: Ring, at: int, key: str) -> bool:
        """Whether the events of `ring.slots[at]` continue an episode without the condition."""
        ...
