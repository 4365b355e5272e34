"""What was commanded."""

from typing import Final

from faultstream.analytics.columns.base import (
    BOOL,
    STRING,
    TIME,
    U32,
    U64,
    WORD,
    WORDS,
    Column,
    Plain,
    within,
)
from faultstream.core.policy import Topology
from faultstream.core.records import RecoveryCommand
from faultstream.wire import decode, dumps


def _listed(instances: str | list[str]) -> list[str]:
    return [instances] if isinstance(instances, str) else instances


COLUMNS: Final[tuple[Column[RecoveryCommand], ...]] = (
    Column("command_id", STRING, lambda r: r.command_id),
    Column("incident_id", STRING, lambda r: r.incident_id),
    Column("attempt", U32, lambda r: within(r.attempt, 0, 2**32 - 1)),
    Column("step", U32, lambda r: within(r.step, 0, 2**32 - 1)),
    Column("workflow", WORD, lambda r: r.workflow),
    Column("step_id", WORD, lambda r: r.step_id),
    Column("strategy", WORD, lambda r: r.strategy),
    Column("parameters", STRING, lambda r: dumps(r.parameters).decode()),
    Column("environment", WORD, lambda r: r.target.environment),
    Column("service", WORD, lambda r: r.target.service),
    Column("layer", WORD, lambda r: r.target.layer),
    Column("instances", WORDS, lambda r: _listed(r.target.instances)),
    Column("delivery", WORD, lambda r: r.delivery),
    Column("reason", STRING, lambda r: r.reason),
    Column("priority", WORD, lambda r: r.priority),
    Column("issued_at", TIME, lambda r: r.issued_at_ms),
    Column("expires_at", TIME, lambda r: r.expires_at_ms),
    Column("timeout_ms", U64, lambda r: within(r.timeout_ms, 0, 2**64 - 1)),
    Column("dry_run", BOOL, lambda r: r.dry_run),
    Column("approved_by", STRING, lambda r: r.approved_by),
    Column("rollback_of", STRING, lambda r: r.rollback_of),
    Column("experiment_id", WORD, lambda r: r.experiment_id),
)


def builder(_: Topology) -> Plain[RecoveryCommand]:
    """Rows of `command_log`."""
    return Plain("command_log", lambda record: decode(RecoveryCommand, record.value), COLUMNS)
