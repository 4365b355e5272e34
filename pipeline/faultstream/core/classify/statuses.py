"""What an HTTP status says of an error, where nothing says more."""

from typing import Final

from faultstream.core.classify.knowledge import Spec
from faultstream.core.group import Category
from faultstream.core.severity import Severity


def _spec(category: Category, severity: Severity, transient: bool, status: int) -> Spec:
    return Spec(category, severity, transient, status, f"status:{status}")


_STATUS: Final[dict[int, Spec]] = {
    400: _spec("validation", "low", False, 400),
    401: _spec("security", "medium", False, 401),
    402: _spec("business", "low", False, 402),
    403: _spec("security", "medium", False, 403),
    404: _spec("business", "low", False, 404),
    407: _spec("security", "medium", False, 407),
    408: _spec("timeout", "medium", True, 408),
    409: _spec("business", "low", False, 409),
    410: _spec("business", "low", False, 410),
    413: _spec("validation", "low", False, 413),
    422: _spec("validation", "low", False, 422),
    423: _spec("business", "low", True, 423),
    425: _spec("rate_limit", "medium", True, 425),
    429: _spec("rate_limit", "medium", True, 429),
    451: _spec("security", "low", False, 451),
    500: _spec("dependency", "high", False, 500),
    502: _spec("dependency", "high", True, 502),
    503: _spec("dependency", "high", True, 503),
    504: _spec("timeout", "medium", True, 504),
    505: _spec("configuration", "medium", False, 505),
    507: _spec("resource", "critical", False, 507),
}


def of_status(status: int | None) -> Spec | None:
    """The usual verdict on a status of 400 to 599, None for others."""
    if status is None or not 400 <= status <= 599:
        return None
    return _STATUS.get(status) or _STATUS[status // 100 * 100]
