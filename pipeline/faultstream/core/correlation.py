"""P7 correlation: services whose errors rise together, with the lag; learned from the past.

Each time a service rises (see rise.py), those that rose up to `window_ms` before or after are
counted; one that rises again at once is the same trouble and not counted. Two services are joined
when they rose together `count` times, in `share_ratio` of the rises of the one that rises less,
and that often is unlikely for two that rise now and then by themselves. Which comes first is told
by the mean lag, because either may be noticed first. Bounded by MAX_ONSETS and MAX_LINKS; what
was learned first goes first.
"""

from collections.abc import Sequence
from typing import Final

from faultstream.core.detect.baseline import unusual
from faultstream.core.ids import derive
from faultstream.core.incident import EnvironmentState, Link, Own, Rise
from faultstream.core.policy import Topology
from faultstream.core.records import Affected, Edge, Pattern
from faultstream.core.severity import worst

MAX_ONSETS: Final = 200
MAX_LINKS: Final = 2_000
_AGAIN: Final = 3
"""Within this many windows after a rise of a service, another one is the same trouble."""


def learn(topology: Topology, state: EnvironmentState, rise: Rise) -> list[str]:
    """Counts the rise, and the services that rose shortly before it; their names."""
    window = topology.detectors.correlation.window_ms
    if not state.counted:
        state.learning_since_ms = rise.onset_ms
    key = f"{rise.experiment_id}/{rise.service}"
    last_ms = state.counted.pop(key, None)
    state.counted[key] = rise.onset_ms
    if last_ms is not None and rise.onset_ms - last_ms < _AGAIN * window:
        return []
    since = rise.onset_ms - window
    state.onsets = [one for one in state.onsets if one[0] >= since][-MAX_ONSETS:]
    near = sorted(
        {
            one[1]: one[0]
            for one in state.onsets
            if one[0] <= rise.onset_ms + window
            and one[1] != rise.service
            and one[2] == rise.experiment_id
        }.items()
    )
    state.starts[rise.service] = state.starts.get(rise.service, 0) + 1
    state.onsets.append((rise.onset_ms, rise.service, rise.experiment_id))
    for other, at_ms in near:
        link = state.links.setdefault(_pair(other, rise.service), Link())
        link.count += 1
        link.lag_ms += rise.onset_ms - at_ms if other < rise.service else at_ms - rise.onset_ms
    for table in (state.starts, state.links, state.counted):
        while len(table) > MAX_LINKS:
            del table[next(iter(table))]
    return [other for other, _ in near]


def _pair(one: str, other: str) -> str:
    return f"{one}>{other}" if one < other else f"{other}>{one}"


def joined(topology: Topology, state: EnvironmentState, source: str, target: str) -> Link | None:
    """What was learned of two services, if they rise together and `source` comes first; its lags
    are those of `target`."""
    policy = topology.detectors.correlation
    link = state.links.get(_pair(source, target))
    if link is None or not policy.enabled or link.count < policy.count:
        return None
    if link.lag_ms < 0 if source < target else link.lag_ms > 0:
        return None
    ours, theirs = state.starts.get(source, 0), state.starts.get(target, 0)
    if link.count < policy.share_ratio * min(ours, theirs):
        return None
    length_ms = max(state.now_ms - state.learning_since_ms, policy.window_ms)
    by_chance = 2 * ours * theirs * policy.window_ms / length_ms
    return link if link.count >= unusual(by_chance, by_chance, policy.significance) else None


def times(state: EnvironmentState, source: str, target: str) -> int:
    """How often `target` and `source` rose together, 1 at least."""
    link = state.links.get(_pair(source, target))
    return 1 if link is None else max(1, link.count)


def together(
    topology: Topology, state: EnvironmentState, rise: Rise, others: Sequence[str]
) -> list[Pattern]:
    """Correlations with the services that rose about when `rise` did."""
    out: list[Pattern] = []
    for name in others:
        other = state.rises.get(f"{rise.experiment_id}/{name}")
        if other is None:
            continue
        first, second = other, rise
        link = joined(topology, state, first.service, second.service)
        if link is None:
            first, second = rise, other
            link = joined(topology, state, first.service, second.service)
        if link is None:
            continue
        lag_ms = abs(link.lag_ms) // link.count
        source, target = first.service, second.service
        onsets = (first.onset_ms, second.onset_ms)
        pattern_id = derive(
            "pattern", "correlation", state.environment, rise.experiment_id,
            source, target, max(onsets),
        )  # fmt: skip
        pattern = Pattern(
            pattern_id=pattern_id,
            revision=1,
            kind="correlation",
            state="open",
            environment=state.environment,
            service=source,
            layer=first.layer,
            severity=worst(rise.severity, other.severity),
            first_at_ms=min(onsets),
            last_at_ms=max(onsets),
            detected_at_ms=max(onsets),
            count=link.count,
            confidence=round(1 - 1 / (1 + link.count), 4),
            affected=Affected((source, target)),
            edges=[Edge(source, target, lag_ms, link.count)],
            root=source,
            evidence=[*first.evidence, *second.evidence][:10],
            reason=f"errors of {target} rose {link.count} times with those of {source}, "
            f"{lag_ms / 1000:.1f} s later on average",
            experiment_id=rise.experiment_id,
        )
        state.own[pattern_id] = Own(pattern=pattern)
        out.append(pattern)
    return out
