"""Rising: one error comes so often as it hardly ever would, though its service has few more.

A service's errors together are compared in burst.py and degradation.py. An error that came seldom
or never says it sooner: ten of it are lost among thirty others, but nothing in its own past
explains them. Its past is the service's life up to ten minutes ago (two windows of degradation), so
that a slow rise is not its own. It is counted in occurrences of several events where they come in
clumps, so that an error that always comes in fives does not rise with the next five. Errors of a
release that goes out just now are never asked.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from heapq import nlargest
from math import ceil
from typing import Final

import msgspec

from faultstream.core.detect.chance import events_tail
from faultstream.core.detect.memory import SPANS, STEPS, Sizes, Trace
from faultstream.core.detect.ring import Ring
from faultstream.core.detect.shapes import UNEVEN
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.tally import FOLDED, Cell

_HALF: Final = SPANS // 2
_STEPS: Final = STEPS // 2
_IN_STEP: Final = SPANS // STEPS
_ASKED: Final = 8
"""Of so many errors of a slot, the most frequent; the others rise in their own slots."""
_MOST_STEPS: Final = 4
"""A slow rise has been there in so many of the five steps of its window."""


class Risen(msgspec.Struct, frozen=True, gc=False):
    """An error that rises: `count` of it, where `needed` would do and `usual` are expected at most;
    `earlier` in the window before. `since` is about the slot of the first of them."""

    count: int
    needed: int
    usual: float
    earlier: int = 0
    since: int = 0


class Rising:
    """Asks about the errors of one slot. Holds no state of its own."""

    def __init__(self, policy: DetectorsPolicy) -> None:
        self._sizes = Sizes(policy)
        self._span = self._sizes.span_slots
        self._learn_slots = policy.recurring.learn_ms // policy.slot_ms
        self._quick_spans = self._sizes.window_slots // self._span
        self._is_fine = self._span * _IN_STEP <= self._sizes.step_slots

    def quick(self, ring: Ring, at: int, least: int, bar: float) -> Risen | None:
        """An error of slots[at] of which `least` or more came within a window of burst, less
        likely than `bar`. Looks at slots[:at + 1] only."""
        if self._quick_spans < 1:
            return None
        start = ring.slots[at].number // self._span - self._quick_spans + 1
        for key, cell in self._asked(ring, at):
            trace = ring.memory.traces.get(key)
            unsettled, since = self._unsettled(ring, at, key, start * self._span)
            new = cell.count + unsettled
            settled = 0 if trace is None else trace.between(start, start + SPANS, self._sizes)
            if trace is not None and settled:
                new += settled
                since = trace.first_span(start, self._sizes) * self._span
            if new >= least:
                found = self._rare(ring, at, trace, new, start=start, bar=bar)
                if found is not None:
                    needed = max(least, found.needed)
                    return msgspec.structs.replace(found, needed=needed, since=since)
        return None

    def slow(self, ring: Ring, at: int, least: int, factor: float, bar: float) -> Risen | None:
        """An error of slots[at] of which `least` or more came, and more than `factor` x as many as
        in the window before, in most steps of the newer window; less likely than `bar` even without
        the busiest one. For settled slots; never where a step has fewer than three."""
        if not self._is_fine:
            return None
        start = ring.slots[at].number // self._span - _HALF + 1
        for key, cell in self._asked(ring, at):
            trace = ring.memory.traces.get(key)
            if trace is None or trace.lately is None:
                continue
            steps = [0] * _STEPS
            for index in range(0, len(trace.lately), 2):
                if trace.lately[index] >= start:
                    steps[(trace.lately[index] - start) // _IN_STEP] += trace.lately[index + 1]
            steps[-1] += cell.count
            new, old = sum(steps), trace.between(start - _HALF, start, self._sizes)
            if new < least or new <= factor * old or sum(map(bool, steps)) < _MOST_STEPS:
                continue
            found = self._rare(ring, at, trace, new - max(steps), start=start, bar=bar)
            if found is not None:
                return msgspec.structs.replace(found, count=new, earlier=old)
        return None

    def _asked(self, ring: Ring, at: int) -> Iterator[tuple[str, Cell]]:
        """The most frequent errors of a slot, without those of a release that goes out."""
        cells = ring.slots[at].cells
        most: Iterable[tuple[str, Cell]] = cells.items()
        if len(cells) > 1:
            most = nlargest(_ASKED, most, key=lambda one: (one[1].count, one[0]))
        for key, cell in most:
            if not key.startswith(FOLDED) and not ring.memory.restarting(cell, self._sizes):
                yield key, cell

    def _unsettled(self, ring: Ring, at: int, key: str, first: int) -> tuple[int, int]:
        """(events of the slots before slots[at], from number `first` on, that are not in memory;
        the earliest slot that has any, slots[at] among them)."""
        first = max(first, ring.memory.newest + 1)
        found, since = 0, ring.slots[at].number
        while at > 0 and ring.slots[at - 1].number >= first:
            at -= 1
            count = ring.slots[at].count(key)
            if count:
                found, since = found + count, ring.slots[at].number
        return found, since

    def _rare(
        self, ring: Ring, at: int, trace: Trace | None, new: int, *, start: int, bar: float
    ) -> Risen | None:
        """Whether `new` events of an error are less likely than `bar` between span `start` and
        slots[at]. One of them is taken for granted: it is why the question is asked."""
        memory, number = ring.memory, ring.slots[at].number
        past = number // self._span - SPANS + 1
        known = past * self._span - memory.since_ms // ring.slot_ms
        if not memory.since_ms or known < max(1, self._learn_slots):
            return None
        if memory.silent(number, self._sizes):
            return None
        length = UNEVEN * (number - start * self._span + 1) / known
        before, clump = 0, 1.0
        if trace is not None:
            before = trace.count - trace.between(past, past + SPANS, self._sizes)
        if trace is not None and before > 0:
            clump = max(1.0, before / trace.begun)
            length *= self._busier(ring, number)
        clumps = round(before / clump)

        def is_rare(count: int) -> bool:
            return events_tail(ceil((count - 1) / clump), clumps, length) < bar

        if not is_rare(new):
            return None
        return Risen(new, bisect_left(range(new), True, key=is_rare), before * length)

    def _busier(self, ring: Ring, number: int) -> float:
        """How many times its rate over its life the service had in the last hour, at least 1."""
        window = self._sizes.window_slots
        _, mean = ring.baseline.expect(number // window)
        ever = ring.memory.total * window / (number - ring.memory.since_ms // ring.slot_ms)
        return max(1.0, mean / ever)
