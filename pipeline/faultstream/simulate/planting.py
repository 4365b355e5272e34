"""Planting: what an incident adds to the stream, and the truth about it."""

import math
from random import Random

import msgspec

from faultstream.core.records import PatternKind
from faultstream.simulate.chance import poisson
from faultstream.simulate.fleet import Place, above
from faultstream.simulate.scenario import IncidentKind

MINUTE_MS = 60_000


class Happening(msgspec.Struct, gc=False):
    """One error where and when it really happened, before clocks and networks bend it.

    `key` names it for ever; `parent` is the key of the error that caused it, 0 when none. An
    `instance` of -1 is any. `incident` is an index into the truth, -1 for noise.
    """

    time_ms: int
    service: str
    error: str
    key: int
    incident: int = -1
    instance: int = -1
    trace: int = 0
    parent: int = 0


class Truth(msgspec.Struct, kw_only=True):
    """What was planted, and what must be found for it.

    `first_at_ms` is its first error, `felt_at_ms` the moment from which the time to detect runs;
    `end_at_ms` its last error. `slow` ones cannot be known before they have come again and again.
    """

    incident: str
    kind: IncidentKind
    must: tuple[PatternKind, ...]
    services: tuple[str, ...]
    root: str
    critical: bool
    slow: bool
    first_at_ms: int
    felt_at_ms: int
    end_at_ms: int
    events: int


class Planting:
    """One incident while it is written down. All times are milliseconds since the epoch."""

    def __init__(
        self,
        fleet: dict[str, Place],
        chance: Random,
        number: int,
        *,
        service: str,
        start_ms: int,
        minutes: float,
        per_minute: float | None = None,
        error: str | None = None,
    ) -> None:
        self.fleet = fleet
        self.chance = chance
        self.number = number
        self.service = service
        self.start_ms = start_ms
        self.end_ms = start_ms + int(minutes * MINUTE_MS)
        self.minutes = minutes
        self.wanted = per_minute
        self.error = error
        self.root = service
        self.felt_ms: int | None = None
        self.events: list[Happening] = []
        self.deploys: list[tuple[str, int]] = []

    @property
    def base(self) -> float:
        """Ordinary errors a minute of the service."""
        return self.fleet[self.service].base

    def name(self, usual: str) -> str:
        """The error to show: the scenario's, else `usual`."""
        return self.error or usual

    def rate(self, factor: float, extra: float) -> float:
        """Errors a minute: the scenario's, else `factor` x the ordinary ones and `extra` more."""
        if self.wanted is not None:
            return self.wanted
        return self.base * factor + extra * self.chance.uniform(0.8, 1.25)

    def at(
        self,
        service: str,
        error: str,
        time_ms: float,
        *,
        instance: int = -1,
        trace: int = 0,
        parent: int = 0,
    ) -> Happening:
        """One error."""
        key = (self.number + 1) << 32 | (len(self.events) + 1)
        one = Happening(int(time_ms), service, error, key, self.number, instance, trace, parent)
        self.events.append(one)
        return one

    def spread(
        self,
        service: str,
        error: str,
        start_ms: float,
        end_ms: float,
        per_minute: float,
        *,
        doubling_ms: float = 0.0,
        instance: int = -1,
    ) -> list[Happening]:
        """Errors by chance from start to end. With `doubling_ms` the rate doubles in that time
        and reaches `per_minute` at the end."""
        times: list[int] = []
        step = 10_000.0
        at = start_ms
        while at < end_ms:
            length = min(step, end_ms - at)
            rate = per_minute
            if doubling_ms:
                rate *= math.pow(2.0, (at + length / 2 - end_ms) / doubling_ms)
            count = poisson(self.chance, rate * length / MINUTE_MS)
            times += [int(at + self.chance.random() * length) for _ in range(count)]
            at += step
        return [self.at(service, error, time, instance=instance) for time in sorted(times)]

    def climb(self, cause: Happening, error: str, reach: float, *, lag_ms: float) -> None:
        """`cause` shows in what depends on its service, each step with probability `reach`,
        about `lag_ms` later, with the same trace and parent links."""
        seen = {cause.service: cause}
        cause.trace = cause.trace or cause.key
        for caller, through in above(self.fleet, cause.service):
            below = seen.get(through)
            if below is None or self.chance.random() > reach:
                continue
            later = below.time_ms + lag_ms * self.chance.uniform(0.5, 1.5)
            seen[caller] = self.at(caller, error, later, trace=cause.trace, parent=below.key)

    def deploy(self, service: str, at_ms: float) -> None:
        """A new release of the service goes out."""
        self.deploys.append((service, int(at_ms)))

    def feel(self, at_ms: float) -> None:
        """The time to detect runs from here, not from the first error."""
        self.felt_ms = int(at_ms)
