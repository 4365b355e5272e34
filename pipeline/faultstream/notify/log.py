"""The channel `log`: one line in the worker's log."""

from typing import Final

import structlog

from faultstream.core.records import Level, Notification

NOTIFICATION: Final = "notification"

_METHODS: Final[dict[Level, str]] = {
    "info": "info",
    "warning": "warning",
    "error": "error",
    "critical": "critical",
}


class LogChannel:
    """Never fails."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("faultstream.notify")

    async def send(self, notification: Notification) -> int:
        """Log it at its level; always 1."""
        getattr(self._log, _METHODS[notification.level])(
            NOTIFICATION,
            title=notification.title,
            body=notification.body,
            environment=notification.environment,
            incident_id=notification.incident_id,
            notification_id=notification.notification_id,
            reason=notification.reason,
        )
        return 1

    async def close(self) -> None:
        """Nothing to let go of."""
