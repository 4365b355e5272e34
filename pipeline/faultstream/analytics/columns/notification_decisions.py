"""What was decided about notifications, and why."""

from typing import Final

from faultstream.analytics.columns.base import STRING, TIME, WORD, WORDS, Column, Plain
from faultstream.core.notify.decision import NotificationDecision
from faultstream.core.policy import Topology
from faultstream.wire import decode

COLUMNS: Final[tuple[Column[NotificationDecision], ...]] = (
    Column("decision_id", STRING, lambda r: r.decision_id),
    Column("kind", WORD, lambda r: r.kind),
    Column("environment", WORD, lambda r: r.environment),
    Column("decided_at", TIME, lambda r: r.decided_at_ms),
    Column("reason", STRING, lambda r: r.reason),
    Column("notification_ids", WORDS, lambda r: r.notification_ids),
    Column("message_id", STRING, lambda r: r.message_id),
    Column("channel", WORD, lambda r: r.channel),
    Column("receiver", WORD, lambda r: r.receiver),
    Column("group", STRING, lambda r: r.group),
    Column("level", WORD, lambda r: r.level),
    Column("title", STRING, lambda r: r.title),
)


def builder(_: Topology) -> Plain[NotificationDecision]:
    """Rows of `notification_decision_log`."""
    return Plain(
        "notification_decision_log",
        lambda record: decode(NotificationDecision, record.value),
        COLUMNS,
    )
