"""P7 correlation: services whose errors rise together, with the lag; learned from the past.

Each time a service rises (see rise.py), those that rose up to `window_ms` before are counted; one
that rises again at once is the same trouble and not counted. Two services are joined when one
followed the other `count` times, in `share_ratio` of the rises of either, and that often is
unlikely for two that rise now and then by themselves. Bounded by MAX_ONSETS and MAX_LINKS; what
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
    before = sorted(
        {
            one[1]: one[0]
            for one in state.onsets
            if one[0] <= rise.onset_ms and one[1] != rise.service and one[2] == rise.experiment_id
        }.items()
    )
    state.starts[rise.service] = state.starts.get(rise.service, 0) + 1
    state.onsets.append((rise.onset_ms, rise.service, rise.experiment_id))
    for source, at_ms in before:
        link = state.links.setdefault(f"{source}>{rise.service}", Link())
        link.count += 1
        link.lag_ms += rise.onset_ms - at_ms
    for table in (state.starts, state.links, state.counted):
        while len(table) > MAX_LINKS:
            del table[next(iter(table))]
    return [source for source, _ in before]


def joined(topology: Topology, state: EnvironmentState, source: str, target: str) -> Link | None:
    """What was learned of two services, if they rise together."""
    policy = topology.detectors.correlation
    link = state.links.get(f"{source}>{target}")
    if link is None or not policy.enabled or link.count < policy.count:
        return None
    ours, theirs = state.starts.get(source, 0), state.starts.get(target, 0)
    if link.count < policy.share_ratio * ours or link.count < policy.share_ratio * theirs:
        return None
    length_ms = max(state.now_ms - state.learning_since_ms, policy.window_ms)
    by_chance = ours * theirs * policy.window_ms / length_ms
    return link if link.count >= unusual(by_chance, by_chance, policy.significance) else None


def times(state: EnvironmentState, source: str, target: str) -> int:
    """How often `target` rose shortly after `source`, 1 at least."""
    link = state.links.get(f"{source}>{target}")
    return 1 if link is None else max(1, link.count)


def together(
    topology: Topology, state: EnvironmentState, rise: Rise, sources: Sequence[str]
) -> list[Pattern]:
    """Correlations with the services that rose shortly before."""
    out: list[Pattern] = []
    for source in sources:
        link = joined(topology, state, source, rise.service)
        other = state.rises.get(f"{rise.experiment_id}/{source}")
        if link is None or other is None:
            continue
        lag_ms = link.lag_ms // link.count
        pattern_id = derive(
            "pattern", "correlation", state.environment, rise.experiment_id,
            source, rise.service, rise.onset_ms,
        )  # fmt: skip
        pattern = Pattern(
            pattern_id=pattern_id,
            revision=1,
            kind="correlation",
            state="open",
            environment=state.environment,
            service=source,
            layer=other.layer,
            severity=worst(rise.severity, other.severity),
            first_at_ms=other.onset_ms,
            last_at_ms=rise.onset_ms,
            detected_at_ms=rise.onset_ms,
            count=link.count,
            confidence=round(1 - 1 / (1 + link.count), 4),
            affected=Affected((source, rise.service)),
            edges=[Edge(source, rise.service, lag_ms, link.count)],
            root=source,
            evidence=[*other.evidence, *rise.evidence][:10],
            reason=f"errors of {rise.service} rose {link.count} times after those of {source}, "
            f"{lag_ms / 1000:.1f} s later on average",
            experiment_id=rise.experiment_id,
        )
        state.own[pattern_id] = Own(pattern=pattern)
        out.append(pattern)
    return out
