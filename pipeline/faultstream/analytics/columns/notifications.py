"""What a person should know."""

from typing import Final

from faultstream.analytics.columns.base import (
    MAP,
    STRING,
    TIME,
    U32,
    WORD,
    WORDS,
    Column,
    Plain,
    within,
)
from faultstream.core.policy import Topology
from faultstream.core.records import Notification
from faultstream.wire import decode

COLUMNS: Final[tuple[Column[Notification], ...]] = (
    Column("notification_id", STRING, lambda r: r.notification_id),
    Column("group", WORD, lambda r: r.group),
    Column("level", WORD, lambda r: r.level),
    Column("status", WORD, lambda r: r.status),
    Column("title", STRING, lambda r: r.title),
    Column("body", STRING, lambda r: r.body),
    Column("environment", WORD, lambda r: r.environment),
    Column("incident_id", STRING, lambda r: r.incident_id),
    Column("pattern_ids", WORDS, lambda r: r.pattern_ids),
    Column("step", U32, lambda r: within(r.step, 0, 2**32 - 1)),
    Column("reason", STRING, lambda r: r.reason),
    Column("labels", MAP, lambda r: list(r.labels.items())),
    Column("created_at", TIME, lambda r: r.created_at_ms),
    Column("experiment_id", WORD, lambda r: r.experiment_id),
)


def builder(_: Topology) -> Plain[Notification]:
    """Rows of `notification_log`."""
    return Plain("notification_log", lambda record: decode(Notification, record.value), COLUMNS)
