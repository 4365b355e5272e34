"""P7 sequence: one error is followed by another of the same service, again and again.

Learned: the fingerprint began to come within `window_ms` after another one at least `count` times,
in `share_ratio` of the times that the other one came, and less likely than `significance` by
chance: how often it comes without the other says how often it would be near by accident. What was
followed in the same way comes first in a chain of three.

Declared: errors of the given types came in the given order within the given time.
"""

from collections.abc import Iterator
from math import exp
from typing import ClassVar, Final

from faultstream.core.detect.chance import binomial_tail
from faultstream.core.detect.followers import Occurrence
from faultstream.core.detect.memory import Sizes
from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.detect.shapes import OfGroup
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import Edge, PatternKind

_UNEVEN: Final = 1.5
"""The rate by chance is taken for this much higher than it was: errors come in clumps."""
_QUIET_GAPS: Final = 3
_QUIET_MOST_MS: Final = 3_600_000


class Link:
    """That `first` is followed by something: `count` of `of` times, `lag_ms` later on average,
    every `gap_ms`."""

    __slots__ = ("count", "first", "gap_ms", "lag_ms", "of")

    def __init__(self, first: Occurrence, count: int, of: int, *, lag_ms: int, gap_ms: int) -> None:
        self.first = first
        self.count = count
        self.of = of
        self.lag_ms = lag_ms
        self.gap_ms = gap_ms


class Sequence(OfGroup):
    """Asked about the fingerprint that follows. Confidence is the share of times, 0.95 at most and
    for what was declared."""

    kind: ClassVar[PatternKind] = "sequence"
    patient: ClassVar[bool] = True

    def __init__(self, policy: DetectorsPolicy) -> None:
        super().__init__(enabled=policy.sequence.enabled)
        self._policy = policy.sequence
        self._sizes = Sizes(policy)
        self._last_types = {one.error_types[-1] for one in policy.sequence.declared}

    def keys(self, ring: Ring, at: int) -> Iterator[str]:
        """Those that have followed others, and those that may end a declared sequence."""
        pairs, last = ring.memory.followers.pairs, self._last_types
        for key, cell in ring.slots[at].cells.items():
            if key in pairs or (last and cell.group.error_type in last):
                yield key

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:
        """Whether the group in slots[at] follows another one."""
        slot, memory = ring.slots[at], ring.memory
        if memory.silent(slot.number, self._sizes):
            return None
        if self._last_types:
            done = memory.progress.duplicate().learn(slot, self._policy.declared).get(key)
            if done is not None and (not done[0].services or ring.service in done[0].services):
                return self._declared(slot.number, done[0].name, done[0].error_types, done[1])
        new = memory.beginning(slot, self._policy.window_ms)
        mine = next((one for one in new if one.key == key), None)
        if mine is None:
            return None
        link = self._link(ring, mine, new)
        if link is None:
            return None
        chain = [link]
        earlier = self._link(ring, link.first, new)
        if earlier is not None and earlier.first.key != key:
            chain.insert(0, earlier)
        names = [one.first.error_type for one in chain]
        names.append(mine.error_type)
        edges = tuple(
            Edge(one.first.error_type, name, one.lag_ms, one.count)
            for one, name in zip(chain, names[1:], strict=True)
        )
        return Finding(
            since=slot.number,
            needed=1,
            confidence=min(0.95, round(link.count / link.of, 4)),
            reason=f"{' > '.join(names)}: {link.count} of {link.of} times, "
            f"{link.lag_ms / 1000:.1f} s later on average",
            earlier_ms=chain[0].first.time_ms,
            earlier=len(chain),
            quiet_ms=min(_QUIET_GAPS * link.gap_ms, _QUIET_MOST_MS),
            edges=edges,
            evidence=tuple((one.first.time_ms, one.first.event_id, 1, "", "") for one in chain),
        )

    def _link(self, ring: Ring, mine: Occurrence, new: list[Occurrence]) -> Link | None:
        """The surest of what comes before the occurrence `mine`."""
        policy, memory = self._policy, ring.memory
        known_ms = mine.time_ms - memory.since_ms
        pairs = memory.followers.pairs.get(mine.key)
        if not pairs or known_ms <= 0:
            return None
        before = memory.followers.before(mine.time_ms, mine.key, policy.window_ms)
        before += [one for one in new if one.key != mine.key and one.time_ms <= mine.time_ms]
        trace = memory.traces.get(mine.key)
        begun = 0 if trace is None else trace.begun
        best: Link | None = None
        for first in before:
            pair = pairs.get(first.key)
            other = memory.traces.get(first.key)
            if pair is None or other is None or pair.count + 1 < policy.count:
                continue
            count = pair.count + 1
            of = max(count, other.begun + (first in new))
            if count < policy.share_ratio * of:
                continue
            alone = (max(0, begun - pair.count) + 1) / known_ms
            near = 1 - exp(-_UNEVEN * alone * policy.window_ms)
            if binomial_tail(count, of, near) >= policy.significance:
                continue
            if best is None or (count, first.key) > (best.count, best.first.key):
                best = Link(
                    first,
                    count,
                    of,
                    lag_ms=(pair.lag_ms + mine.time_ms - first.time_ms) // count,
                    gap_ms=(mine.time_ms - pair.first_ms) // (count - 1),
                )
        return best

    def _declared(
        self, number: int, name: str, types: tuple[str, ...], events: list[tuple[int, str]]
    ) -> Finding:
        return Finding(
            since=number,
            needed=1,
            confidence=0.95,
            reason=f"{name}: {' > '.join(types)} in {(events[-1][0] - events[0][0]) / 1000:.1f} s",
            earlier_ms=events[0][0],
            earlier=len(events) - 1,
            edges=tuple(
                Edge(types[n], types[n + 1], events[n + 1][0] - events[n][0])
                for n in range(len(types) - 1)
            ),
            evidence=tuple((time_ms, event_id, 1, "", "") for time_ms, event_id in events[:-1]),
        )
