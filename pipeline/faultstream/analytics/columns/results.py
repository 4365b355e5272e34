"""What executors answered."""

from typing import Final

from faultstream.analytics.columns.base import (
    F64,
    I64,
    STRING,
    TIME,
    WORD,
    Column,
    Plain,
    within,
)
from faultstream.core.policy import Topology
from faultstream.core.records import RecoveryResult
from faultstream.wire import decode, dumps

COLUMNS: Final[tuple[Column[RecoveryResult], ...]] = (
    Column("result_id", STRING, lambda r: r.result_id),
    Column("command_id", STRING, lambda r: r.command_id),
    Column("incident_id", STRING, lambda r: r.incident_id),
    Column("environment", WORD, lambda r: r.environment),
    Column("service", WORD, lambda r: r.service),
    Column("strategy", WORD, lambda r: r.strategy),
    Column("executor", WORD, lambda r: r.executor),
    Column("instance", WORD, lambda r: r.instance),
    Column("status", WORD, lambda r: r.status),
    Column("step", STRING, lambda r: r.step),
    Column("progress_ratio", F64, lambda r: r.progress_ratio),
    Column("started_at", TIME, lambda r: r.started_at_ms),
    Column("finished_at", TIME, lambda r: r.finished_at_ms),
    Column("duration_ms", I64, lambda r: within(r.duration_ms, -(2**63), 2**63 - 1)),
    Column("message", STRING, lambda r: r.message),
    Column("details", STRING, lambda r: dumps(r.details).decode()),
)


def builder(_: Topology) -> Plain[RecoveryResult]:
    """Rows of `result_log`."""
    return Plain("result_log", lambda record: decode(RecoveryResult, record.value), COLUMNS)
