"""Episode: the stretch of event time over which one detector's condition holds for one key.

Episodes are folded from settled slots in ascending order, so what they say in the end depends
on the events alone, never on their order of arrival. Before that, the same fold over slots that
may still change gives the speculative episode that is published at once.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Final

import msgspec

from faultstream.core.detect.ring import Detector, Finding, Ring
from faultstream.core.group import Group
from faultstream.core.records import Edge, PatternKind
from faultstream.core.tally import Cell, Evidence, Slot, graver

EVIDENCE: Final = 10
LATEST: Final = 5
NAMED: Final = 4
_FACES: Final = 64
_PARTS: Final = 16
_PAUSES: Final = 3
"""How many times as long as before an error may pause, if its detector allows any pause."""


class Face(msgspec.Struct, array_like=True):
    """How many events of an episode of a whole service belong to one group."""

    count: int
    group: Group


class Episode(msgspec.Struct, array_like=True, kw_only=True):
    """One stretch. `key` is a fingerprint, or '' for the service as a whole.

    `anchor_ms` is the same for every order of arrival that opens it within one bucket of time,
    and different for any two episodes of a key. It closes `quiet_ms` after
    `last_ms`, or at `due_ms` if that is set. `faces` is filled for whole services only.
    `expected_ms` and `due_ms` are for predictions, which are over at `true_ms` if they come true.
    `evidence` are the first events, at most EVIDENCE, `latest` the newest, at most LATEST.
    """

    kind: PatternKind
    key: str
    anchor_ms: int
    first_ms: int
    last_ms: int
    detected_ms: int
    count: int
    confidence: float
    baseline: float
    reason: str
    layer: str
    group: Group
    evidence: list[Evidence]
    faces: dict[str, Face]
    quiet_ms: int
    edges: tuple[Edge, ...] = ()
    expected_ms: int = 0
    due_ms: int = 0
    true_ms: int = 0
    operations: dict[str, int] = {}
    """Events of each, the first 16; '' are those that name none or cannot be told apart."""
    dependencies: dict[str, int] = {}
    latest: list[Evidence] = []
    early: bool = False
    """One error shows it, and the service as a whole was never past its limit."""
    aside: int = 0
    """Events of a lull, in which the condition did not hold; they count once it holds again."""

    @property
    def closes_ms(self) -> int:
        """When it is over, unless it goes on before that."""
        return self.true_ms or self.due_ms or self.last_ms + self.quiet_ms

    def absorb(self, slot: Slot) -> None:
        """Counts the slot's events of this key, and those of the lull before it."""
        self.count += self.aside
        self.aside = 0
        if self.key:
            cell = slot.cells.get(self.key)
            if cell is not None:
                self._take(cell)
                self.group = graver(self.group, cell.group)
            return
        for key, cell in sorted(slot.cells.items()):
            self._take(cell)
            face = self.faces.get(key)
            if face is not None:
                self.faces[key] = Face(face.count + cell.count, graver(face.group, cell.group))
            elif len(self.faces) < _FACES:
                self.faces[key] = Face(cell.count, cell.group)
        if not slot.cells:
            self.count += slot.total
            self.first_ms = min(self.first_ms, slot.first_ms)
            self.last_ms = max(self.last_ms, slot.last_ms)

    def _take(self, cell: Cell) -> None:
        self.count += cell.count
        self.first_ms = min(self.first_ms, cell.first_ms)
        self.last_ms = max(self.last_ms, cell.last_ms)
        if cell.layer and (not self.layer or cell.layer < self.layer):
            self.layer = cell.layer
        _add(self.operations, cell.operation or "", cell.count)
        _add(self.dependencies, cell.dependency or "", cell.count)
        if len(self.evidence) < EVIDENCE or cell.first_ms <= self.evidence[-1][0]:
            self.evidence = sorted(self.evidence + cell.evidence)[:EVIDENCE]
        if len(self.latest) < LATEST or cell.evidence[-1] > self.latest[0]:
            self.latest = sorted(self.latest + cell.evidence)[-LATEST:]

    def shown(self) -> list[Evidence]:
        """The first and the newest events in order of time, at most EVIDENCE: what keeps it going
        may have another cause than its beginning had."""
        both = sorted({*self.evidence, *self.latest})
        return both if len(both) <= EVIDENCE else both[: EVIDENCE - LATEST] + both[-LATEST:]

    def face(self) -> Group | None:
        """The group that an episode is about: its own, or the one with more than half of it."""
        if self.key:
            return self.group
        best = max(self.faces.values(), key=lambda face: face.count, default=None)
        return best.group if best is not None and 2 * best.count > self.count else None

    @property
    def left(self) -> bool:
        """Whether nine of ten events say only that the caller did not wait."""
        if self.key:
            return self.group.left
        return 10 * sum(one.count for one in self.faces.values() if one.group.left) >= 9 * max(
            1, self.count
        )

    def named(self) -> list[str]:
        """What the messages of more than half of it may name as failing, at most NAMED."""
        if self.key:
            return [name for name in self.group.named if name]
        counts: dict[str, int] = {}
        for one in self.faces.values():
            for name in one.group.named:
                counts[name] = counts.get(name, 0) + one.count
        often = (name for name in counts if name and 2 * counts[name] > self.count)
        return sorted(often, key=lambda name: (-counts[name], name))[:NAMED]

    def heed(self, finding: Finding) -> None:
        """Keeps the surest finding's words and the longest quiet; a prediction is held to its first
        words."""
        self.early = self.early and finding.early
        self.quiet_ms = max(self.quiet_ms, finding.quiet_ms)
        if not self.due_ms and finding.confidence > self.confidence:
            self.confidence = finding.confidence
            self.reason = finding.reason
            self.edges = finding.edges

    def duplicate(self) -> "Episode":
        """A copy that can be folded further without touching this one."""
        twin = copy(self)
        twin.evidence = list(self.evidence)
        twin.latest = list(self.latest)
        twin.faces = dict(self.faces)
        twin.operations = dict(self.operations)
        twin.dependencies = dict(self.dependencies)
        return twin


