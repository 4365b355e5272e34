"""Topology: everything that topology.yaml can say, as frozen values with their bounds.

The bounds stand in the types; `config` reads the file, checks it against them and says what is
wrong where. Lengths are milliseconds (`_ms`), shares are 0..1 (`_ratio`). It is one file, and so
a long one, because it is read beside topology.yaml from top to bottom.
"""

from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta

from faultstream.core.group import Category
from faultstream.core.records import Delivery, Level, PatternKind, Priority
from faultstream.core.severity import Severity

Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")]
Millis = Annotated[int, Meta(ge=0, le=366 * 86_400_000)]
PositiveMillis = Annotated[int, Meta(ge=1, le=366 * 86_400_000)]
Positive = Annotated[int, Meta(ge=1)]
Ratio = Annotated[float, Meta(ge=0.0, le=1.0)]
Weight = Annotated[float, Meta(ge=0.0, le=1000.0)]

Danger = Literal["low", "medium", "high"]

TopicRole = Literal[
    "errors",
    "patterns",
    "incidents",
    "commands",
    "results",
    "notifications",
    "control",
    "notification_decisions",
    "dead_letters",
]


class _Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class TopicPolicy(_Policy, frozen=True, kw_only=True):
    """One topic. `retention_ms` is for `cleanup: delete`; `compact` keeps the last per key."""

    name: Name
    partitions: Annotated[int, Meta(ge=1, le=1000)] = 4
    replicas: Annotated[int, Meta(ge=1, le=16)] = 1
    cleanup: Literal["delete", "compact"] = "delete"
    retention_ms: PositiveMillis = 7 * 86_400_000
    max_message_bytes: Annotated[int, Meta(ge=1024, le=100_000_000)] = 1_048_576


class SeverityWeights(_Policy, frozen=True, kw_only=True):
    """What an error of each severity adds to a service's score in one layer."""

    low: Weight
    medium: Weight
    high: Weight
    critical: Weight
    fatal: Weight


class LayerPolicy(_Policy, frozen=True, kw_only=True):
    """How one layer is treated.

    `depth` orders layers for cascades: 0 is nearest to the user. `automatic` false means that a
    person must approve each command.
    """

    depth: Annotated[int, Meta(ge=0, le=100)]
    max_errors_per_minute: Positive
    escalation_threshold: Positive
    automatic: bool = True
    strategies: tuple[Name, ...] = ()
    weights: SeverityWeights


class ServicePolicy(_Policy, frozen=True, kw_only=True):
    """What is known of a service; optional, it helps correlation and sets the layer."""

    layer: Name
    depends_on: tuple[Name, ...] = ()
    instances: Annotated[int, Meta(ge=1, le=100_000)] | None = None


class StepPolicy(_Policy, frozen=True, kw_only=True):
    """One step of a workflow: a strategy, begun once all steps that it `needs` are done.

    `parameters` replace the strategy's own one by one; `deadline_ms` replaces its deadline.
    """

    id: Name
    strategy: Name
    parameters: dict[str, Any] = {}
    needs: tuple[Name, ...] = ()
    deadline_ms: PositiveMillis | None = None


class StrategyPolicy(_Policy, frozen=True, kw_only=True):
    """One way to recover. `parameters` are the defaults sent to executors.

    `prior` is the success rate believed before anything was seen. With `steps` it is a workflow:
    each step is a command of its own, and when one fails those that are done are taken back in
    reverse.
    """

    enabled: bool = True
    """false: it is never commanded, whoever asks."""
    parameters: dict[str, Any] = {}
    prior: Ratio = 0.5
    delivery: Delivery = "broadcast"
    only_transient: bool = False
    """Only for errors that may pass by themselves."""
    categories: tuple[Category, ...] = ()
    """Only for errors of these; an empty list is all."""
    min_instances: Positive = 1
    """Only for services that have as many, where `services` says how many there are."""
    danger: Danger = "low"
    """medium needs `guards.min_healthy_ratio`, high an approval as well."""
    undo: Name | None = None
    """The strategy that takes it back, sent with `rollback_of`; its own name when its executors
    know that field."""
    deadline_ms: PositiveMillis = 10_000
    """Without an answer or a sign of life for this long a command counts as lost."""
    max_run_ms: PositiveMillis = 600_000
    """With signs of life a command may take this long in all."""
    cooldown_ms: Millis = 30_000
    priority: Priority = "medium"
    scope: Literal["service", "operation", "dependency"] = "service"
    """What a command is for: the whole service, or only the operation or dependency of the errors,
    where they all name the same one."""
    steps: tuple[StepPolicy, ...] = ()


