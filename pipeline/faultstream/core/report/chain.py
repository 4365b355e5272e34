"""Chain: one incident from its first errors to the last message about it, as it is stored.

Times are milliseconds since the epoch. Each list is in the order of its time. What is not stored
yet is not in it.
"""

import msgspec


class Head(msgspec.Struct, frozen=True):
    """The incident, as its latest revision says."""

    incident_id: str
    revision: int
    state: str
    severity: str
    environment: str
    root: str
    first_error_at_ms: int
    opened_at_ms: int
    updated_at_ms: int
    resolved_at_ms: int | None
    reason: str
    experiment_id: str
    pattern_ids: list[str]


class Error(msgspec.Struct, frozen=True):
    """An event that is evidence of one of its patterns."""

    at_ms: int
    service: str
    error_type: str
    message: str
    count: int
    release: str
    event_id: str


class Link(msgspec.Struct, frozen=True):
    """Errors of `source` were followed by errors of `target`."""

    source: str
    target: str
    lag_ms: int
    count: int


class Sighting(msgspec.Struct, frozen=True):
    """A pattern, as its latest revision says."""

    pattern_id: str
    kind: str
    state: str
    service: str
    layer: str
    error_type: str
    category: str
    severity: str
    fingerprint: str
    count: int
    first_at_ms: int
    last_at_ms: int
    detected_at_ms: int
    closed_at_ms: int | None
    confidence: float
    reason: str
    root: str
    evidence: list[str]
    edges: list[Link]


class Turning(msgspec.Struct, frozen=True):
    """A revision that changed the incident's state or reason."""

    at_ms: int
    revision: int
    state: str
    reason: str


class Order(msgspec.Struct, frozen=True):
    """A command. `parameters` is JSON."""

    at_ms: int
    command_id: str
    attempt: int
    workflow: str
    step_id: str
    strategy: str
    parameters: str
    service: str
    instances: list[str]
    reason: str
    priority: str
    expires_at_ms: int
    dry_run: bool
    approved_by: str
    rollback_of: str


class Answer(msgspec.Struct, frozen=True):
    """What an executor said; `in_progress` is a sign of life."""

    at_ms: int
    command_id: str
    executor: str
    instance: str
    status: str
    step: str
    progress_ratio: float | None
    duration_ms: int
    message: str


class Verdict(msgspec.Struct, frozen=True):
    """What the stream saw of a command; `at_ms` is when this outcome first stood there."""

    at_ms: int
    command_id: str
    strategy: str
    outcome: str
    reason: str


class Note(msgspec.Struct, frozen=True):
    """A notification."""

    at_ms: int
    notification_id: str
    level: str
    status: str
    title: str


class Telling(msgspec.Struct, frozen=True):
    """A decision about some of its notifications."""

    at_ms: int
    kind: str
    channel: str
    reason: str
    notification_ids: list[str]


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `stored_at_ms` is when the newest row of the database was stored, `now_ms` the
    database's clock when it was asked."""

    incident: Head
    errors: list[Error]
    patterns: list[Sighting]
    turnings: list[Turning]
    orders: list[Order]
    answers: list[Answer]
    verdicts: list[Verdict]
    notes: list[Note]
    tellings: list[Telling]
    around: list[Sighting]
    """Patterns across services at that time that touch its services; they are no part of it."""
    stored_at_ms: int
    now_ms: int
