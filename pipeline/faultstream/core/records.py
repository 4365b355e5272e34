"""The records behind the errors topic: Pattern, Incident, RecoveryCommand, and the rest.

Fields that end in `_at_ms` are milliseconds since the epoch here and RFC 3339 strings named
without `_ms` on the wire (see wire.py). `revision` grows with every change of a record; the
highest one is the truth. An incident's may be made anew after a crash: of those the latest is it.
"""

from typing import Any, ClassVar, Literal

import msgspec

from faultstream.core.severity import Severity

PatternKind = Literal[
    "recurring",
    "burst",
    "cascade",
    "degradation",
    "high_rate",
    "dominant",
    "novel",
    "regression",
    "periodic",
    "sequence",
    "correlation",
    "critical",
    "recovery_loop",
    "predicted",
]
PatternState = Literal["open", "updated", "closed"]
IncidentState = Literal["open", "recovering", "verifying", "resolved", "escalated", "closed"]
Outcome = Literal[
    "pending", "running", "done", "cured", "recurring", "failed", "partial", "expired", "refused",
    "cancelled", "dry_run", "worse", "rolled_back",
]  # fmt: skip
Delivery = Literal["broadcast", "exactly_one"]
Priority = Literal["low", "medium", "high", "critical"]
ResultStatus = Literal[
    "in_progress", "success", "partial", "failed", "not_attempted", "rejected", "expired",
]  # fmt: skip
Level = Literal["info", "warning", "error", "critical"]
ControlKind = Literal[
    "silence",
    "pause",
    "approve",
    "cancel",
    "acknowledge",
    "resolve",
    "trigger",
    "correct",
    "sample",
]


def _wire_name(field: str) -> str:
    return field.removesuffix("_ms") if field.endswith("_at_ms") else field


class Record(msgspec.Struct, kw_only=True, omit_defaults=True, rename=_wire_name):
    """What every record on a topic has in common: a CloudEvents type and how its time is found."""

    ce_type: ClassVar[str]


class Edge(msgspec.Struct, omit_defaults=True, rename={"source": "from", "target": "to"}):
    """Errors of `source` were followed by errors of `target`, `lag_ms` later, `count` times: of
    services, in a sequence of error types."""

    source: str
    target: str
    lag_ms: int = 0
    count: int = 1


