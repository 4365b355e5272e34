"""Tally: what is counted per event, in slots of event time.

A slot holds one cell per group. Adding to a cell commutes, so the order of arrival never
matters. A slot keeps at most `limit` groups; the rest is counted together, one cell per
(category, severity), so that a flood of unique fingerprints costs bounded memory and a critical
one among them is still seen. Only in slots past that limit does it depend on the order of
arrival which groups stand alone.
"""

import re
from typing import Final, Protocol

import msgspec

from faultstream.core.group import Group
from faultstream.core.severity import RANK

_DIGITS: Final = re.compile(r"[0-9]{1,18}|[^0-9]+")
EVIDENCE_PER_CELL: Final = 5
FOLDED: Final = "__other__"
DEPENDENCY_TAG: Final = "dependency"
"""The tag of an event that names what it was about to use."""

SEVERAL: Final = ("",)
"""What a group names whose events name different services."""

Evidence = tuple[int, str, int, str, str]
"""(event time, event id, count, trace id, id of the event that caused it); ids may be ''."""


class Sighting(Protocol):
    """As much of an admitted ErrorEvent as is counted."""

    service: str
    environment: str
    event_id: str
    time: int | str | None
    count: int
    layer: str
    release: str
    operation: str
    trace_id: str
    parent_event_id: str
    experiment_id: str
    tags: dict[str, str]


class Cell(msgspec.Struct, gc=False, array_like=True):
    """One group in one slot. `evidence` holds the smallest by (time, id), ascending."""

    count: int
    first_ms: int
    last_ms: int
    group: Group
    layer: str
    evidence: list[Evidence]
    release: str = ""
    """The newest that events came from."""
    operation: str | None = ""
    """None: several, as for `dependency`."""
    dependency: str | None = ""

    def add(self, event: Sighting, time_ms: int, group: Group, event_id: str) -> None:
        """Counts one event (or as many as it stands for) at `time_ms`."""
        count, layer = event.count, event.layer
        self.count += count
        if time_ms > self.last_ms:
            self.last_ms = time_ms
        elif time_ms < self.first_ms:
            self.first_ms = time_ms
        if group is not self.group:
            self.group = graver(self.group, group)
        if layer != self.layer and layer and (not self.layer or layer < self.layer):
            self.layer = layer
        if event.operation != self.operation:
            self.operation = None
        tags = event.tags
        if (tags.get(DEPENDENCY_TAG, "") if tags else "") != self.dependency:
            self.dependency = None
        evidence = self.evidence
        if len(evidence) < EVIDENCE_PER_CELL or time_ms <= evidence[-1][0]:
            evidence.append((time_ms, event_id, count, event.trace_id, event.parent_event_id))
            evidence.sort()
            del evidence[EVIDENCE_PER_CELL:]


class Slot:
    """All groups of a service in one slot of event time, number = time // slot_ms.

    A thin slot has lost its cells and only says how many events there were. `saved` are its bytes
    in the state's latest save, as long as they are true: who changes the slot drops them.
    """

    __slots__ = ("_first_ms", "_last_ms", "cells", "number", "saved", "total")

    def __init__(self, number: int, total: int = 0, first_ms: int = 0, last_ms: int = 0) -> None:
        self.number = number
        self.total = total
        self.cells: dict[str, Cell] = {}
        self.saved: bytes | None = None
        self._first_ms = first_ms
        self._last_ms = last_ms

    @property
    def first_ms(self) -> int:
        """Time of the earliest event."""
        return min((cell.first_ms for cell in self.cells.values()), default=self._first_ms)

    @property
    def last_ms(self) -> int:
        """Time of the latest event."""
        return max((cell.last_ms for cell in self.cells.values()), default=self._last_ms)

    def count(self, key: str) -> int:
        """Events of the group `key`, or of all groups for ''."""
        if not key:
            return self.total
        cell = self.cells.get(key)
        return 0 if cell is None else cell.count

    def thin(self) -> None:
        """Drops the cells, keeps the totals."""
        if self.cells:
            self._first_ms, self._last_ms = self.first_ms, self.last_ms
            self.cells = {}
            self.saved = None


def folded(group: Group) -> Group:
    """The group that stands for all groups of the same category and severity in a full slot."""
    verdict = group.verdict
    key = f"{FOLDED}/{verdict.category}/{verdict.severity}"
    return Group(
        fingerprint=key,
        system_fingerprint=key,
        template="",
        error_type="",
        verdict=msgspec.structs.replace(verdict, transient=False, rule="folded", confidence=0.0),
    )


def newer(a: str, b: str) -> str:
    """The newer of two releases: runs of digits count as numbers; '' is older than any."""
    return b if _parts(b) >= _parts(a) else a


def _parts(release: str) -> tuple[list[tuple[int, str]], str]:
    parts = _DIGITS.findall(release)
    return [(int(one), "") if one.isdecimal() else (-1, one) for one in parts], release


def graver(a: Group, b: Group) -> Group:
    """The one of two descriptions of a group that stands for both, whichever came first.

    Where they name different services as failing, nobody is named any more.
    """
    best = b if a is b or _order(b) >= _order(a) else a
    if a.named != b.named and best.named != SEVERAL:
        return msgspec.structs.replace(best, named=SEVERAL)
    return best


def _order(
    group: Group,
) -> tuple[int, str, str, str, bool, str, str, str, float, int, bool, bool, tuple[str, ...]]:
    verdict = group.verdict
    return (
        RANK[verdict.severity],
        group.error_type,
        verdict.category,
        verdict.domain,
        verdict.transient,
        verdict.rule,
        group.template,
        group.system_fingerprint,
        verdict.confidence,
        verdict.http_status,
        not group.left,
        group.named == SEVERAL,
        group.named,
    )
