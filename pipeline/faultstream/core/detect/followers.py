"""Followers: what tends to come after what within one service, and what was declared to.

An occurrence is the first event of a fingerprint after `window_ms` without any, so that a flood is
one. Each occurrence is counted once for every other fingerprint that had one up to `window_ms`
before. Bounded: the latest 16 occurrences and 64 pairs; of those the rarest, then oldest go first.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from faultstream.core.policy import SequenceDeclared
from faultstream.core.tally import Slot

MAX_LATEST: Final = 16
MAX_PAIRS: Final = 64


class Occurrence(msgspec.Struct, array_like=True, frozen=True):
    """A fingerprint began to come at `time_ms`."""

    time_ms: int
    key: str
    error_type: str
    event_id: str


class Pair(msgspec.Struct, array_like=True):
    """How often the second came after the first, the lags' sum, and when it did so."""

    count: int = 0
    lag_ms: int = 0
    first_ms: int = 0
    last_ms: int = 0


class Followers(msgspec.Struct, array_like=True):
    """`latest` in order of time; `pairs` by the key that follows, then by the one before it."""

    latest: list[Occurrence] = []
    pairs: dict[str, dict[str, Pair]] = {}
    size: int = 0

    def before(self, time_ms: int, key: str, window_ms: int) -> list[Occurrence]:
        """The latest occurrences of others up to `window_ms` before, one of each, oldest first."""
        found: dict[str, Occurrence] = {}
        for one in self.latest:
            if one.key != key and time_ms - window_ms <= one.time_ms <= time_ms:
                found[one.key] = one
        return list(found.values())

    def learn(self, new: Occurrence, window_ms: int) -> None:
        """Counts an occurrence; they come in order of time."""
        for one in self.before(new.time_ms, new.key, window_ms):
            pairs = self.pairs.setdefault(new.key, {})
            pair = pairs.get(one.key)
            if pair is None:
                pair = pairs[one.key] = Pair(first_ms=new.time_ms)
                self.size += 1
            pair.count += 1
            pair.lag_ms += new.time_ms - one.time_ms
            pair.last_ms = new.time_ms
        self.latest = [*self.latest[1 - MAX_LATEST :], new]
        while self.size > MAX_PAIRS:
            self._drop()

    def _drop(self) -> None:
        _, _, key, first = min(
            (pair.count, pair.last_ms, key, first)
            for key, pairs in self.pairs.items()
            for first, pair in pairs.items()
        )
        del self.pairs[key][first]
        if not self.pairs[key]:
            del self.pairs[key]
        self.size -= 1


class Progress(msgspec.Struct, array_like=True):
    """How far each declared sequence has come: by its name, for each type but the last the events
    (time, id) of the latest run of types that ends with it."""

    runs: dict[str, list[list[tuple[int, str]]]] = {}

    def learn(
        self, slot: Slot, declared: Sequence[SequenceDeclared]
    ) -> dict[str, tuple[SequenceDeclared, list[tuple[int, str]]]]:
        """Takes a slot in; the sequences that are complete in it, by the fingerprint that ends
        them. Within one slot only the first event of a fingerprint counts."""
        found: dict[str, tuple[SequenceDeclared, list[tuple[int, str]]]] = {}
        if not declared:
            return found
        cells = sorted(slot.cells.items(), key=lambda one: (one[1].first_ms, one[0]))
        if len(self.runs) > len(declared):
            names = {one.name for one in declared}
            self.runs = {name: runs for name, runs in self.runs.items() if name in names}
        for one in declared:
            runs = self.runs.get(one.name)
            if runs is None or len(runs) != len(one.error_types) - 1:
                runs = self.runs[one.name] = [[] for _ in one.error_types[1:]]
            for key, cell in cells:
                event = (cell.first_ms, cell.evidence[0][1])
                for at in range(len(one.error_types) - 1, -1, -1):
                    if cell.group.error_type != one.error_types[at]:
                        continue
                    before = runs[at - 1] if at else []
                    if at and (not before or event[0] - before[0][0] > one.within_ms):
                        continue
                    if at < len(runs):
                        runs[at] = [*before, event]
                    else:
                        found.setdefault(key, (one, [*before, event]))
        return found

    def duplicate(self) -> "Progress":
        """A copy that can learn without touching this one."""
        return Progress({name: [list(run) for run in runs] for name, runs in self.runs.items()})
