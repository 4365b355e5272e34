"""Scenario: everything a scenario file can say, as frozen values with their bounds.

Moments are `HH:MM` after `start` (hours may pass 24); lengths are minutes, unless they end in
`_ms`; rates are errors a minute, the mean over a day.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from faultstream.core.policy import Name
from faultstream.core.records import PatternKind
from faultstream.core.severity import Severity

Moment = Annotated[str, Meta(pattern=r"^\d{1,3}:[0-5]\d$")]
Rate = Annotated[float, Meta(ge=0.0, le=10_000.0)]
Minutes = Annotated[float, Meta(gt=0.0, le=10_080.0)]

IncidentKind = Literal[
    "bad_config", "burst", "cascade", "certificate_expiry", "correlated", "critical_single", "cron",
    "dependency_slow", "disk_full", "dominant_type", "failover", "flapping", "high_rate",
    "memory_leak", "novel_after_deploy", "partner_rate_limit", "poison_message", "pool_exhaustion",
    "recovery_loop", "recurring", "regression", "retry_storm", "sequence", "slow_degradation",
    "zone_outage",
]  # fmt: skip


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Rhythm(_Part, frozen=True, kw_only=True):
    """The day: errors follow a cosine with its top at `peak_hour` (UTC), `swing_ratio` up and
    down. On top of it each service wanders slowly by about `wander_ratio`, and minutes are
    `dispersion` times as uneven as chance alone (1 is Poisson)."""

    peak_hour: Annotated[float, Meta(ge=0.0, lt=24.0)] = 14.0
    swing_ratio: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.6
    wander_ratio: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.1
    dispersion: Annotated[float, Meta(ge=1.0, le=100.0)] = 1.3


class Lateness(_Part, frozen=True, kw_only=True):
    """How long events take to arrive: log-normal; a few, `straggler_ratio`, take up to
    `straggler_ms`."""

    median_ms: Annotated[int, Meta(ge=1, le=3_600_000)] = 150
    p99_ms: Annotated[int, Meta(ge=1, le=3_600_000)] = 3_000
    straggler_ratio: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0002
    straggler_ms: Annotated[int, Meta(ge=1, le=86_400_000)] = 60_000


class ErrorSpec(_Part, frozen=True, kw_only=True):
    """A kind of error. In a message {n} is a number, {id} an identifier, {ms} a duration, {host} an
    address, {other} a dependency's name."""

    type: Annotated[str, Meta(min_length=1, max_length=200)]
    messages: Annotated[tuple[str, ...], Meta(min_length=1)]
    function: str = "handle"
    severity: Severity | None = None
    status: Annotated[int, Meta(ge=100, le=599)] | None = None


class Service(_Part, frozen=True, kw_only=True):
    """A service. With `copies` above 1 it stands for `name-1`, `name-2`, ...; copy n depends on
    copy n of its dependencies, counted round where they have fewer."""

    layer: Name
    depends_on: tuple[Name, ...] = ()
    instances: Annotated[int, Meta(ge=1, le=1000)] = 3
    copies: Annotated[int, Meta(ge=1, le=1000)] = 1
    release: str = "1.0"
    noise: dict[Name, Rate] = {}
    """Errors a minute by name of the error."""
    rare_per_day: Annotated[float, Meta(ge=0.0, le=10_000.0)] = 0.0
    """Errors that come once and hardly ever again, each of a type of its own."""


class Deploy(_Part, frozen=True, kw_only=True):
    """A release goes out: instances restart one after the other, `errors` errors among them."""

    service: Name
    at: Moment
    release: Name
    errors: Annotated[int, Meta(ge=0, le=10_000)] = 2


class Incident(_Part, frozen=True, kw_only=True):
    """One planted incident. What is left out is drawn by the seed."""

    kind: IncidentKind
    at: Moment
    service: Name | None = None
    minutes: Minutes | None = None
    per_minute: Rate | None = None
    error: Name | None = None
    must: tuple[PatternKind, ...] = ()
    """The patterns that must be found, instead of the kind's own."""


class Draw(_Part, frozen=True, kw_only=True):
    """Incidents of a kind at places and times of the seed's choice, not before `after`."""

    kind: IncidentKind
    times: Annotated[int, Meta(ge=1, le=1000)] = 1
    after: Moment = "02:00"


class Scenario(_Part, frozen=True, kw_only=True):
    """A whole scenario file."""

    version: Literal[1]
    name: Name
    start: str = "2026-03-03T00:00:00Z"
    hours: Annotated[float, Meta(gt=0.0, le=168.0)] = 24.0
    environment: Name = "production"
    partitions: Annotated[int, Meta(ge=1, le=64)] = 4
    rhythm: Rhythm = Rhythm()
    lateness: Lateness = Lateness()
    skew_ms: Annotated[int, Meta(ge=0, le=3_600_000)] = 200
    """Each instance's clock is off by up to this much, either way, for the whole run."""
    deploys_per_day: Annotated[float, Meta(ge=0.0, le=1000.0)] = 0.0
    """Ordinary deploys, at times of the seed's choice, of the whole fleet together."""
    errors: dict[Name, ErrorSpec] = {}
    services: Annotated[dict[Name, Service], Meta(min_length=1)]
    deploys: tuple[Deploy, ...] = ()
    incidents: tuple[Incident, ...] = ()
    draws: tuple[Draw, ...] = ()


def minutes_of(moment: str) -> int:
    """`HH:MM` as minutes."""
    hours, minutes = moment.split(":")
    return int(hours) * 60 + int(minutes)
