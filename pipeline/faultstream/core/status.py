"""The HTTP status that belongs to an error, without the classifier and its data files."""

from typing import Final

BY_CATEGORY: Final[dict[str, int]] = {
    "network": 502,
    "timeout": 504,
    "database": 500,
    "resource": 503,
    "dependency": 502,
    "rate_limit": 429,
    "configuration": 500,
    "serialization": 400,
    "validation": 400,
    "security": 401,
    "business": 409,
    "code": 500,
    "system": 500,
}
BY_SEVERITY: Final[dict[str, int]] = {
    "low": 400,
    "medium": 500,
    "high": 503,
    "critical": 500,
    "fatal": 500,
}


def status_of(category: str = "", severity: str = "") -> int:
    """By category where that is known, else by severity, else 500."""
    return BY_CATEGORY.get(category) or BY_SEVERITY.get(severity, 500)
