"""Rise: a service in which something began, beyond what is usual, and lasts.

Bounded: MAX_RISES services per environment (the longest one goes first), MAX_SEEN ids of each
kind per rise (half of them the first, half the newest).
"""

from typing import Final

from faultstream.core.incident import EnvironmentState, Rise
from faultstream.core.records import Pattern
from faultstream.core.severity import worst

MAX_RISES: Final = 200
MAX_SEEN: Final = 40
_TIGHT_MS: Final = 5_000
_FRESH_MS: Final = 600_000
_STRONG: Final = frozenset({"burst", "high_rate", "degradation", "critical"})


def rising(pattern: Pattern) -> bool:
    """Whether a pattern says that something began."""
    if pattern.kind in _STRONG:
        return True
    span_ms = pattern.last_at_ms - pattern.first_at_ms
    return pattern.kind == "recurring" and span_ms <= _FRESH_MS


def onset(pattern: Pattern) -> int:
    """When it began: at its first event, unless ordinary ones may have been counted before."""
    if pattern.kind == "recurring":
        return pattern.first_at_ms
    if pattern.kind == "degradation" or pattern.detected_at_ms - pattern.first_at_ms > _TIGHT_MS:
        return pattern.detected_at_ms
    return pattern.first_at_ms


def begin(state: EnvironmentState, key: str, pattern: Pattern) -> Rise:
    """A service begins to rise."""
    if len(state.rises) >= MAX_RISES:
        del state.rises[min(state.rises, key=lambda one: (state.rises[one].onset_ms, one))]
    rise = state.rises[key] = Rise(
        service=pattern.service,
        layer=pattern.layer,
        experiment_id=pattern.experiment_id,
        onset_ms=onset(pattern),
        patterns={},
        severity=pattern.severity,
        category=pattern.category,
        error_type=pattern.error_type,
        evidence=[],
        felt_ms=pattern.detected_at_ms,
        left=True,
    )
    absorb(rise, pattern)
    return rise


def absorb(rise: Rise, pattern: Pattern) -> bool:
    """Takes a revision in. Whether there is anything in it that may change a cascade."""
    fresh = pattern.pattern_id not in rise.patterns
    if not fresh and not rising(pattern):
        return False
    rise.patterns[pattern.pattern_id] = pattern.count
    rise.last_ms = max(rise.last_ms, pattern.last_at_ms)
    news = False
    if fresh:
        rise.severity = worst(rise.severity, pattern.severity)
        rise.category = rise.category or pattern.category
        rise.error_type = rise.error_type or pattern.error_type
        if pattern.kind in _STRONG and not rise.strong:
            rise.strong = news = True
        if rise.left and not pattern.left:
            rise.left, news = False, True
        if onset(pattern) < rise.onset_ms:
            rise.onset_ms = onset(pattern)
            news = True
        if pattern.detected_at_ms < rise.felt_ms:
            rise.felt_ms = pattern.detected_at_ms
            news = True
    _more(rise.evidence, pattern.evidence)
    traced = _more(rise.traces, pattern.traces)
    named = _more(rise.named, pattern.named)
    return _more(rise.parents, pattern.parents) or traced or named or news


def _more(seen: list[str], found: list[str]) -> bool:
    """Adds what is new, within the bound: the oldest of the newer half give way."""
    new = [one for one in found if one not in seen]
    seen += new
    del seen[MAX_SEEN // 2 : max(MAX_SEEN // 2, len(seen) - MAX_SEEN // 2)]
    return bool(new)