class Affected(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whom a pattern touches."""

    services: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()


class Pattern(Record, kw_only=True):
    """An episode: opened once, updated while it lasts, closed once. Key: environment."""

    ce_type: ClassVar[str] = "io.faultstream.pattern.changed.v1"

    pattern_id: str
    revision: int
    kind: PatternKind
    state: PatternState
    environment: str
    service: str
    layer: str = ""
    fingerprint: str = ""
    error_type: str = ""
    category: str = ""
    severity: Severity = "medium"
    transient: bool = False
    first_at_ms: int
    last_at_ms: int
    detected_at_ms: int
    closed_at_ms: int | None = None
    count: int = 0
    rate: float = 0.0
    """Events a second over the last slots that the watermark has passed."""
    baseline: float = 0.0
    confidence: float = 0.0
    affected: Affected = Affected()
    edges: list[Edge] = []
    root: str = ""
    evidence: list[str] = []
    """The first events of it, ten at most; `traces` and `parents` are of these."""
    traces: list[str] = []
    parents: list[str] = []
    """Events, mostly of other services, that these followed from."""
    suggested_actions: list[str] = []
    reason: str = ""
    experiment_id: str = ""
    expected_at_ms: int | None = None
    """Of predictions, whose `confidence` is the probability: when a limit is probably crossed,
    when at the latest, and, once closed, whether it was."""
    due_at_ms: int | None = None
    came_true: bool | None = None
    operation: str = ""
    """Of nearly all of its events (nine of ten), '' when they name several or none; `dependency` is
    that of their tag `dependency`."""
    dependency: str = ""
    named: list[str] = []
    """Words of their messages that may name services that failed them, digits made 0."""
    left: bool = False
    """Nearly all say only that the caller did not wait. Then nobody is `affected`."""


class Attempt(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One command of an incident and what came of it."""

    command_id: str
    strategy: str
    outcome: Outcome = "pending"
    reason: str = ""
    step_id: str = ""
    rollback_of: str = ""


class Incident(Record, kw_only=True):
    """Patterns with one cause, and what was done about them. Key: environment."""

    ce_type: ClassVar[str] = "io.faultstream.incident.changed.v1"

    incident_id: str
    revision: int
    state: IncidentState
    severity: Severity
    environment: str
    root: str
    pattern_ids: list[str]
    attempts: list[Attempt] = []
    first_error_at_ms: int
    opened_at_ms: int
    updated_at_ms: int
    resolved_at_ms: int | None = None
    reason: str = ""
    experiment_id: str = ""
    false_alarm: bool = False


class Target(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Whom a command is for. `instances`: "all", "one", or a list of instance names."""

    environment: str
    service: str
    layer: str = ""
    instances: str | list[str] = "all"


class RecoveryCommand(Record, kw_only=True):
    """An order to executors. Key: target service. Signed in the header `faultstream-signature`.

    Carried out at most once per (command_id, instance); never at or after `expires_at_ms`. Without
    an answer or a sign of life (a result `in_progress`) for `timeout_ms` it counts as lost.
    """

    ce_type: ClassVar[str] = "io.faultstream.recovery.commanded.v1"

    command_id: str
    incident_id: str
    attempt: int
    step: int = 0
    strategy: str
    parameters: dict[str, Any] = {}
    target: Target
    delivery: Delivery = "broadcast"
    reason: str = ""
    priority: Priority = "medium"
    issued_at_ms: int
    expires_at_ms: int
    dry_run: bool = False
    approved_by: str = ""
    rollback_of: str = ""
    experiment_id: str = ""
    workflow: str = ""
    """The strategy of several steps that this is one of, "" when it is none."""
    step_id: str = ""
    timeout_ms: int = 0
    """0 means that nothing is known of it."""


class RecoveryResult(Record, kw_only=True):
    """What an executor did. Key: environment, which is taken from there when left out.

    One with status `in_progress` is a sign of life with an id of its own; `finished_at_ms` is when
    it was made. It gives the command `timeout_ms` more, within the strategy's `max_run_ms`.
    """

    ce_type: ClassVar[str] = "io.faultstream.recovery.finished.v1"

    result_id: str
    command_id: str
    incident_id: str
    environment: str = ""
    service: str = ""
    strategy: str = ""
    executor: str
    instance: str = ""
    status: ResultStatus
    started_at_ms: int
    finished_at_ms: int
    duration_ms: int = 0
    message: str = ""
    details: dict[str, Any] = {}
    step: str = ""
    """What is being done, or was done last."""
    progress_ratio: float | None = None


class Notification(Record, kw_only=True):
    """Something a person should know. Key: environment."""

    ce_type: ClassVar[str] = "io.faultstream.notification.requested.v1"

    notification_id: str
    group: str
    level: Level
    title: str
    body: str = ""
    environment: str
    incident_id: str = ""
    pattern_ids: list[str] = []
    step: int = 0
    reason: str = ""
    created_at_ms: int
    experiment_id: str = ""
    status: Literal["firing", "resolved"] = "firing"
    """`resolved`: what was told before about its incident, or else its group, is over."""
    labels: dict[str, str] = {}
    """What matchers see beside environment, group, level, title and incident_id."""


class Control(Record, kw_only=True):
    """A wish of an operator. Key: `subject`; the last one per subject is in force.

    `until_at_ms` None means until it is taken back (`active` false). A silence or a pause may begin
    later, at `from_at_ms`; the other kinds begin at once. approve, cancel, resolve and trigger are
    done once; see controls.py for that and for their `parameters`.
    """

    ce_type: ClassVar[str] = "io.faultstream.control.set.v1"

    control_id: str
    kind: ControlKind
    subject: str
    environment: str = ""
    active: bool = True
    by: str = ""
    reason: str = ""
    set_at_ms: int
    from_at_ms: int | None = None
    until_at_ms: int | None = None
    parameters: dict[str, Any] = {}

    def begun(self, now_ms: int) -> bool:
        """Whether it does not begin later."""
        return self.from_at_ms is None or self.from_at_ms <= now_ms
