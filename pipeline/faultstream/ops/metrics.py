"""Every metric of the pipeline, in one place. Labels are bounded sets, never ids or messages."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY: Final = CollectorRegistry()

# Each record of an input topic ends in exactly one outcome, so the sum equals the input:
# tallied (used), late, duplicate (a replay below the guard), dead_lettered, ignored (record only).
RECORDS: Final = Counter(
    "faultstream_records_total",
    "Records of the input topics by what became of them.",
    ["worker", "topic", "outcome"],
    registry=REGISTRY,
)
# Records that went to the dead letters, by who refused them; `bug` is our own fault.
DEAD_LETTERS: Final = Counter(
    "faultstream_dead_letters_total",
    "Records sent to the dead letters.",
    ["worker", "stage"],
    registry=REGISTRY,
)
# Services of a partition past `max_services_per_partition` that lost their place to a new one.
SERVICES_FORGOTTEN: Final = Counter(
    "faultstream_services_forgotten_total",
    "Services that were forgotten for want of places.",
    registry=REGISTRY,
)
# Times that a service found no place, because all were busy; its events counted as __other__.
SERVICES_FOLDED: Final = Counter(
    "faultstream_services_folded_total",
    "Times that a service was counted as __other__.",
    registry=REGISTRY,
)
# What a worker published: patterns, incidents, commands, notifications.
OUTPUTS: Final = Counter(
    "faultstream_outputs_total",
    "Records published, by topic.",
    ["worker", "topic"],
    registry=REGISTRY,
)
# Checkpoints, and those put off because the broker, the sink or the fence said no.
CHECKPOINTS: Final = Counter(
    "faultstream_checkpoints_total",
    "Checkpoints by how they ended.",
    ["worker", "outcome"],
    registry=REGISTRY,
)
CHECKPOINT_SECONDS: Final = Histogram(
    "faultstream_checkpoint_seconds",
    "How long a checkpoint took, from the snapshot to the acknowledgement.",
    ["worker"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    registry=REGISTRY,
)
# Records behind the end of the log.
LAG: Final = Gauge(
    "faultstream_lag_records",
    "Records that are in the log and not finished, over the partitions of this worker.",
    ["worker"],
    registry=REGISTRY,
)
# How long ago the newest record handled was written, when it was handled.
DELAY_SECONDS: Final = Histogram(
    "faultstream_delay_seconds",
    "From the record's timestamp to its handling, for the last record of each run.",
    ["worker"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0),
    registry=REGISTRY,
)
# Keys in memory.
KEYS: Final = Gauge(
    "faultstream_keys_count",
    "Keys with state in memory.",
    ["worker"],
    registry=REGISTRY,
)
# Notifications handed to the channels.
NOTIFICATIONS: Final = Counter(
    "faultstream_notifications_total",
    "Notifications by how their delivery ended.",
    ["outcome"],
    registry=REGISTRY,
)
# What was decided about notifications; the reasons stand in the log.
DECISIONS: Final = Counter(
    "faultstream_notification_decisions_total",
    "Decisions about notifications by kind.",
    ["kind"],
    registry=REGISTRY,
)
# The gateway: requests by route (a fixed list) and status, and how long they took.
GATEWAY_REQUESTS: Final = Counter(
    "faultstream_gateway_requests_total",
    "Requests to the gateway by route and status.",
    ["route", "status"],
    registry=REGISTRY,
)
GATEWAY_SECONDS: Final = Histogram(
    "faultstream_gateway_request_seconds",
    "How long requests to the gateway took, Kafka's answer included.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    registry=REGISTRY,
)
# Each record in a request ends in exactly one outcome: accepted (Kafka has it), duplicate (was
# accepted before), refused, ignored (no error, such as a session), limited, unavailable.
GATEWAY_RECORDS: Final = Counter(
    "faultstream_gateway_records_total",
    "Records in requests to the gateway, by format and what became of them.",
    ["format", "outcome"],
    registry=REGISTRY,
)
GATEWAY_WAITING: Final = Gauge(
    "faultstream_gateway_waiting_records",
    "Records that wait in the gateway for Kafka.",
    registry=REGISTRY,
)

METRICS: Final[tuple[Counter | Gauge | Histogram, ...]] = (
    RECORDS,
    DEAD_LETTERS,
    SERVICES_FORGOTTEN,
    SERVICES_FOLDED,
    OUTPUTS,
    CHECKPOINTS,
    CHECKPOINT_SECONDS,
    LAG,
    DELAY_SECONDS,
    KEYS,
    NOTIFICATIONS,
    DECISIONS,
    GATEWAY_REQUESTS,
    GATEWAY_SECONDS,
    GATEWAY_RECORDS,
    GATEWAY_WAITING,
)