class RoutePolicy(_Policy, frozen=True, kw_only=True):
    """Which strategies are tried, in order, for what matches. First route that matches wins.

    An empty list matches everything. `error_types` are names with or without module, or
    patterns with `*`.
    """

    name: Name
    error_types: tuple[str, ...] = ()
    categories: tuple[Category, ...] = ()
    severities: tuple[Severity, ...] = ()
    layers: tuple[Name, ...] = ()
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    patterns: tuple[PatternKind, ...] = ()
    strategies: tuple[Name, ...]


class RecurringPolicy(_Policy, frozen=True, kw_only=True):
    """`count` of one fingerprint among the last `among` events of a service. Once the service
    was known for `learn_ms`, they must also be more than is usual for the fingerprint: by chance it
    happens to one fingerprint in 1 / `significance`, ever. From `history` events on its share of
    the service's events counts too."""

    enabled: bool = True
    count: Annotated[int, Meta(ge=1, le=1000)] = 3
    among: Annotated[int, Meta(ge=1, le=1000)] = 10
    within_ms: PositiveMillis = 900_000
    """Older events are not among the last ones."""
    confidence_cap: Ratio = 0.9
    learn_ms: Millis = 600_000
    significance: Annotated[float, Meta(gt=0.0, le=1.0)] = 1e-4
    history: Positive = 30


class BurstPolicy(_Policy, frozen=True, kw_only=True):
    """`count` events within `window_ms`, and less likely than `significance` under what is
    usual for the service, once `history` windows have been seen."""

    enabled: bool = True
    count: Annotated[int, Meta(ge=1)] = 5
    window_ms: PositiveMillis = 60_000
    significance: Annotated[float, Meta(gt=0.0, lt=1.0)] = 1e-7
    history: Annotated[int, Meta(ge=1, le=10_000)] = 10


class CriticalPolicy(_Policy, frozen=True, kw_only=True):
    """One event of these severities is enough."""

    enabled: bool = True
    severities: tuple[Severity, ...] = ("critical", "fatal")


class DegradationPolicy(_Policy, frozen=True, kw_only=True):
    """The rate of the last `window_ms` is more than `factor` x that of the `window_ms` before;
    it is at least `count` events more than then or than usual, and less likely than
    `significance` to be chance."""

    enabled: bool = True
    window_ms: Annotated[int, Meta(ge=5_000, le=86_400_000)] = 300_000
    factor: Annotated[float, Meta(ge=1.0, le=1000.0)] = 1.5
    count: Positive = 20
    significance: Annotated[float, Meta(gt=0.0, lt=0.5)] = 1e-7


class HighRatePolicy(_Policy, frozen=True, kw_only=True):
    """More than `per_second` events a second over `window_ms` (or clearly more over a sixth of
    it), and more than `factor` x the 95th percentile of the service's own windows, once ten of them
    were seen."""

    enabled: bool = True
    per_second: Annotated[float, Meta(gt=0.0)] = 10.0
    window_ms: PositiveMillis = 60_000
    factor: Annotated[float, Meta(ge=1.0, le=1000.0)] = 1.5


class DominantPolicy(_Policy, frozen=True, kw_only=True):
    """One error type has more than `share_ratio` of a service's events in `window_ms`, of
    which there are at least `count`, and more than is usual for it."""

    enabled: bool = True
    share_ratio: Ratio = 0.5
    count: Positive = 20
    window_ms: PositiveMillis = 60_000
    significance: Annotated[float, Meta(gt=0.0, lt=0.5)] = 1e-5


class NovelPolicy(_Policy, frozen=True, kw_only=True):
    """A fingerprint that the service never had before comes `count` times in `fresh_ms`, and
    that it did not come before is less likely than `significance` at that rate. In the first
    `learn_ms` of a service nothing is novel; with more than `usual` first sights an hour, they are
    no news there."""

    enabled: bool = True
    learn_ms: Millis = 600_000
    fresh_ms: PositiveMillis = 600_000
    count: Positive = 3
    usual: Positive = 10
    significance: Annotated[float, Meta(gt=0.0, le=1.0)] = 1e-3


