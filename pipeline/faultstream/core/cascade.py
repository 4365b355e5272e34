"""Cascade: which fault follows from which, across the services of an environment (rows P3, P7).

A service rises when one of its patterns says that something began: the onset. Onsets are joined
by edges, from the service a fault comes from to the one it reaches:

    declared   the target depends on the source (`services.*.depends_on`), within `window_ms`;
               the symptom may show up to `skew_ms` first, because fast errors are seen sooner
    learned    the two rose together often enough before (see correlation.py)
    layers     the target declares nothing, and the source's layer is deeper

Two services joined by a declared or learned edge are a cascade; by layers alone it takes three
layers in order. Its root is the service that most others follow from. Patterns of kind
`cascade` and `correlation` are made here; they are told when their services change, and closed
when fewer than two of them are still rising. Bounded by the MAX_ constants.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from faultstream.core.correlate import dependencies
from faultstream.core.correlation import joined, learn, times, together
from faultstream.core.ids import derive
from faultstream.core.incident import MEMORY_MS, EnvironmentState, Own, Remembered, Rise
from faultstream.core.policy import Topology
from faultstream.core.records import Affected, Edge, Pattern
from faultstream.core.severity import worst

MAX_RISES: Final = 200
_TIGHT_MS: Final = 5_000
_FRESH_MS: Final = 60_000
_LAYERS: Final = 3
_DOUBT: Final = {"declared": 0.3, "learned": 0.4, "layers": 0.55}

_How = Literal["declared", "learned", "layers"]


class Step(msgspec.Struct, frozen=True):
    """An edge between two rising services, and why it is believed."""

    source: str
    target: str
    lag_ms: int
    how: _How


def rising(pattern: Pattern) -> bool:
    """Whether a pattern says that something began, beyond what is usual."""
    if pattern.kind in {"burst", "high_rate", "degradation", "critical"}:
        return True
    span_ms = pattern.last_at_ms - pattern.first_at_ms
    return pattern.kind == "recurring" and span_ms <= _FRESH_MS


def onset(pattern: Pattern) -> int:
    """When it began: at its first event, unless that is from long before it was completed."""
    if pattern.kind == "degradation" or pattern.detected_at_ms - pattern.first_at_ms > _TIGHT_MS:
        return pattern.detected_at_ms
    return pattern.first_at_ms


def heed(topology: Topology, state: EnvironmentState, pattern: Pattern) -> list[Pattern]:
    """Takes a pattern's news in; the cascades and correlations that changed."""
    if not topology.detectors.cascade.enabled:
        return []
    key = f"{pattern.experiment_id}/{pattern.service}"
    if pattern.state == "closed":
        return _fell(state, key, pattern.pattern_id)
    if not rising(pattern):
        return []
    rise = state.rises.get(key)
    if rise is None:
        return _rose(topology, state, key, pattern)
    fresh = pattern.pattern_id not in rise.patterns
    rise.patterns[pattern.pattern_id] = pattern.count
    if fresh:
        rise.severity = worst(rise.severity, pattern.severity)
        rise.category = rise.category or pattern.category
        rise.error_type = rise.error_type or pattern.error_type
    if not fresh or onset(pattern) >= rise.onset_ms:
        return []
    rise.onset_ms = onset(pattern)
    return _find(topology, state, rise.experiment_id)


def _fell(state: EnvironmentState, key: str, pattern_id: str) -> list[Pattern]:
    """A pattern has closed; with its last one a service rises no more."""
    rise = state.rises.get(key)
    if rise is None or rise.patterns.pop(pattern_id, None) is None or rise.patterns:
        return []
    del state.rises[key]
    return _ended(state)


def _rose(topology: Topology, state: EnvironmentState, key: str, pattern: Pattern) -> list[Pattern]:
    """A service begins to rise."""
    if len(state.rises) >= MAX_RISES:
        del state.rises[min(state.rises, key=lambda one: (state.rises[one].onset_ms, one))]
    rise = state.rises[key] = Rise(
        service=pattern.service,
        layer=pattern.layer,
        experiment_id=pattern.experiment_id,
        onset_ms=onset(pattern),
        patterns={pattern.pattern_id: pattern.count},
        severity=pattern.severity,
        category=pattern.category,
        error_type=pattern.error_type,
        evidence=pattern.evidence[:2],
    )
    before = learn(topology, state, rise)
    return [*_find(topology, state, rise.experiment_id), *together(topology, state, rise, before)]


def _sources(
    topology: Topology, state: EnvironmentState, rises: Sequence[Rise], target: Rise
) -> list[Step]:
    """The edges into `target`: the nearest declared ones, else learned, else by layers."""
    policy = topology.detectors.cascade
    above = dependencies(topology, target.service)
    lags = [(one, target.onset_ms - one.onset_ms) for one in rises if one is not target]
    near = [
        (above[one.service], one, lag)
        for one, lag in lags
        if one.service in above and -policy.skew_ms <= lag <= policy.window_ms
    ]
    if near:
        least = min(steps for steps, _, _ in near)
        return [
            Step(one.service, target.service, lag, "declared")
            for steps, one, lag in near
            if steps == least
        ]
    for one, lag in lags:
        if 0 <= lag <= policy.window_ms and joined(topology, state, one.service, target.service):
            return [Step(one.service, target.service, lag, "learned")]
    depth = _depth(topology, target.layer)
    own = topology.services.get(target.service)
    declared = own is not None and own.depends_on
    deeper = [
        (_depth(topology, one.layer), -one.onset_ms, one.service, lag)
        for one, lag in lags
        if 0 <= lag <= policy.layer_window_ms
        and _depth(topology, one.layer) > depth >= 0
        and not declared
        and target.service not in dependencies(topology, one.service)
    ]
    if not deeper:
        return []
    _, _, source, lag = min(deeper)
    return [Step(source, target.service, lag, "layers")]


