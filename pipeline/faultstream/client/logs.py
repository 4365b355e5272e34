"""A logging handler that reports; it never reports what reporting itself logs."""

import logging
import threading
from typing import TYPE_CHECKING, Final

from faultstream.client.about import reported

if TYPE_CHECKING:
    from faultstream.client.reporter import Reporter
    from faultstream.core.severity import Severity

_LOGGED: Final = "faultstream_logged"
"""Stands in the `__dict__` of exceptions that were reported because they were logged."""
IGNORED: Final = ("aiokafka", "kafka", "faultstream")


class ReportHandler(logging.Handler):
    """Reports records at or above its level, with the exception when there is one.

    Records of the loggers aiokafka, kafka and faultstream, of the reporter's own thread, and those
    that are logged while a record is being reported, are left alone; and so are exceptions that
    something else reported before they were logged, such as a capture, a hook or middleware.
    """

    def __init__(self, reporter: "Reporter", level: int) -> None:
        super().__init__(level)
        self._reporter = reporter
        self._busy = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        """Report one record; never raises."""
        if record.name.split(".", 1)[0] in IGNORED or getattr(self._busy, "now", False):
            return
        self._busy.now = True
        try:
            self._emit(record)
        except Exception:  # noqa: BLE001 - a record that cannot be formatted, for one
            self.handleError(record)
        finally:
            self._busy.now = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002 - logging's
        """Count it; the standard handler would print to standard error."""
        self._reporter.refuse("unreadable")

    def _emit(self, record: logging.LogRecord) -> None:
        exc = record.exc_info[1] if record.exc_info else None
        if exc is not None:
            if reported(exc) and not exc.__dict__.get(_LOGGED):
                return
            exc.__dict__[_LOGGED] = True  # an object that is raised again is an error again
        self._reporter.report(
            exc if exc is not None else "LoggedError",
            record.getMessage(),
            component=record.name,
            function=record.funcName or "",
            severity=_severity(record.levelno),
            tags={"logger": record.name, "level": record.levelname},
        )


def _severity(level: int) -> "Severity | None":
    """CRITICAL is critical, below ERROR is low; ERROR is left to classification."""
    if level >= logging.CRITICAL:
        return "critical"
    return None if level >= logging.ERROR else "low"
