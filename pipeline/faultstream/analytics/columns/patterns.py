"""Every revision of every pattern."""

from typing import Any, Final

import pyarrow as pa

from faultstream.analytics.columns.base import (
    BOOL,
    F64,
    I64,
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
from faultstream.core.records import Edge, Pattern
from faultstream.wire import decode

EDGES: Final = pa.list_(
    pa.struct([("source", STRING), ("target", STRING), ("lag_ms", I64), ("count", U64)])
)


def _edge(edge: Edge) -> dict[str, Any]:
    return {
        "source": edge.source,
        "target": edge.target,
        "lag_ms": within(edge.lag_ms, -(2**63), 2**63 - 1),
        "count": within(edge.count, 0, 2**64 - 1),
    }


COLUMNS: Final[tuple[Column[Pattern], ...]] = (
    Column("pattern_id", STRING, lambda r: r.pattern_id),
    Column("revision", U32, lambda r: within(r.revision, 0, 2**32 - 1)),
    Column("kind", WORD, lambda r: r.kind),
    Column("state", WORD, lambda r: r.state),
    Column("environment", WORD, lambda r: r.environment),
    Column("service", WORD, lambda r: r.service),
    Column("layer", WORD, lambda r: r.layer),
    Column("fingerprint", STRING, lambda r: r.fingerprint),
    Column("error_type", WORD, lambda r: r.error_type),
    Column("category", WORD, lambda r: r.category),
    Column("severity", WORD, lambda r: r.severity),
    Column("transient", BOOL, lambda r: r.transient),
    Column("first_at", TIME, lambda r: r.first_at_ms),
    Column("last_at", TIME, lambda r: r.last_at_ms),
    Column("detected_at", TIME, lambda r: r.detected_at_ms),
    Column("closed_at", TIME, lambda r: r.closed_at_ms),
    Column("count", U64, lambda r: within(r.count, 0, 2**64 - 1)),
    Column("rate", F64, lambda r: r.rate),
    Column("baseline", F64, lambda r: r.baseline),
    Column("confidence", F64, lambda r: r.confidence),
    Column("affected_services", WORDS, lambda r: r.affected.services),
    Column("affected_layers", WORDS, lambda r: r.affected.layers),
    Column("edges", EDGES, lambda r: [_edge(edge) for edge in r.edges]),
    Column("root", WORD, lambda r: r.root),
    Column("evidence", WORDS, lambda r: r.evidence),
    Column("traces", WORDS, lambda r: r.traces),
    Column("parents", WORDS, lambda r: r.parents),
    Column("suggested_actions", WORDS, lambda r: r.suggested_actions),
    Column("reason", STRING, lambda r: r.reason),
    Column("experiment_id", WORD, lambda r: r.experiment_id),
    Column("expected_at", TIME, lambda r: r.expected_at_ms),
    Column("due_at", TIME, lambda r: r.due_at_ms),
    Column("came_true", BOOL, lambda r: r.came_true),
    Column("operation", WORD, lambda r: r.operation),
    Column("dependency", WORD, lambda r: r.dependency),
    Column("named", WORDS, lambda r: r.named),
    Column("caller_left", BOOL, lambda r: r.left),
)


def builder(_: Topology) -> Plain[Pattern]:
    """Rows of `pattern_log`."""
    return Plain("pattern_log", lambda record: decode(Pattern, record.value), COLUMNS)
