"""NotificationDecision: what was decided about notifications, as a record of its own topic."""

from typing import ClassVar, Final

import msgspec

from faultstream.core.ids import derive
from faultstream.core.notify.state import Decision, Kind
from faultstream.core.records import Record

MOST_IDS: Final = 1_000
MOST_CHARS: Final = 2_000


class NotificationDecision(Record, kw_only=True):
    """One decision and its reason. Key: environment.

    `decision_id` counts the decisions of an environment in one log. They are published with the
    state that made them, so one that a crash undoes is not there.
    """

    ce_type: ClassVar[str] = "io.faultstream.notification.decided.v1"

    decision_id: str
    kind: Kind
    environment: str
    decided_at_ms: int
    reason: str
    notification_ids: list[str] = msgspec.field(default_factory=list)
    """Those that it is about, at most MOST_IDS; none when the message is a digest."""
    message_id: str = ""
    channel: str = ""
    receiver: str = ""
    group: str = ""
    level: str = ""
    title: str = ""
    """Level and title of the message; "" when it is about no message."""


def records(environment: str, decision: Decision) -> list[NotificationDecision]:
    """The records of a decision that was made in `environment`: one for each MOST_IDS
    notifications, and at least one. Reason and title are cut at MOST_CHARS."""
    ids = decision.notification_ids
    return [
        NotificationDecision(
            decision_id=derive("part", decision.decision_id, at) if at else decision.decision_id,
            kind=decision.kind,
            environment=environment,
            decided_at_ms=decision.at_ms,
            reason=decision.reason[:MOST_CHARS],
            notification_ids=list(ids[at : at + MOST_IDS]),
            message_id=decision.message_id,
            channel=decision.channel,
            receiver=decision.receiver,
            group=decision.group.replace("\x1f", " ").strip(),
            level=decision.level,
            title=decision.title[:MOST_CHARS],
        )
        for at in range(0, max(1, len(ids)), MOST_IDS)
    ]
