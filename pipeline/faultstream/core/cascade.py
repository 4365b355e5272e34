"""Cascade: which fault follows from which, across the services of an environment (rows P3, P7).

A service rises when one of its patterns says that something began (rise.py). Rises are joined by
steps from the service a fault comes from to the one it reaches (steps.py), and have a root
(roots.py), which may itself be silent. By layers alone it takes three layers in order, and by
what was learned more than errors that merely recur.

Patterns of kind `cascade` and `correlation` are made here; they are told when their services or
their root change, and closed when fewer than two of them are still rising.

Looking is dear, so it is done once for all that changed since the last tick, and at once only when
a pattern is new and may be related to another (related.py), PROMPT times a tick at most.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from faultstream.core.correlation import learn, times, together
from faultstream.core.ids import derive
from faultstream.core.incident import (
    MEMORY_MS,
    EnvironmentState,
    Own,
    Remembered,
    Rise,
    involved,
)
from faultstream.core.policy import Topology
from faultstream.core.records import Affected, Edge, Pattern
from faultstream.core.related import related
from faultstream.core.rise import absorb, begin, rising
from faultstream.core.roots import components, root_of, silent
from faultstream.core.severity import worst
from faultstream.core.steps import How, Step, View

PROMPT: Final = 4
"""So often between two ticks the cascades are looked for at once, because what a new pattern
follows from decides what is done about it; later ones wait for the tick."""
_LAYERS: Final = 3
_DOUBT: Final[dict[How, float]] = {
    "left": 0.6,
    "parent": 0.05,
    "trace": 0.1,
    "named": 0.3,
    "declared": 0.3,
    "learned": 0.4,
    "layers": 0.55,
    "silent": 0.6,
}


def heed(topology: Topology, state: EnvironmentState, pattern: Pattern) -> list[Pattern]:
    """Takes a pattern's news in; the cascades and correlations that changed at once."""
    if not topology.detectors.cascade.enabled:
        return []
    key = f"{pattern.experiment_id}/{pattern.service}"
    rise = state.rises.get(key)
    if pattern.state == "closed":
        return [] if rise is None else _fell(state, key, rise, pattern.pattern_id)
    if rise is None:
        if not rising(pattern):
            return []
        rise = begin(state, key, pattern)
        before = learn(topology, state, rise)
        return [*_news(topology, state, rise), *together(topology, state, rise, before)]
    known = pattern.pattern_id in rise.patterns
    if not (known or rising(pattern)) or not absorb(rise, pattern):
        return []
    return _news(topology, state, rise, wait=known)


def look(topology: Topology, state: EnvironmentState) -> list[Pattern]:
    """Looks for cascades among what has changed since the last tick; those that changed."""
    state.prompt = 0
    unseen, state.unseen = state.unseen, {}
    return [one for name in unseen for one in _find(topology, state, name)]


def _news(
    topology: Topology, state: EnvironmentState, rise: Rise, *, wait: bool = False
) -> list[Pattern]:
    """A pattern is new: looks at once if that may matter; else, or told to `wait`, at the tick."""
    state.unseen[rise.experiment_id] = True
    if wait or state.prompt >= PROMPT or not related(topology, state, rise):
        return []
    state.prompt += 1
    del state.unseen[rise.experiment_id]
    return _find(topology, state, rise.experiment_id)


def _fell(state: EnvironmentState, key: str, rise: Rise, pattern_id: str) -> list[Pattern]:
    """A pattern has closed; with its last one a service rises no more."""
    if rise.patterns.pop(pattern_id, None) is None or rise.patterns:
        return []
    del state.rises[key]
    return _ended(state, rise)


def _find(topology: Topology, state: EnvironmentState, experiment_id: str) -> list[Pattern]:
    """The cascades among what rises, with those that changed said again."""
    mates = [one for one in state.rises.values() if one.experiment_id == experiment_id]
    view = View(topology, state, mates)
    steps = view.steps()
    steps += silent(view, steps)
    out: list[Pattern] = []
    before = [
        own.pattern
        for own in state.own.values()
        if own.pattern.kind == "cascade" and own.pattern.experiment_id == experiment_id
    ]
    for names in _held_together(components(steps), before):
        mine = [one for one in steps if one.target in names]
        members = [one for one in view.rises if one.service in names]
        if not _believed(members, mine):
            continue
        known = [one for one in before if names.intersection(one.affected.services)]
        out += [close(state, other) for other in known[1:]]
        pattern = _cascade(topology, state, members, mine, known[0] if known else None)
        if known and _face(known[0]) == _face(pattern):
            continue
        state.own[pattern.pattern_id] = Own(pattern=pattern)
        out.append(pattern)
    return out


