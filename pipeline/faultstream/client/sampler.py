"""Sampling in a reporter: which events go now, and whose counts wait for the next one.

Lives in the reporter's thread. Events that are held are still under way for the outbox, so they
are counted as waiting, and found again when the reporter ends.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from faultstream.client.outbox import Entry
from faultstream.core.errors import DataError
from faultstream.core.event import MAX_COUNT, ErrorEvent
from faultstream.core.records import Control
from faultstream.core.sampling import Sample, sample_of

MAX_RULES: Final = 1_000
MAX_KINDS: Final = 1_000
_URGENT: Final = frozenset({"critical", "fatal"})

log = logging.getLogger("faultstream.client")


class Absorber(Protocol):
    """The outbox, as far as it is needed."""

    def absorb(self, entry: Entry, into: Entry) -> None:
        """Count `entry` into `into`; both are under way."""


class _Rule(NamedTuple):
    sample: Sample
    until_ms: int
    set_at_ms: int


class _Kind:
    """One kind of error under one rule. `since` are errors that were not sent by themselves."""

    __slots__ = ("held", "rule", "seen", "since", "until")

    def __init__(self, rule: _Rule) -> None:
        self.rule = rule
        self.seen = 0
        self.since = 0
        self.held: Entry | None = None
        self.until = 0.0


class Sampler:
    """See the module. Without rules `sift` gives back what it got."""

    def __init__(
        self,
        environment: str,
        box: Absorber,
        *,
        fingerprint: Callable[[Entry], str],
        clock: Callable[[], float] = time.monotonic,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._environment = environment
        self._box = box
        self._fingerprint = fingerprint
        self._clock = clock
        self._wall_ms = wall_ms
        self._rules: dict[str, _Rule] = {}
        self._kinds: dict[tuple[str, str, str], _Kind] = {}

    def tell(self, control: Control) -> None:
        """A control was set. Other kinds, other environments and old ones are left alone."""
        if control.kind != "sample" or control.environment not in {"", self._environment}:
            return
        known = self._rules.get(control.subject)
        if known is not None and known.set_at_ms > control.set_at_ms:
            return
        until_ms = control.until_at_ms or 0
        if not control.active or until_ms <= self._wall_ms():
            self._rules.pop(control.subject, None)
            return
        try:
            sample = sample_of(control)
        except DataError as exc:
            log.warning("a sampling rule is left out: %s", exc.reason)
            return
        if known is None and len(self._rules) >= MAX_RULES:
            log.warning("a sampling rule is left out: there are %d", MAX_RULES)
            return
        self._rules[control.subject] = _Rule(sample, until_ms, control.set_at_ms)

    @property
    def rules(self) -> list[Sample]:
        """Those in force."""
        now = self._wall_ms()
        return [rule.sample for rule in self._rules.values() if rule.until_ms > now]

    def sift(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those of `entries` that go now; what was held for them is counted into them."""
        if not self._rules:
            return list(entries)
        return [entry for entry in entries if self._goes(entry)]

    def due(self, *, everything: bool = False) -> list[Entry]:
        """What was held long enough, or whose rule is over; it goes now, whatever rules say."""
        if not self._kinds:
            return []
        now, wall_ms = self._clock(), self._wall_ms()
        for subject in [key for key, rule in self._rules.items() if rule.until_ms <= wall_ms]:
            del self._rules[subject]
        alive = set(self._rules.values())
        found = []
        for key, kind in list(self._kinds.items()):
            over = kind.rule not in alive
            if kind.held is not None and (everything or over or now >= kind.until):
                kind.held.sampled = True
                found.append(kind.held)
                kind.held, kind.since = None, 0
            if over:
                del self._kinds[key]
        return found

    def next_s(self) -> float | None:
        """Seconds until something is due, None when nothing is held."""
        times = [kind.until for kind in self._kinds.values() if kind.held is not None]
        return max(0.0, min(times) - self._clock()) if times else None

    def _goes(self, entry: Entry) -> bool:
        event = entry.event
        if entry.sampled or event.severity in _URGENT:
            return True
        kind = self._kind(entry)
        if kind is None:
            return True
        entry.sampled = True
        count, sample = event.count, kind.rule.sample
        held = kind.held
        if held is not None and held.event.count + count > MAX_COUNT:
            return True
        if held is not None:
            self._box.absorb(held, entry)
        first = kind.seen < sample.first
        kind.seen += count
        kind.since += count
        if first or kind.since * sample.ratio >= 1:
            kind.held, kind.since = None, 0
            return True
        if held is None:
            kind.until = self._clock() + sample.hold_ms / 1_000
        kind.held = entry
        return False

    def _kind(self, entry: Entry) -> _Kind | None:
        """What is known of its kind; None when no rule is for it."""
        rule, fingerprint = self._rule(entry)
        if rule is None:
            return None
        event: ErrorEvent = entry.event
        key = (event.service, event.error_type, fingerprint)
        kind = self._kinds.get(key)
        if kind is not None and kind.rule != rule:
            if kind.held is not None:
                self._box.absorb(kind.held, entry)
            kind = None
            del self._kinds[key]
        if kind is None:
            if len(self._kinds) >= MAX_KINDS:
                return None
            kind = self._kinds[key] = _Kind(rule)
        return kind

    def _rule(self, entry: Entry) -> tuple[_Rule | None, str]:
        event, wall_ms = entry.event, self._wall_ms()
        best: _Rule | None = None
        fingerprint = ""
        for rule in self._rules.values():
            sample = rule.sample
            if rule.until_ms <= wall_ms or not sample.fits(event.service, event.error_type):
                continue
            if sample.fingerprint:
                fingerprint = fingerprint or self._fingerprint(entry)
                if fingerprint != sample.fingerprint:
                    continue
            if best is None or sample.rank > best.sample.rank:
                best = rule
        return best, best.sample.fingerprint if best is not None else ""