class RegressionPolicy(_Policy, frozen=True, kw_only=True):
    """A fingerprint that came at least `count` times is back after `absent_ms` or more, an
    absence that was less likely than `significance` had it not been mended."""

    enabled: bool = True
    absent_ms: PositiveMillis = 1_800_000
    count: Annotated[int, Meta(ge=2)] = 5
    significance: Annotated[float, Meta(gt=0.0, lt=1.0)] = 1e-6
    remember_ms: PositiveMillis = 21_600_000
    """A service without any event for this long is forgotten with all its fingerprints."""


class PeriodicPolicy(_Policy, frozen=True, kw_only=True):
    """A fingerprint comes in regular gaps, each within `tolerance_ratio` of their median."""

    enabled: bool = True
    gaps: Annotated[int, Meta(ge=3, le=12)] = 6
    tolerance_ratio: Ratio = 0.05
    min_period_ms: PositiveMillis = 20_000
    """Events closer together than half of this are one occurrence."""


class SequenceDeclared(_Policy, frozen=True, kw_only=True):
    """Errors of these types, one after the other in this order within `within_ms` in one service;
    an empty list of services is all. Types are given in full."""

    name: Name
    error_types: Annotated[tuple[str, ...], Meta(min_length=2, max_length=5)]
    within_ms: Annotated[int, Meta(ge=1, le=86_400_000)] = 60_000
    services: tuple[Name, ...] = ()


class SequencePolicy(_Policy, frozen=True, kw_only=True):
    """A fingerprint was followed by another one of the same service within `window_ms` at
    least `count` times, in `share_ratio` of the times that it came, and less likely than
    `significance` to be chance; or what `declared` says, each time."""

    enabled: bool = True
    window_ms: PositiveMillis = 60_000
    """Events of a fingerprint closer together than this are one occurrence."""
    count: Annotated[int, Meta(ge=2)] = 4
    share_ratio: Ratio = 0.7
    significance: Annotated[float, Meta(gt=0.0, lt=1.0)] = 1e-6
    declared: Annotated[tuple[SequenceDeclared, ...], Meta(max_length=100)] = ()


class PredictedPolicy(_Policy, frozen=True, kw_only=True):
    """A burst, high rate, degradation or critical pattern of the service will open within
    `horizon_ms`, with more than `probability`. It is estimated anew every `step_ms`."""

    enabled: bool = True
    horizon_ms: Annotated[int, Meta(ge=1_000, le=21_600_000)] = 1_800_000
    step_ms: Annotated[int, Meta(ge=1_000, le=3_600_000)] = 60_000
    probability: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.8


class CascadePolicy(_Policy, frozen=True, kw_only=True):
    """Faults of several services, each beginning within `window_ms` after the one it
    follows from: along declared dependencies, or up the layers."""

    enabled: bool = True
    window_ms: PositiveMillis = 120_000
    layer_window_ms: PositiveMillis = 30_000
    """The window between services that only their layers connect."""
    skew_ms: Millis = 15_000
    """A symptom of a declared dependency may show this much before its cause."""
    silent_ratio: Ratio = 0.5
    """A dependency that says nothing is the root when this share of all that depends on it
    rises, two services at least; 0 never blames the silent."""


class CorrelationPolicy(_Policy, frozen=True, kw_only=True):
    """Faults of two services began within `window_ms` of each other at least `count` times, in
    `share_ratio` of the cases of the one that has fewer, and more often than chance would have it
    with a probability of `significance`."""

    enabled: bool = True
    window_ms: PositiveMillis = 60_000
    count: Annotated[int, Meta(ge=2)] = 3
    share_ratio: Ratio = 0.6
    significance: Annotated[float, Meta(gt=0.0, lt=1.0)] = 1e-3