def _face(one: Pattern) -> tuple[Affected, str, str, str]:
    """What makes a cascade worth telling again when it changes."""
    return (one.affected, one.root, one.severity, one.error_type)


def _held_together(found: list[set[str]], before: Sequence[Pattern]) -> list[set[str]]:
    """Services that were in one cascade stay in one, though what joined them rises no more."""
    for one in before:
        touched = [names for names in found if names.intersection(one.affected.services)]
        for names in touched[1:]:
            found.remove(names)
            touched[0] |= names
    return found


def _believed(members: Sequence[Rise], steps: Sequence[Step]) -> bool:
    """Whether it is more than what may happen side by side."""
    ways = {one.how for one in steps}
    if ways == {"layers"}:
        return len({one.layer for one in members}) >= _LAYERS
    return ways != {"learned"} or any(one.strong for one in members)


def _cascade(
    topology: Topology,
    state: EnvironmentState,
    members: Sequence[Rise],
    steps: Sequence[Step],
    known: Pattern | None,
) -> Pattern:
    """The record of a cascade, or the next revision of the one that is `known`."""
    experiment_id = members[0].experiment_id
    edges = [
        Edge(one.source, one.target, one.lag_ms, times(state, one.source, one.target))
        for one in sorted(steps, key=lambda one: (one.lag_ms, one.source, one.target))
    ]
    explained = {one.target for one in edges}
    rising_now = {one.service: one for one in members}
    before: list[str] = []
    if known is not None:
        here = {one.service for one in state.rises.values() if one.experiment_id == experiment_id}
        edges += [
            one
            for one in known.edges
            if one.target not in explained and not here.issuperset((one.source, one.target))
        ]
        joined = {name for one in edges for name in (one.source, one.target)}
        before = [one for one in known.affected.services if one in joined or one not in here]
    root = root_of(members, edges)
    first = rising_now.get(root)
    silent_root = first is None and any(one.source == root for one in steps)
    policy = topology.services.get(root)
    layer = first.layer if first is not None else policy.layer if policy is not None else ""
    touched = [one.service for one in members if not one.left]
    names = dict.fromkeys([*before, root, *touched])
    doubt = 1.0
    for one in steps:
        doubt *= _DOUBT[one.how]
    severity = members[0].severity
    for rise in members:
        severity = worst(severity, rise.severity)
    onsets = [one.onset_ms for one in members]
    way = ", ".join(f"{one.source} > {one.target} ({one.how})" for one in steps[:5])
    told = f"{root}, which says nothing itself" if silent_root else root
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
        layer=layer,
        error_type=first.error_type if first else known.error_type if known else "",
        category=first.category if first else known.category if known else "",
        severity=severity,
        first_at_ms=min(onsets),
        last_at_ms=max(one.last_ms for one in members),
        detected_at_ms=max(onsets),
        count=sum(max(one.patterns.values(), default=0) for one in members),
        confidence=round(min(0.99, 1 - doubt), 4),
        affected=Affected(tuple(names), _layers(members, known)),
        edges=edges,
        root=root,
        evidence=[event_id for one in members for event_id in one.evidence[:2]][:10],
        reason=f"{len(names)} services one after the other, from {told}: {way}",
        experiment_id=experiment_id,
    )


def _layers(members: Sequence[Rise], known: Pattern | None) -> tuple[str, ...]:
    """The layers that were touched."""
    now = {one.layer for one in members if one.layer}
    return tuple(sorted(now.union(known.affected.layers if known else ())))


def _ended(state: EnvironmentState, rise: Rise) -> list[Pattern]:
    """Closes what fewer than two rising services are left of, now that `rise` has ended."""
    out: list[Pattern] = []
    for own in tuple(state.own.values()):
        pattern = own.pattern
        names = involved(pattern)
        if rise.service not in names or rise.experiment_id != pattern.experiment_id:
            continue
        last_ms = max(pattern.last_at_ms, rise.last_ms)
        pattern = own.pattern = msgspec.structs.replace(pattern, last_at_ms=last_ms)
        left = [one for one in names if f"{pattern.experiment_id}/{one}" in state.rises]
        if pattern.kind in {"cascade", "correlation"} and len(left) <= 1:
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