def _add(counts: dict[str, int], name: str, count: int) -> None:
    if name not in counts and len(counts) >= _PARTS:
        name = ""
    counts[name] = counts.get(name, 0) + count


def sole(counts: Mapping[str, int]) -> str:
    """The name that nine of ten events have, '' when there is none."""
    name = max(counts, key=counts.__getitem__, default="")
    return name if 10 * counts.get(name, 0) >= 9 * sum(counts.values()) else ""


def begin(
    kind: PatternKind,
    key: str,
    finding: Finding,
    *,
    ring: Ring,
    at: int,
    after: int,
    bucket_ms: int,
    quiet_ms: int,
) -> Episode:
    """The episode that `finding` at slots[at] opens; slots up to number `after` belong to an
    earlier one."""
    start = at
    floor = max(finding.since, after + 1)
    while start > 0 and ring.slots[start - 1].number >= floor:
        start -= 1
    slots = ring.slots[start : at + 1]
    newest = slots[-1]
    cell = newest.cells[key] if key else max(newest.cells.values(), key=lambda c: c.count)
    opened_ms = newest.number * ring.slot_ms
    episode = Episode(
        kind=kind,
        key=key,
        anchor_ms=opened_ms // bucket_ms * bucket_ms,
        first_ms=newest.last_ms,
        last_ms=opened_ms,
        detected_ms=0,
        count=0,
        confidence=finding.confidence,
        baseline=finding.baseline,
        reason=finding.reason,
        layer="",
        group=cell.group,
        evidence=[],
        faces={},
        operations={},
        dependencies={},
        quiet_ms=max(finding.quiet_ms, quiet_ms),
        expected_ms=finding.expected_ms,
        due_ms=finding.due_ms,
        edges=finding.edges,
        early=finding.early,
    )
    for slot in slots:
        episode.absorb(slot)
    episode.detected_ms = _completed(slots, key, finding.needed)
    if finding.earlier:
        episode.count += finding.earlier
        episode.first_ms = min(episode.first_ms, finding.earlier_ms)
        if finding.evidence:
            episode.evidence = sorted([*finding.evidence, *episode.evidence])[:EVIDENCE]
    return episode


def _completed(slots: Sequence[Slot], key: str, needed: int) -> int:
    """The time of the event that made it `needed`, as far as the evidence tells."""
    missing = needed
    for slot in slots[:-1]:
        missing -= slot.count(key)
    cells = [slots[-1].cells[key]] if key else list(slots[-1].cells.values())
    evidence = sorted(one for cell in cells for one in cell.evidence)
    for time_ms, _, count, _, _ in evidence:
        missing -= count
        if missing <= 0:
            return time_ms
    return evidence[-1][0]


def follow(
    detector: Detector,
    episode: Episode | None,
    ring: Ring,
    at: int,
    *,
    key: str,
) -> tuple[bool, Finding | None]:
    """What slots[at] means for the key: (it continues `episode`, a finding that opens a new one).

    Changes `episode` when it continues.
    """
    slot = ring.slots[at]
    finding = detector.find(ring, at, key)
    if episode is not None:
        first_ms = slot.cells[key].first_ms if key else slot.first_ms
        if first_ms <= episode.closes_ms:
            if finding is not None or detector.lasts(ring, at, key):
                pause_ms = min(_PAUSES * (first_ms - episode.last_ms), detector.pause_ms)
                episode.quiet_ms = max(episode.quiet_ms, pause_ms)
                episode.absorb(slot)
            else:
                episode.aside += slot.count(key)
            if finding is not None:
                episode.heed(finding)
            return True, None
    return False, finding
