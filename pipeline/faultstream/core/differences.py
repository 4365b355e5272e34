"""Differences: what two runs over the same events say differently (row A8).

A run is what one topology makes of the events: a group per event, the last revision of every
pattern, incidents and commands. Patterns are the same when their ids are, or when they are of one
kind, service and fingerprint and overlap in time: another threshold may open one a little earlier.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from faultstream.core.group import Group
from faultstream.core.records import Incident, Pattern, RecoveryCommand

KINDS: Final = ("verdicts", "groups", "patterns", "incidents", "commands")
_VERDICT: Final = ("domain", "category", "severity", "transient", "http_status")
_PATTERN: Final = ("severity", "category", "root")


class Ran(msgspec.Struct):
    """One run. `groups` has each event's group by event id; `incidents` their last revisions."""

    groups: dict[str, Group]
    patterns: list[Pattern]
    incidents: list[Incident]
    commands: list[RecoveryCommand]


class Change(msgspec.Struct, kw_only=True):
    """One difference. `what` names it for people; current and candidate are what each says, None
    when it says nothing. `count` events, patterns or commands are concerned. `at_ms` is when it
    began, 0 where it is about no one moment."""

    what: str
    current: Any
    candidate: Any
    count: int = 1
    example: str = ""
    at_ms: int = 0


def compare(current: Ran, candidate: Ran) -> dict[str, list[Change]]:
    """Every difference, by kind; the most frequent first."""
    return {
        "verdicts": _verdicts(current.groups, candidate.groups),
        "groups": _groups(current.groups, candidate.groups),
        "patterns": _patterns(current.patterns, candidate.patterns),
        "incidents": _incidents(current.incidents, candidate.incidents),
        "commands": _commands(current.commands, candidate.commands),
    }


def _verdicts(current: Mapping[str, Group], candidate: Mapping[str, Group]) -> list[Change]:
    """Events that are judged differently, by type and what changed."""
    found: dict[tuple[Any, ...], Change] = {}
    for event_id, group in current.items():
        old, new = group.verdict, candidate[event_id].verdict
        fields = [name for name in _VERDICT if getattr(old, name) != getattr(new, name)]
        if not fields:
            continue
        was = {name: getattr(old, name) for name in fields}
        now = {name: getattr(new, name) for name in fields}
        key = (group.error_type, *was.items(), *now.items())
        known = found.get(key)
        if known is not None:
            known.count += 1
            continue
        found[key] = Change(what=group.error_type, current=was, candidate=now, example=event_id)
    return _by_count(found.values())


def _groups(current: Mapping[str, Group], candidate: Mapping[str, Group]) -> list[Change]:
    """Groups of either run whose events are in several groups of the other."""
    olds: dict[str, Counter[str]] = defaultdict(Counter)
    news: dict[str, Counter[str]] = defaultdict(Counter)
    face: dict[str, tuple[str, str]] = {}
    for event_id, group in current.items():
        old, new = group.fingerprint, candidate[event_id].fingerprint
        olds[old][new] += 1
        news[new][old] += 1
        face.setdefault(old, (group.error_type, event_id))
        face.setdefault(new, (candidate[event_id].error_type, event_id))
    split = [
        _parted("split", name, into, face, old=True) for name, into in olds.items() if len(into) > 1
    ]
    merged = [
        _parted("merged", name, of, face, old=False) for name, of in news.items() if len(of) > 1
    ]
    return _by_count([*split, *merged])


def _parted(
    how: str, name: str, others: Counter[str], face: Mapping[str, tuple[str, str]], *, old: bool
) -> Change:
    error_type, event_id = face[name]
    return Change(
        what=f"{how}: {error_type}",
        current=[name] if old else sorted(others),
        candidate=sorted(others) if old else [name],
        count=sum(others.values()),
        example=event_id,
    )


def _patterns(current: Sequence[Pattern], candidate: Sequence[Pattern]) -> list[Change]:
    """Patterns of one run only, and those that differ in more than numbers."""
    left = {one.pattern_id: one for one in candidate}
    pairs: list[tuple[Pattern | None, Pattern | None]] = []
    alone: list[Pattern] = []
    for one in current:
        same = left.pop(one.pattern_id, None)
        if same is None:
            alone.append(one)
        else:
            pairs.append((one, same))
    near: dict[tuple[str, str, str, str], list[Pattern]] = defaultdict(list)
    for one in left.values():
        near[_place(one)].append(one)
    for one in alone:
        mates = near[_place(one)]
        same = next((other for other in mates if _overlap(one, other)), None)
        if same is not None:
            mates.remove(same)
        pairs.append((one, same))
    pairs += [(None, one) for mates in near.values() for one in mates]
    return _by_count([change for pair in pairs if (change := _changed(*pair)) is not None])


def _place(one: Pattern) -> tuple[str, str, str, str]:
    return (one.kind, one.environment, one.service, one.fingerprint)


def _overlap(one: Pattern, other: Pattern) -> bool:
    return one.first_at_ms <= (other.closed_at_ms or other.last_at_ms) and other.first_at_ms <= (
        one.closed_at_ms or one.last_at_ms
    )


def _changed(old: Pattern | None, new: Pattern | None) -> Change | None:
    one = old or new
    if one is None:
        return None
    fields = [
        name for name in _PATTERN if old is None or new is None or _of(old, name) != _of(new, name)
    ]
    if not fields:
        return None
    return Change(
        what=f"{one.kind} of {one.service}" + (f", {one.error_type}" if one.error_type else ""),
        current=old and {"count": old.count, **{name: _of(old, name) for name in fields}},
        candidate=new and {"count": new.count, **{name: _of(new, name) for name in fields}},
        count=one.count,
        example=one.evidence[0] if one.evidence else "",
        at_ms=one.first_at_ms,
    )


def _of(one: Pattern, name: str) -> Any:
    return getattr(one, name)


def _incidents(current: Iterable[Incident], candidate: Iterable[Incident]) -> list[Change]:
    """How many incidents each root service has by their end, where that differs."""
    olds = Counter((one.environment, one.root, one.state) for one in current)
    news = Counter((one.environment, one.root, one.state) for one in candidate)
    return _counted(olds, news, lambda key: f"{key[1]}: {key[2]}")


def _commands(
    current: Iterable[RecoveryCommand], candidate: Iterable[RecoveryCommand]
) -> list[Change]:
    """How often each strategy would be commanded with the same parameters, where that differs."""
    return _counted(
        Counter(map(_order, current)),
        Counter(map(_order, candidate)),
        lambda key: f"{key[2]} at {key[1]} ({key[3]})",
    )


def _order(one: RecoveryCommand) -> tuple[str, ...]:
    words = ", ".join(f"{name} {value}" for name, value in sorted(one.parameters.items()))
    return (one.target.environment, one.target.service, one.strategy, words)


def _counted(olds: Counter[Any], news: Counter[Any], name: Any) -> list[Change]:
    return _by_count(
        Change(
            what=name(key),
            current=olds[key] or None,
            candidate=news[key] or None,
            count=abs(olds[key] - news[key]),
        )
        for key in sorted({*olds, *news})
        if olds[key] != news[key]
    )


def _by_count(changes: Iterable[Change]) -> list[Change]:
    return sorted(changes, key=lambda one: (-one.count, one.what, one.example))
