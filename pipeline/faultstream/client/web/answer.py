"""What a client of a web application is told about an error, and with which HTTP status.

The message of an exception is for us, not for strangers: they get the `public` text of a
FaultError, else the status's own phrase.
"""

import http
import math
from typing import Any, Final, Literal, NamedTuple

import msgspec

from faultstream.client.about import about
from faultstream.client.breaker import CallNotPermittedError
from faultstream.client.bulkhead import BulkheadFullError
from faultstream.client.detail import text_of
from faultstream.client.fault import FaultError, Recovery
from faultstream.client.throttle import RequestNotPermittedError
from faultstream.client.timeout import CallTimeoutError
from faultstream.core.severity import Severity
from faultstream.core.status import status_of

_STATUS: Final[tuple[tuple[type[BaseException], int], ...]] = (
    (RequestNotPermittedError, 429),
    (CallNotPermittedError, 503),
    (BulkheadFullError, 503),
    (CallTimeoutError, 504),
)
"""Our own refusals. An application's TimeoutError and the like are told apart by `describe`."""


class ErrorPart(msgspec.Struct, frozen=True):
    """Which error it was. `type` is the class without its module."""

    type: str
    message: str
    id: str
    severity: Severity


class Body(msgspec.Struct, frozen=True):
    """The JSON body."""

    error: ErrorPart
    recovery: Recovery


class Answer(NamedTuple):
    """A whole response; `headers` are names in lower case and values."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def answer(exc: BaseException, event_id: str, *, request_id: str = "") -> Answer:
    """The response to a request that ended in `exc`, which was reported as `event_id`.

    The status is the first that is known: `http_status` (of a FaultError or by `describe`), that
    of a refusal by one of our primitives, that of the category, that of the severity, 500.
    """
    details = about(exc)
    status = _status(exc, details.get("http_status"), details.get("category", ""),
                     details.get("severity") or "")  # fmt: skip
    retry_s = _retry_s(exc)
    public = exc.public if isinstance(exc, FaultError) else ""
    body = Body(
        ErrorPart(
            type=type(exc).__name__,
            message=text_of(public) or _phrase(status),
            id=event_id,
            severity=details.get("severity") or _severity(status),
        ),
        _recovery(exc, retry_s),
    )
    headers = [("content-type", "application/json"), ("cache-control", "no-store")]
    if request_id:
        headers.append(("x-request-id", request_id))
    if retry_s is not None:
        headers.append(("retry-after", str(retry_s)))
    encoded = msgspec.json.encode(body)
    return Answer(status, [*headers, ("content-length", str(len(encoded)))], encoded)


def _status(exc: BaseException, given: object, category: str, severity: str) -> int:
    if isinstance(given, int) and 400 <= given <= 599:
        return int(given)
    for kind, status in _STATUS:
        if isinstance(exc, kind):
            return status
    return status_of(category, severity)


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _severity(status: int) -> Literal["medium", "high"]:
    return "high" if status >= 500 else "medium"


def _retry_s(exc: BaseException) -> int | None:
    """Whole seconds after which asking again makes sense, None when nobody knows."""
    if isinstance(exc, FaultError):
        return math.ceil(exc.retry_delay_s) if exc.should_retry else None
    if isinstance(exc, CallNotPermittedError | RequestNotPermittedError):
        return max(1, math.ceil(exc.retry_after_ms / 1000))
    return None


def _recovery(exc: BaseException, retry_s: int | None) -> Recovery:
    known: Any = exc.recovery if isinstance(exc, FaultError) else Recovery()
    recovery: Recovery = known
    if retry_s is None or recovery.actions:
        return recovery
    return msgspec.structs.replace(recovery, actions=(f"retry after {retry_s} s",))
