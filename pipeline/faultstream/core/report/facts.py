"""Facts: what runbooks and post-incident analyses are written from. Times are milliseconds."""

import msgspec

from faultstream.core.report.chain import Chain


class Impact(msgspec.Struct, frozen=True):
    """The errors of one kind in one service while an incident lasted. `users` are distinct ones."""

    service: str
    error_type: str
    errors: int
    users: int
    first_at_ms: int
    last_at_ms: int


class Bucket(msgspec.Struct, frozen=True):
    """Errors of a service from `at_ms` for the length of a bucket."""

    at_ms: int
    service: str
    errors: int


class Release(msgspec.Struct, frozen=True):
    """A release whose first error was seen then; errors of `before` were seen earlier."""

    service: str
    release: str
    before: str
    first_at_ms: int


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """One incident. `earlier` counts incidents of the same service and problem before it."""

    chain: Chain
    impact: list[Impact]
    buckets: list[Bucket]
    bucket_ms: int
    begin_ms: int
    end_ms: int
    releases: list[Release]
    earlier: int
    earlier_at_ms: int | None


class Problem(msgspec.Struct, frozen=True):
    """One fingerprint in one service."""

    fingerprint: str
    service: str
    environment: str
    error_type: str
    category: str
    errors: int
    first_at_ms: int
    last_at_ms: int
    template: str


class Past(msgspec.Struct, frozen=True):
    """An incident of the past with this problem in it. `cured_by` is "" when nothing did."""

    incident_id: str
    root: str
    state: str
    severity: str
    first_error_at_ms: int
    opened_at_ms: int
    resolved_at_ms: int | None
    cured_by: str
    reason: str
    is_root: bool


class Tried(msgspec.Struct, frozen=True):
    """A strategy in the incidents whose root has this problem. `cure_ms` is the median time from
    the command to the cure, None when it never cured."""

    strategy: str
    tries: int
    cured: int
    recurring: int
    failed: int
    worse: int
    expired: int
    cure_ms: int | None
    last_at_ms: int


class Counted(msgspec.Struct, frozen=True):
    """Something, how often, and a length of time that belongs to it (a lag; 0: none)."""

    name: str
    count: int
    ms: int = 0


class Runbook(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a problem. `title` is what was asked for."""

    title: str
    by_fingerprint: bool
    problems: list[Problem]
    severities: list[Counted]
    kinds: list[Counted]
    transient: bool
    layers: list[str]
    incidents: list[Past]
    tried: list[Tried]
    causes: list[Counted]
    """Types of the exceptions that were the innermost causes, with their errors."""
    roots: list[Counted]
    """Whose symptom it was: services and types at the root of its incidents."""
    leads: list[Counted]
    """Services whose errors went before, with the median lag."""
    releases: list[Release]
    returned: int
    """Incidents that were followed by another one within a day."""
