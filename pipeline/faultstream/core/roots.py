"""Roots: where the faults of several services began.

Among services that are joined by steps it is the one that most others follow from. Services
that rise at the same time without following from one another may share a dependency that says
nothing itself: it is the root when at least `silent_ratio` of all that depends on it rises.
One that declares no dependencies may name such a root in its messages.
"""

from collections.abc import Sequence

from faultstream.core.incident import Rise
from faultstream.core.records import Edge
from faultstream.core.steps import Step, View


def components(steps: Sequence[Step]) -> list[set[str]]:
    """The sets of services that steps join, in the order of their first step."""
    beside: dict[str, list[str]] = {}
    for one in steps:
        beside.setdefault(one.source, []).append(one.target)
        beside.setdefault(one.target, []).append(one.source)
    found: list[set[str]] = []
    seen: set[str] = set()
    for name in beside:
        if name not in seen:
            found.append(reached(name, beside))
            seen |= found[-1]
    return found


def reached(start: str, following: dict[str, list[str]]) -> set[str]:
    """`start` and all that it leads to."""
    found, front = {start}, [start]
    while front:
        for name in following.get(front.pop(), ()):
            if name not in found:
                found.add(name)
                front.append(name)
    return found


def root_of(members: Sequence[Rise], steps: Sequence[Step | Edge]) -> str:
    """The service that most others follow from, of several the earliest.

    A root that is silent, or rises no more, is none of `members`; only `steps` tell of it.
    """
    targets = {one.target for one in steps}
    onsets = {one.service: one.onset_ms for one in members}
    first = min(onsets.values())
    following: dict[str, list[str]] = {}
    for one in steps:
        following.setdefault(one.source, []).append(one.target)
    names = sorted({*onsets, *following})
    free = [name for name in names if name not in targets] or names
    return min(
        free, key=lambda name: (-len(reached(name, following)), onsets.get(name, first), name)
    )


def silent(view: View, steps: Sequence[Step]) -> list[Step]:
    """Steps from dependencies that say nothing to the latest rises that nothing else explains."""
    followers = {one.target for one in steps}
    free = [one for one in view.rises if not one.left and one.service not in followers]
    out = [
        Step(name, one.service, 0, "named")
        for one in free
        if not view.needs[one.service]
        for name in view.named(one)[:1]
        if name not in view.of
    ]
    told = {one.target for one in out}
    free = [one for one in free if one.strong and one.service not in told]
    if not free or not view.policy.silent_ratio:
        return out
    since_ms = free[-1].onset_ms - view.policy.window_ms
    free = [one for one in free if one.onset_ms >= since_ms and view.needs[one.service]]
    while len(free) > 1:
        root = _shared(view, free)
        if not root:
            break
        out += [
            Step(root, one.service, 0, "silent") for one in free if root in view.needs[one.service]
        ]
        free = [one for one in free if root not in view.needs[one.service]]
    return out


def _shared(view: View, free: Sequence[Rise]) -> str:
    """The silent dependency that explains most, '' if none does or several do as well."""
    steps: dict[str, list[int]] = {}
    for one in free:
        for name, count in view.needs[one.service].items():
            if name not in view.of:
                steps.setdefault(name, []).append(count)
    candidates = {name for name, found in steps.items() if len(found) > 1}
    if not candidates:
        return ""
    users: dict[str, list[bool]] = {name: [] for name in candidates}
    for who, service in view.topology.services.items():
        for name in candidates.intersection(service.depends_on):
            users[name].append(who in view.of)
    ranked = sorted(
        (-len(steps[name]), sum(steps[name]), -sum(found) / len(found), name)
        for name, found in users.items()
        if found and sum(found) >= view.policy.silent_ratio * len(found)
    )
    if not ranked or (len(ranked) > 1 and ranked[0][:3] == ranked[1][:3]):
        return ""
    return ranked[0][3]