def _depth(topology: Topology, layer: str) -> int:
    policy = topology.layers.get(layer)
    return -1 if policy is None else policy.depth


def _find(topology: Topology, state: EnvironmentState, experiment_id: str) -> list[Pattern]:
    """The cascades among what rises, with those that changed said again."""
    rises = sorted(
        (one for one in state.rises.values() if one.experiment_id == experiment_id),
        key=lambda one: (one.onset_ms, one.service),
    )
    steps = [step for one in rises for step in _sources(topology, state, rises, one)]
    out: list[Pattern] = []
    taken: set[str] = set()
    for names in _components(steps):
        mine = [one for one in steps if one.target in names]
        layers = {one.layer for one in rises if one.service in names}
        if all(one.how == "layers" for one in mine) and len(layers) < _LAYERS:
            continue
        known = [
            own.pattern
            for pattern_id, own in state.own.items()
            if own.pattern.kind == "cascade"
            and own.pattern.experiment_id == experiment_id
            and pattern_id not in taken
            and names.intersection(own.pattern.affected.services)
        ]
        out += [close(state, other) for other in known[1:]]
        members = [one for one in rises if one.service in names]
        pattern = _cascade(state, members, mine, known[0] if known else None)
        taken.add(pattern.pattern_id)
        if known and (known[0].affected, known[0].root) == (pattern.affected, pattern.root):
            continue
        state.own[pattern.pattern_id] = Own(pattern=pattern)
        out.append(pattern)
    return out


def _components(steps: Sequence[Step]) -> list[set[str]]:
    found: list[set[str]] = []
    for one in steps:
        both = {one.source, one.target}
        for other in [names for names in found if names & both]:
            found.remove(other)
            both |= other
        found.append(both)
    return found


def root_of(members: Sequence[Rise], steps: Sequence[Step]) -> str:
    """The service that most others follow from; of several the earliest."""
    targets = {one.target for one in steps}

    def rank(rise: Rise) -> tuple[bool, int, int, str]:
        reached, front = {rise.service}, [rise.service]
        while front:
            here = front.pop()
            new = [one.target for one in steps if one.source == here and one.target not in reached]
            reached.update(new)
            front += new
        return (rise.service in targets, -len(reached), rise.onset_ms, rise.service)

    return min(members, key=rank).service


def _cascade(
    state: EnvironmentState,
    members: Sequence[Rise],
    steps: Sequence[Step],
    known: Pattern | None,
) -> Pattern:
    """The record of a cascade, or the next revision of the one that is `known`."""
    names = tuple(one.service for one in members)
    experiment_id = members[0].experiment_id
    root = root_of(members, steps)
    first = next(one for one in members if one.service == root)
    edges = [
        Edge(one.source, one.target, one.lag_ms, times(state, one.source, one.target))
        for one in sorted(steps, key=lambda one: (one.lag_ms, one.source, one.target))
    ]
    doubt = 1.0
    for one in steps:
        doubt *= _DOUBT[one.how]
    severity = members[0].severity
    for rise in members:
        severity = worst(severity, rise.severity)
    onsets = [one.onset_ms for one in members]
    way = ", ".join(f"{one.source} > {one.target} ({one.how})" for one in steps[:5])
    if known is None:
        state.cascades += 1
        made = derive(
            "pattern", "cascade", state.environment, members[0].service, onsets[0], state.cascades
        )
    return Pattern(
        pattern_id=known.pattern_id if known else made,
        revision=known.revision + 1 if known else 1,
        kind="cascade",
        state="updated" if known else "open",
        environment=state.environment,
        service=root,
        layer=first.layer,
        error_type=first.error_type,
        category=first.category,
        severity=severity,
        first_at_ms=min(onsets),
        last_at_ms=max(onsets),
        detected_at_ms=max(onsets),
        count=sum(max(one.patterns.values(), default=0) for one in members),
        confidence=round(min(0.99, 1 - doubt), 4),
        affected=Affected(names, tuple(sorted({one.layer for one in members if one.layer}))),
        edges=edges,
        root=root,
        evidence=[event_id for one in members for event_id in one.evidence][:10],
        reason=f"{len(members)} services one after the other, from {root}: {way}",
        experiment_id=experiment_id,
    )


def _ended(state: EnvironmentState) -> list[Pattern]:
    """Closes what fewer than two rising services are left of."""
    out: list[Pattern] = []
    for own in tuple(state.own.values()):
        pattern = own.pattern
        names = pattern.affected.services
        left = [one for one in names if f"{pattern.experiment_id}/{one}" in state.rises]
        if pattern.kind != "recovery_loop" and len(left) <= 1:
            out.append(close(state, pattern))
    return out


def close(state: EnvironmentState, pattern: Pattern) -> Pattern:
    """The last revision of a pattern of our own; earlier ones that come back are known as old."""
    last = msgspec.structs.replace(
        pattern,
        revision=pattern.revision + 1,
        state="closed",
        closed_at_ms=max(pattern.last_at_ms, state.now_ms),
        rate=0.0,
    )
    del state.own[pattern.pattern_id]
    state.gone[pattern.pattern_id] = Remembered(last.revision, state.now_ms + MEMORY_MS)
    return last
