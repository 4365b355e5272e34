"""Every revision of every incident."""

from typing import Final

import msgspec
import pyarrow as pa

from faultstream.analytics.columns.base import (
    BOOL,
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
from faultstream.core.records import Attempt, Incident
from faultstream.wire import decode

ATTEMPTS: Final = pa.list_(pa.struct([(name, STRING) for name in Attempt.__struct_fields__]))


def _attempt(attempt: Attempt) -> dict[str, str]:
    return msgspec.structs.asdict(attempt)


COLUMNS: Final[tuple[Column[Incident], ...]] = (
    Column("incident_id", STRING, lambda r: r.incident_id),
    Column("revision", U32, lambda r: within(r.revision, 0, 2**32 - 1)),
    Column("state", WORD, lambda r: r.state),
    Column("severity", WORD, lambda r: r.severity),
    Column("environment", WORD, lambda r: r.environment),
    Column("root", WORD, lambda r: r.root),
    Column("pattern_ids", WORDS, lambda r: r.pattern_ids),
    Column("attempts", ATTEMPTS, lambda r: [_attempt(attempt) for attempt in r.attempts]),
    Column("first_error_at", TIME, lambda r: r.first_error_at_ms),
    Column("opened_at", TIME, lambda r: r.opened_at_ms),
    Column("updated_at", TIME, lambda r: r.updated_at_ms),
    Column("resolved_at", TIME, lambda r: r.resolved_at_ms),
    Column("reason", STRING, lambda r: r.reason),
    Column("experiment_id", WORD, lambda r: r.experiment_id),
    Column("false_alarm", BOOL, lambda r: r.false_alarm),
)


def builder(_: Topology) -> Plain[Incident]:
    """Rows of `incident_log`."""
    return Plain("incident_log", lambda record: decode(Incident, record.value), COLUMNS)
