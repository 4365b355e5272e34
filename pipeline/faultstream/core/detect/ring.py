"""Ring: what detectors look at, slots of event time in ascending order.

`slots` are the service's non-empty slots as far back as any detector looks: settled ones first,
then those that may still change. A detector asked about position `at` must look at slots[:at+1]
only, so that the answer for a settled slot never changes.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol

import msgspec

from faultstream.core.detect.baseline import Baseline
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind
from faultstream.core.tally import Slot


class Ring:
    """Slots and the learned baseline of one service."""

    __slots__ = ("baseline", "slot_ms", "slots")

    def __init__(self, slots: Sequence[Slot], baseline: Baseline, slot_ms: int) -> None:
        self.slots = slots
        self.baseline = baseline
        self.slot_ms = slot_ms


class Finding(msgspec.Struct, frozen=True):
    """A detector's condition holds at a slot.

    `since` is the number of the earliest slot that counts towards it; `needed` how many events
    from there on completed it; `baseline` what is usual, in events a second.
    """

    since: int
    needed: int
    confidence: float
    reason: str
    baseline: float = 0.0


class Detector(Protocol):
    """One kind of pattern: a pure function over the ring.

    scope `group`: asked per group in a slot, key = its fingerprint; `service`: key is ''.
    keeps `event`: an open episode lasts while events of its key come; `condition`: while the
    condition holds.
    """

    kind: ClassVar[PatternKind]
    scope: ClassVar[Literal["group", "service"]]
    keeps: ClassVar[Literal["event", "condition"]]

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

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:
        """Whether the condition holds at `ring.slots[at]` for `key`."""
        ...
