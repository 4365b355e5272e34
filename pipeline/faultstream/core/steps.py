"""Steps: which of the services that rise follows from which, and why that is believed.

    left       the target says only that callers did not wait: it follows from those that need it
    parent     an error of the target names one of the source as the event that caused it
    trace      errors of both are of the same request; the target depends on the source, or, when
               nothing is declared between them, it rose later
    declared   the target depends on the source (`services.*.depends_on`), within `window_ms`;
               the symptom may be noticed up to `skew_ms` before the source's first error,
               because fast errors are seen sooner
    named      messages of the target name the source as what failed
    learned    the two rose together often enough before (see correlation.py)
    layers     the target declares nothing, and the source's layer is deeper

The first of these that says anything about a target is believed, and of several sources the
nearest. A service that merely warns is no cause of errors that began at the same moment, and where
one that needs it erred clearly before, it follows from that one (it is flooded). Where every
error of both has a trace, and none is of the same request, a declaration says nothing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec

from faultstream.core.blame import blamed
from faultstream.core.correlate import dependencies
from faultstream.core.correlation import joined
from faultstream.core.incident import EnvironmentState, Rise
from faultstream.core.policy import Topology

How = Literal["left", "parent", "trace", "declared", "named", "learned", "layers", "silent"]

_CLEAR_MS: Final = 5_000
_TRACES: Final = 3


class Step(msgspec.Struct, frozen=True):
    """An edge between two services, and why it is believed."""

    source: str
    target: str
    lag_ms: int
    how: How


class View:
    """What rises together, by onset, and how to look it up; `needs` is what each of them depends
    on, directly or not, with the number of steps."""

    def __init__(self, topology: Topology, state: EnvironmentState, rises: Iterable[Rise]) -> None:
        self.topology = topology
        self.state = state
        self.policy = topology.detectors.cascade
        self.rises = sorted(rises, key=lambda one: (one.onset_ms, one.service))
        self.of = {one.service: one for one in self.rises}
        self.needs = {one.service: dependencies(topology, one.service) for one in self.rises}
        wanted = {event_id for one in self.rises for event_id in one.parents}
        self._of_event = _index(self.rises, wanted, lambda one: one.evidence)
        self._of_trace = _index(self.rises, _shared(self.rises), lambda one: one.traces)
        self._traced = {
            one.service for found in self._of_trace.values() for one in found if _seen(one)
        }
        self._learned: dict[str, list[str]] = {}
        for name, link in state.links.items():
            if link.count >= topology.detectors.correlation.count:
                first, _, second = name.partition(">")
                self._learned.setdefault(first, []).append(second)
                self._learned.setdefault(second, []).append(first)
        self._depth = {name: layer.depth for name, layer in topology.layers.items()}
        self._at: dict[int, list[Rise]] = {}
        for one in self.rises:
            self._at.setdefault(self._depth.get(one.layer, -1), []).append(one)

    def steps(self) -> list[Step]:
        """The steps between all of them."""
        return [step for one in self.rises for step in self._into(one)]

    def _into(self, target: Rise) -> list[Step]:
        if target.left:
            return self._by_leaving(target)
        return (
            self._by_parents(target)
            or self._by_traces(target)
            or self._declared(target)
            or self._by_names(target)
            or self._by_learning(target)
            or self._by_layers(target)
        )

    def _by_leaving(self, target: Rise) -> list[Step]:
        """From those that need it, whenever it was: they did not wait."""
        near = [
            one
            for one in self.rises
            if target.service in self.needs[one.service]
            and not one.left
            and abs(target.onset_ms - one.onset_ms) <= self.policy.window_ms
        ]
        least = min((self.needs[one.service][target.service] for one in near), default=0)
        found = [one for one in near if self.needs[one.service][target.service] == least]
        if not found:
            shared = self._near(target.traces, self._of_trace, target)
            found = [one for one in shared if one.service not in self.needs[target.service]]
        return [_step(one, target, "left") for one in found]

    def _by_names(self, target: Rise) -> list[Step]:
        found = [self.of[name] for name in self.named(target) if name in self.of]
        return [
            _step(one, target, "named")
            for one in found
            if one.onset_ms - target.felt_ms <= self.policy.skew_ms
            and target.onset_ms - one.onset_ms <= self.policy.window_ms
            and target.service not in self.named(one)
        ]

    def named(self, one: Rise) -> list[str]:
        """The services that messages of `one` name as what failed it."""
        return blamed(self.topology, self.of, self.needs, one) if one.named else []

    def _near(self, ids: Sequence[str], where: Mapping[str, list[Rise]], to: Rise) -> list[Rise]:
        """Others that have one of the ids, by onset: they rise at the same time."""
        found = {one.service: one for name in ids for one in where.get(name, ()) if one is not to}
        near = (one for one in found.values() if not one.left or to.left)
        return sorted(near, key=lambda one: (one.onset_ms, one.service))

    def _by_parents(self, target: Rise) -> list[Step]:
        found = self._near(target.parents, self._of_event, target)
        return [_step(one, target, "parent") for one in found]

    def _by_traces(self, target: Rise) -> list[Step]:
        shared = self._near(target.traces, self._of_trace, target)
        needs = self.needs[target.service]
        found = [one for one in shared if one.service in needs and not _milder(one, target)]
        if found:
            return self._nearest(found, target, "trace")
        before = [one for one in shared if one.service not in needs and self._precedes(one, target)]
        return [_step(before[-1], target, "trace")] if before else []

    def _precedes(self, one: Rise, target: Rise) -> bool:
        """Whether the target's part in a request may follow from that of a service it does not
        need: it rose later, or is needed itself and merely warns (it was cancelled, or flooded)."""
        if target.service in self.needs[one.service]:
            return _milder(target, one)
        return (one.onset_ms, one.service) < (target.onset_ms, target.service)

    def _declared(self, target: Rise) -> list[Step]:
        needed = (self.of.get(name) for name in self.needs[target.service])
        near = [
            one
            for one in needed
            if one is not None
            and one.onset_ms - target.felt_ms <= self.policy.skew_ms
            and target.onset_ms - one.onset_ms <= self.policy.window_ms
            and not one.left
            and not _milder(one, target)
            and not self._apart(one, target)
        ]
        if target.severity == "low" and all(one.severity == "low" for one in near):
            return self._flooded(target) or self._nearest(near, target, "declared")
        return self._nearest(near, target, "declared")

    def _flooded(self, target: Rise) -> list[Step]:
        """From those that need the target, which only warns, and erred clearly before it."""
        near = [
            (self.needs[one.service][target.service], one)
            for one in self.rises
            if target.service in self.needs[one.service]
            and one.severity != "low"
            and _CLEAR_MS <= target.onset_ms - one.onset_ms <= self.policy.window_ms
            and not self._apart(one, target)
        ]
        least = min((steps for steps, _ in near), default=0)
        return [_step(one, target, "declared") for steps, one in near if steps == least]

    def _apart(self, one: Rise, other: Rise) -> bool:
        """Whether all requests that failed in both are known, several, and none is the same; one
        of them shares traces with a third, so ids are handed on."""
        return (
            (one.service in self._traced or other.service in self._traced)
            and _seen(one)
            and _seen(other)
            and max(len(one.traces), len(other.traces)) >= _TRACES
            and set(one.traces).isdisjoint(other.traces)
        )

    def _nearest(self, found: Sequence[Rise], target: Rise, how: How) -> list[Step]:
        needs = self.needs[target.service]
        least = min((needs[one.service] for one in found), default=0)
        return [_step(one, target, how) for one in found if needs[one.service] == least]

    def _by_learning(self, target: Rise) -> list[Step]:
        for name in self._learned.get(target.service, ()):
            one = self.of.get(name)
            if one is None or one.left:
                continue
            if 0 <= target.onset_ms - one.onset_ms <= self.policy.window_ms and joined(
                self.topology, self.state, name, target.service
            ):
                return [_step(one, target, "learned")]
        return []

    def _by_layers(self, target: Rise) -> list[Step]:
        depth = self._depth.get(target.layer, -1)
        if depth < 0 or self.needs[target.service]:
            return []
        deeper = [
            (below, -one.onset_ms, one.service)
            for one, below in self._deeper(target, depth)
            if target.service not in self.needs[one.service]
        ]
        return [_step(self.of[min(deeper)[2]], target, "layers")] if deeper else []

    def _deeper(self, target: Rise, depth: int) -> Iterator[tuple[Rise, int]]:
        """Those of deeper layers that rose shortly before, with their depth."""
        since_ms = target.onset_ms - self.policy.layer_window_ms
        for below, rises in self._at.items():
            if below > depth:
                first = bisect_left(rises, since_ms, key=_onset)
                for one in rises[first : bisect_right(rises, target.onset_ms, key=_onset)]:
                    if not one.left:
                        yield one, below


def _shared(rises: Iterable[Rise]) -> set[str]:
    """The traces that more than one of them has."""
    seen: set[str] = set()
    shared: set[str] = set()
    for one in rises:
        shared |= seen.intersection(one.traces)
        seen.update(one.traces)
    return shared


def _index(
    rises: Iterable[Rise], wanted: set[str], ids: Callable[[Rise], Sequence[str]]
) -> dict[str, list[Rise]]:
    """Who has each of the ids that somebody will ask for, by onset."""
    found: dict[str, list[Rise]] = {}
    for one in rises:
        if not wanted.isdisjoint(ids(one)):
            for name in ids(one):
                if name in wanted:
                    found.setdefault(name, []).append(one)
    return found


def _onset(rise: Rise) -> int:
    return rise.onset_ms


def _milder(source: Rise, target: Rise) -> bool:
    """Whether the source only warns, the target errs, and the source was not clearly first."""
    if source.severity != "low" or target.severity == "low":
        return False
    return target.onset_ms - source.onset_ms < _CLEAR_MS


def _seen(rise: Rise) -> bool:
    """Whether what is kept of it shows the traces of all its errors."""
    events = max(rise.patterns.values(), default=0)
    return events <= len(rise.evidence) <= len(rise.traces)


def _step(source: Rise, target: Rise, how: How) -> Step:
    return Step(source.service, target.service, target.onset_ms - source.onset_ms, how)