class ColdPolicy(_Policy, frozen=True, kw_only=True):
    """Detection begins with a whole fleet: once `services` of an environment are seen, those that
    began within `for_ms` of the first are new for `for_ms` each. So long recurring and burst need
    more than their bare count: what is less likely than `significance` after what the service
    did before; or in its first minute the bare count within `quick_ms`, or `flood` x the count of
    a burst."""

    services: Annotated[int, Meta(ge=2, le=1000)] = 5
    """As many in one partition; fewer are tried by hand, and held to the bare rules."""
    for_ms: Millis = 600_000
    """0 never holds anything."""
    significance: Annotated[float, Meta(gt=0.0, le=1.0)] = 1e-4
    flood: Positive = 4
    quick_ms: Millis = 3_000


class DetectorsPolicy(_Policy, frozen=True, kw_only=True):
    """The detectors, and what they share: slots, lateness, episodes, bounds."""

    slot_ms: Annotated[int, Meta(ge=100, le=3_600_000)] = 1_000
    allowed_lateness_ms: Millis = 10_000
    late_ms: Millis = 60_000
    """An event whose slot has settled counts in the first open one unless it is older than this."""
    max_ahead_ms: Millis = 600_000
    """Event times further ahead of the record's own time than this are held to it."""
    idle_ms: PositiveMillis = 5_000
    """A partition without records moves its watermark by the wall clock after this long."""
    quiet_ms: PositiveMillis = 15_000
    """An episode closes when its condition has not held for this long."""
    update_ms: PositiveMillis = 2_000
    """An open episode is published again at most this often, and a third as often while its rate
    is within a quarter of what was told."""
    restart_ms: Millis = 90_000
    """For this long after a new release of a service shows, recurring and novel take twice their
    count: instances restart, one after the other."""
    rate_window_ms: PositiveMillis = 5_000
    """The stretch over which a pattern's `rate` is measured."""
    max_groups_per_service: Annotated[int, Meta(ge=1, le=1_000_000)] = 500
    max_services_per_partition: Annotated[int, Meta(ge=1, le=10_000_000)] = 20_000
    """A worker holds so many for each partition it has; past them the longest silent gives way."""
    cold: ColdPolicy = ColdPolicy()
    recurring: RecurringPolicy = RecurringPolicy()
    burst: BurstPolicy = BurstPolicy()
    critical: CriticalPolicy = CriticalPolicy()
    degradation: DegradationPolicy = DegradationPolicy()
    high_rate: HighRatePolicy = HighRatePolicy()
    dominant: DominantPolicy = DominantPolicy()
    novel: NovelPolicy = NovelPolicy()
    regression: RegressionPolicy = RegressionPolicy()
    periodic: PeriodicPolicy = PeriodicPolicy()
    sequence: SequencePolicy = SequencePolicy()
    predicted: PredictedPolicy = PredictedPolicy()
    cascade: CascadePolicy = CascadePolicy()
    correlation: CorrelationPolicy = CorrelationPolicy()


class IncidentsPolicy(_Policy, frozen=True, kw_only=True):
    """What makes an incident. Patterns of other kinds join an open one of their service, and
    else say something about errors without saying that anything is broken."""

    opened_by: tuple[PatternKind, ...] = (
        "critical",
        "recurring",
        "burst",
        "high_rate",
        "degradation",
        "predicted",
    )


class GuardsPolicy(_Policy, frozen=True, kw_only=True):
    """What recovery may never do, whatever else is decided."""

    max_attempts: Annotated[int, Meta(ge=1, le=100)] = 3
    attempts_window_ms: PositiveMillis = 300_000
    command_ttl_ms: PositiveMillis = 60_000
    paused: bool = False
    dry_run: bool = False
    min_healthy_ratio: Ratio = 0.5
    storm_incidents: Annotated[int, Meta(ge=1)] = 20
    """More incidents than this open at once in an environment: nothing new is commanded."""
    loop_count: Annotated[int, Meta(ge=1, le=100)] = 3
    """A fault that came back this often after recovery is handed to a person."""
    loop_window_ms: PositiveMillis = 1_800_000
    signed_results: bool = False
    """true: results that are not signed with the signing key are no answers, they go to the dead
    letters; for executors that all sign, as the client does."""


