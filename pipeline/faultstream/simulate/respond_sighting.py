"""Sightings: what detection tells of a fault in a recovery simulation.

It opens a pattern at the third error, tells the rate of the last five seconds every two seconds,
and closes it fifteen seconds after the last error, which is what the detectors do by default.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from faultstream.core.group import Group
from faultstream.core.ids import derive
from faultstream.core.records import Pattern, PatternState

_COUNT: Final = 3
_RATE_MS: Final = 5_000
_UPDATE_MS: Final = 2_000
_QUIET_MS: Final = 15_000


class Sighting:
    """One error at one service, from its first event on. `over`: it was told that it has closed, or
    nothing came of it."""

    def __init__(self, group: Group, service: str, layer: str, key: str) -> None:
        self._group = group
        self._service = service
        self._layer = layer
        self._id = derive("simulated-pattern", key)
        self._recent: deque[tuple[int, int]] = deque()
        self._first_ms = 0
        self._last_ms = 0
        self._told_ms = 0
        self._count = 0
        self._revision = 0
        self.over = False

    def add(self, count: int, now_ms: int) -> None:
        """So many errors came, evenly over the second before."""
        self._first_ms = self._first_ms or now_ms - 1_000 * count // (count + 1)
        self._last_ms = now_ms
        self._count += count
        self._recent.append((now_ms, count))

    def step(self, now_ms: int) -> Iterator[Pattern]:
        """What there is to tell at this moment."""
        while self._recent and self._recent[0][0] <= now_ms - _RATE_MS:
            self._recent.popleft()
        if now_ms - self._last_ms >= _QUIET_MS:
            self.over = True
            if self._revision:
                yield self._pattern("closed", now_ms)
        elif self._revision == 0 and self._count >= _COUNT:
            yield self._pattern("open", now_ms)
        elif self._revision and now_ms - self._told_ms >= _UPDATE_MS:
            yield self._pattern("updated", now_ms)

    def _pattern(self, state: PatternState, now_ms: int) -> Pattern:
        self._revision += 1
        self._told_ms = now_ms
        verdict = self._group.verdict
        rate = sum(count for _, count in self._recent) * 1_000 / _RATE_MS
        return Pattern(
            pattern_id=self._id,
            revision=self._revision,
            kind="recurring",
            state=state,
            environment="production",
            service=self._service,
            layer=self._layer,
            fingerprint=f"{self._service}-{self._group.fingerprint}",
            error_type=self._group.error_type,
            category=verdict.category,
            severity=verdict.severity,
            transient=verdict.transient,
            first_at_ms=self._first_ms,
            last_at_ms=self._last_ms,
            detected_at_ms=now_ms,
            closed_at_ms=now_ms if state == "closed" else None,
            count=self._count,
            rate=rate,
            reason=f"{self._count} errors",
        )
