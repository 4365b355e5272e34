"""FaultError: a root for an application's own exceptions that says what recovery should know.

The reporter reads its fields, middleware answers with them. Subclasses set class attributes; what
differs from case to case is given when it is raised.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

import msgspec

from faultstream.client.uuid7 import uuid7
from faultstream.core.severity import Severity

MAX_DELAY_S: Final = 60.0


class Recovery(msgspec.Struct, frozen=True):
    """What was tried before the caller was told, for the answer of a web application."""

    attempted: bool = False
    success: bool = False
    message: str = ""
    actions: tuple[str, ...] = ()


class FaultError(Exception):
    """An error with context, severity, a retry count and an id of its own.

    `error_id` becomes the id of the event, so that a log, an answer and an event can be joined.
    `context` becomes tags, scrubbed like all others. May be pickled as long as a subclass takes
    its message as the first argument and needs no other.
    """

    severity: Severity | None = "medium"
    """None leaves it to classification."""
    category: str = ""
    recoverable: bool = True
    max_retries: int = 3
    http_status: int | None = None
    public: str = ""
    """What strangers may read instead of the message; empty for the status's own phrase."""
    factor: ClassVar[float] = 2.0
    retry_count: int
    context: dict[str, object]
    error_id: str
    recovery: Recovery

    def __new__(cls, *args: object, **_: object) -> Self:
        """Whole also where a subclass does not call our constructor."""
        made = super().__new__(cls, *args)
        made.retry_count = 0
        made.context = {}
        made.error_id = uuid7()
        made.recovery = Recovery()
        return made

    def __init__(
        self,
        message: str = "",
        *,
        severity: Severity | None = None,
        category: str | None = None,
        recoverable: bool | None = None,
        retry_count: int = 0,
        max_retries: int | None = None,
        http_status: int | None = None,
        context: Mapping[str, object] | None = None,
        error_id: str = "",
        recovery: Recovery | None = None,
        public: str | None = None,
    ) -> None:
        super().__init__(message)
        given: dict[str, Any] = {
            "severity": severity,
            "category": category,
            "recoverable": recoverable,
            "max_retries": max_retries,
            "http_status": http_status,
            "public": public,
        }
        for name, value in given.items():
            if value is not None:
                setattr(self, name, value)
        self.retry_count = retry_count
        self.context = dict(context or {})
        self.error_id = error_id or self.error_id
        self.recovery = recovery or self.recovery

    @property
    def should_retry(self) -> bool:
        """Whether another attempt makes sense: recoverable, and attempts are left."""
        return self.recoverable and self.retry_count < self.max_retries

    @property
    def retry_delay_s(self) -> float:
        """Seconds to wait before the next attempt: 2 to the power of `retry_count`, at most 60."""
        try:
            return min(MAX_DELAY_S, self.factor ** max(0, self.retry_count))
        except OverflowError:
            return MAX_DELAY_S