class VerifyPolicy(_Policy, frozen=True, kw_only=True):
    """When a fault counts as cured.

    After `settle_ms` the rate of the incident's patterns must stay at or below
    `cured_ratio` x the rate at the command for `watch_ms`; else the outcome is `recurring`.
    """

    settle_ms: Millis = 3_000
    watch_ms: PositiveMillis = 8_000
    cured_ratio: Ratio = 0.2
    timeout_ms: PositiveMillis = 30_000
    worse_ratio: Annotated[float, Meta(gt=1.0, le=1000.0)] = 2.0
    """A rate of more than this x the one before, by more than chance, means made worse: what was
    done is taken back."""


class LearningPolicy(_Policy, frozen=True, kw_only=True):
    """Which strategy of a route comes first, from verified outcomes.

    Each strategy's success rate is believed to be its prior, with the weight of `prior_weight`
    outcomes, and is then learned per route and per error type; an outcome counts half after
    `half_life_ms`. A rate is drawn from each belief (Thompson sampling), the highest comes first.
    """

    enabled: bool = True
    after: Annotated[int, Meta(ge=0, le=10_000)] = 3
    """Until a route has had this many outcomes, its own order holds."""
    half_life_ms: PositiveMillis = 14 * 86_400_000
    prior_weight: Annotated[float, Meta(gt=0.0, le=1000.0)] = 4.0
    worse_weight: Annotated[float, Meta(ge=1.0, le=100.0)] = 3.0
    """Made worse counts as so many failures."""
    max_beliefs: Annotated[int, Meta(ge=1, le=100_000)] = 2_000
    """Per environment; the one that was not used for longest goes first."""


class PreventionPolicy(_Policy, frozen=True, kw_only=True):
    """Recovery of what is predicted and not there yet. All guards hold for it too."""

    enabled: bool = False
    min_confidence: Ratio = 0.8
    max_danger: Danger = "low"
    max_commands: Annotated[int, Meta(ge=1, le=100)] = 1
    """Per prediction."""


class RetentionPolicy(_Policy, frozen=True, kw_only=True):
    """How many days each ClickHouse table keeps its rows."""

    errors_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    rollups_days: Annotated[int, Meta(ge=1, le=3650)] = 400
    records_days: Annotated[int, Meta(ge=1, le=3650)] = 400


class DeadLetterPolicy(_Policy, frozen=True, kw_only=True):
    """Past these limits a worker stops instead of draining a topic into the dead letters."""

    max_ratio: Ratio = 0.5
    ratio_over: Annotated[int, Meta(ge=1)] = 1_000
    """The ratio is taken over this many of a partition's latest records."""
    max_consecutive: Annotated[int, Meta(ge=1)] = 1_000


class RecordPolicy(_Policy, frozen=True, kw_only=True):
    """When the recorder writes to ClickHouse: at `max_rows` or after `flush_ms`."""

    flush_ms: PositiveMillis = 1_000
    max_rows: Annotated[int, Meta(ge=1, le=1_000_000)] = 50_000


class GatewayPolicy(_Policy, frozen=True, kw_only=True):
    """How much the gateway takes. What is larger is refused with 413, what is more with 429,
    and what finds no room, or Kafka away, with 503; each says when to come again."""

    max_body_bytes: Annotated[int, Meta(ge=1024, le=100_000_000)] = 4_194_304
    """Of one request as it comes."""
    max_unpacked_bytes: Annotated[int, Meta(ge=1024, le=100_000_000)] = 16_777_216
    """Of one request once it is unpacked."""
    max_bodies_bytes: Annotated[int, Meta(ge=1024, le=1_000_000_000)] = 67_108_864
    """Of all requests that are being read at once."""
    max_records: Annotated[int, Meta(ge=1, le=100_000)] = 5_000
    """In one request."""
    records_per_s: Annotated[float, Meta(ge=0.0, le=1_000_000.0)] = 2_000.0
    """Of one token; 0 is no limit."""
    burst_records: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000
    """Of one token at once."""
    buffer_records: Annotated[int, Meta(ge=1, le=1_000_000)] = 50_000
    """That wait for Kafka."""
    buffer_bytes: Annotated[int, Meta(ge=1024, le=1_000_000_000)] = 67_108_864
    wait_ms: Annotated[int, Meta(ge=100, le=60_000)] = 5_000
    """How long a request waits for Kafka before it is told to come again."""


