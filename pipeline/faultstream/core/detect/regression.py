"""P6 regression: a fingerprint that was gone is back.

It had come at least `count` times and then stayed away for `absent_ms` or more. That absence must
also be unlikely had nothing changed: with n events in a span s, a gap g has the probability
(1 + g / s) ^ -(n - 1) (Poisson arrivals of unknown rate), which must be below `significance`, over
all of its past and over its latest gaps. So an error that is simply rare, or rarer at night, does
not regress. Event times decide, late events never reach a
settled slot, and an event of an older release than the fingerprint last came in is an instance
that was not updated, not a regression.
"""

from collections.abc import Iterator
from math import log, log1p
from typing import ClassVar

from faultstream.core.detect.ring import Finding, Ring
from faultstream.core.detect.shapes import OfGroup
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import PatternKind
from faultstream.core.tally import newer


class Regression(OfGroup):
    """Confidence is 0.9, with a newer release than before 0.95."""

    kind: ClassVar[PatternKind] = "regression"
    patient: ClassVar[bool] = True

    def __init__(self, policy: DetectorsPolicy) -> None:
        super().__init__(enabled=policy.regression.enabled)
        self._policy = policy.regression
        self._rare = -log(policy.regression.significance)

    def keys(self, ring: Ring, at: int) -> Iterator[str]:
        """Those that were away for long enough."""
        traces, absent_ms = ring.memory.traces, self._policy.absent_ms
        for key, cell in ring.slots[at].cells.items():
            trace = traces.get(key)
            if trace is not None and cell.first_ms - trace.last_ms >= absent_ms:
                yield key

    def find(self, ring: Ring, at: int, key: str) -> Finding | None:
        """Whether slots[at] brings the fingerprint back."""
        slot = ring.slots[at]
        cell, trace = slot.cells[key], ring.memory.traces.get(key)
        if trace is None or trace.count < self._policy.count:
            return None
        gone_ms = cell.first_ms - trace.last_ms
        if gone_ms < self._policy.absent_ms or gone_ms > self._policy.remember_ms:
            return None
        span_ms = max(trace.last_ms - trace.first_ms, ring.slot_ms)
        if (trace.count - 1) * log1p(gone_ms / span_ms) < self._rare:
            return None
        lately_ms = sum(trace.gaps) * ring.slot_ms
        if lately_ms and len(trace.gaps) * log1p(gone_ms / lately_ms) < self._rare:
            return None
        release = cell.release
        if release and trace.release and newer(release, trace.release) != release:
            return None
        moved = bool(release and trace.release and release != trace.release)
        where = f", in release {release} after {trace.release}" if moved else ""
        return Finding(
            since=slot.number,
            needed=1,
            confidence=0.95 if moved else 0.9,
            reason=f"back after {gone_ms // 60_000} min without it, {trace.count} before{where}",
        )