class ChannelPolicy(_Policy, frozen=True, kw_only=True):
    """Where notifications go. `url_env` names the environment variable that holds the address,
    `secret_env` that of the secret by which a webhook is signed; `template` is one of
    notification.templates."""

    kind: Literal["log", "webhook", "apprise"]
    url_env: str = ""
    secret_env: str = ""
    """For webhooks: signs them as Standard Webhooks says; not signed without."""
    min_level: Level = "info"
    rate_limited: bool = True
    """Whether notification.rate_limits hold for it."""
    template: Name | None = None


class TemplatePolicy(_Policy, frozen=True, kw_only=True):
    """Title and body of messages, in Jinja's language; empty leaves the text as it is."""

    title: Annotated[str, Meta(max_length=10_000)] = ""
    body: Annotated[str, Meta(max_length=10_000)] = ""


Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]
LocalTime = Annotated[
    str, Meta(pattern=r"^[0-9]{4}-[01][0-9]-[0-3][0-9]T([01][0-9]|2[0-3]):[0-5][0-9]$")
]


class TimeRangePolicy(_Policy, frozen=True, kw_only=True):
    """From `start_time` up to, not including, `end_time` of one day: "09:00", "24:00"."""

    start_time: Clock
    end_time: Clock


class TimeIntervalPolicy(_Policy, frozen=True, kw_only=True):
    """A time is in it when it is in every list that is not empty, with Alertmanager's names: week
    days and months by name, `monday:friday`; days of the month from its end too, `-3:-1`;
    `2026:2027`. All of it by the clock of `location`, an IANA time zone."""

    times: tuple[TimeRangePolicy, ...] = ()
    weekdays: tuple[str, ...] = ()
    days_of_month: tuple[str, ...] = ()
    months: tuple[str, ...] = ()
    years: tuple[str, ...] = ()
    location: str = "UTC"


class RotationPolicy(_Policy, frozen=True, kw_only=True):
    """`people` take turns of `days`, the first from `start` on, handed over at that time of day by
    the schedule's clock. With `active_time_intervals` it counts only within one of them."""

    people: tuple[Name, ...]
    start: LocalTime
    days: Annotated[int, Meta(ge=1, le=366)] = 7
    active_time_intervals: tuple[Name, ...] = ()


class OverridePolicy(_Policy, frozen=True, kw_only=True):
    """`person` is on call from `start` up to `end` in the place of whose turn it is."""

    person: Name
    start: LocalTime
    end: LocalTime


class SchedulePolicy(_Policy, frozen=True, kw_only=True):
    """Who is on call: the last override that holds, else the first rotation that counts, else
    everybody in it. Times are those of `location`, an IANA time zone."""

    rotations: tuple[RotationPolicy, ...]
    overrides: tuple[OverridePolicy, ...] = ()
    location: str = "UTC"


class ReceiverPolicy(_Policy, frozen=True, kw_only=True):
    """Whom a route tells: all of `channels`; each of `fallback`, in order, when one of them gave
    up, until one takes it."""

    channels: tuple[Name, ...]
    fallback: tuple[Name, ...] = ()
    send_resolved: bool = True


class NotifyRoutePolicy(_Policy, frozen=True, kw_only=True, rename={"continue_": "continue"}):
    """A node of the routing tree, with Alertmanager's names. What is left out comes from the
    parent; the root has group_wait 30 s, group_interval 5 min, repeat_interval 4 h, and
    receiver `default`, which is every channel unless notification.receivers says else.

    `group_by` names labels; ["..."] is a group per alert, [] one for the route.
    """

    receiver: Name | None = None
    matchers: tuple[str, ...] = ()
    continue_: bool = False
    group_by: tuple[str, ...] | None = None
    group_wait_ms: Millis | None = None
    group_interval_ms: PositiveMillis | None = None
    repeat_interval_ms: PositiveMillis | None = None
    inhibit_in_flight: bool | None = None
    """Nobody is told below level error while recovery is in flight; true at the root."""
    mute_time_intervals: tuple[Name, ...] = ()
    active_time_intervals: tuple[Name, ...] = ()
    """Names of notification.time_intervals: nobody is told within one of the first, or outside of
    all of the second. Not inherited, and not for the root."""
    routes: tuple["NotifyRoutePolicy", ...] = ()


class InhibitRulePolicy(_Policy, frozen=True, kw_only=True):
    """While an alert that matches `source_matchers` fires, those that match `target_matchers`
    and have the same `equal` labels are muted. A missing label counts as an empty one."""

    source_matchers: tuple[str, ...]
    target_matchers: tuple[str, ...]
    equal: tuple[str, ...] = ()


class RateLimitPolicy(_Policy, frozen=True, kw_only=True):
    """At most `count` messages in any `per_ms`, for each channel; the rest goes into a digest."""

    count: Annotated[int, Meta(ge=1, le=1000)]
    per_ms: PositiveMillis


class EscalationStepPolicy(_Policy, frozen=True, kw_only=True):
    """`after_ms` since the escalation began, all of `channels` are told, and the channels of
    whoever is on call in the schedules `on_call`."""

    after_ms: Millis = 0
    channels: tuple[Name, ...] = ()
    on_call: tuple[Name, ...] = ()


class EscalationPolicy(_Policy, frozen=True, kw_only=True):
    """Alerts that match climb the steps until they are acknowledged or resolved, whatever the
    routes say. The steps begin again `repeat_ms` after the last one; 0 is never."""

    matchers: tuple[str, ...]
    steps: tuple[EscalationStepPolicy, ...]
    repeat_ms: Millis = 0


def _rate_limits() -> dict[Level, RateLimitPolicy]:
    return {
        "critical": RateLimitPolicy(count=5, per_ms=300_000),
        "error": RateLimitPolicy(count=10, per_ms=900_000),
        "warning": RateLimitPolicy(count=20, per_ms=3_600_000),
    }


class NotificationPolicy(_Policy, frozen=True, kw_only=True):
    """N2 to N6: who is told what, and when. Levels without a rate limit have none; left out, they
    are critical 5 in 5 min, error 10 in 15 min, warning 20 in an hour."""

    resolve_timeout_ms: PositiveMillis = 300_000
    """What names no incident counts as resolved when it was not told again for this long."""
    route: NotifyRoutePolicy = NotifyRoutePolicy()
    receivers: dict[Name, ReceiverPolicy] = {}
    inhibit_rules: tuple[InhibitRulePolicy, ...] = ()
    escalations: dict[Name, EscalationPolicy] = {}
    time_intervals: dict[Name, tuple[TimeIntervalPolicy, ...]] = {}
    people: dict[Name, tuple[Name, ...]] = {}
    """By name, the channels that reach them."""
    schedules: dict[Name, SchedulePolicy] = {}
    templates: dict[Name, TemplatePolicy] = {}
    rate_limits: dict[Level, RateLimitPolicy] = msgspec.field(default_factory=_rate_limits)


def weights(*values: float) -> SeverityWeights:
    """Weights in the order low, medium, high, critical, fatal."""
    low, medium, high, critical, fatal = values
    return SeverityWeights(low=low, medium=medium, high=high, critical=critical, fatal=fatal)


class Topology(_Policy, frozen=True, kw_only=True):
    """The whole of topology.yaml."""

    version: Literal[1]
    environment: Name = "production"
    topics: dict[TopicRole, TopicPolicy]
    layers: dict[Name, LayerPolicy]
    severities: dict[str, Severity]
    """Severity by error type or category, for what no classification rule settles."""
    strategies: dict[Name, StrategyPolicy]
    routes: tuple[RoutePolicy, ...]
    services: dict[Name, ServicePolicy] = {}
    detectors: DetectorsPolicy = DetectorsPolicy()
    incidents: IncidentsPolicy = IncidentsPolicy()
    guards: GuardsPolicy = GuardsPolicy()
    verify: VerifyPolicy = VerifyPolicy()
    learning: LearningPolicy = LearningPolicy()
    prevention: PreventionPolicy = PreventionPolicy()
    dead_letters: DeadLetterPolicy = DeadLetterPolicy()
    record: RecordPolicy = RecordPolicy()
    gateway: GatewayPolicy = GatewayPolicy()
    retention: RetentionPolicy = RetentionPolicy()
    channels: dict[Name, ChannelPolicy] = {}
    notification: NotificationPolicy = NotificationPolicy()

    def topic(self, role: TopicRole) -> str:
        """The name of the topic that plays `role`."""
        return self.topics[role].name


TOPIC_ROLES: Final[tuple[TopicRole, ...]] = get_args(TopicRole)
