"""Reads what the last hours were like: errors, incidents and recoveries in sums."""

from collections.abc import Sequence
from typing import Any, Final

from faultstream.analytics.client import Connection

MOST: Final = 50
_TOTALS: Final = """SELECT sum(e.errors), sumIf(e.errors, severity IN ('critical', 'fatal')),
  uniqExact(service) FROM errors_per_minute AS e
WHERE minute >= now() - toIntervalHour({hours:UInt32}) AND NOT experiment"""
_SERVICES: Final = """SELECT environment, service, sum(e.errors) AS errors, sum(e.grave) AS grave,
  max(hour) AS latest FROM error_summary_over(hours = {hours:UInt32}) AS e
GROUP BY environment, service ORDER BY errors DESC, service LIMIT 50"""
_CATEGORIES: Final = """SELECT category, sum(e.errors) AS errors FROM errors_per_minute AS e
WHERE minute >= now() - toIntervalHour({hours:UInt32}) AND NOT experiment
GROUP BY category ORDER BY errors DESC"""
_TOP: Final = """SELECT environment, service, error_type, category, fingerprint, template, errors,
  first_at, last_at FROM top_errors_over(hours = {hours:UInt32}) LIMIT 20"""
_INCIDENTS: Final = """SELECT count(), countIf(state NOT IN ('resolved', 'closed')),
  countIf(state = 'escalated'), countIf(state IN ('resolved', 'closed')),
  round(avgOrNullIf(dateDiff('millisecond', first_error_at, opened_at), true) / 1000, 3),
  round(avgOrNullIf(dateDiff('millisecond', first_error_at, resolved_at),
    resolved_at IS NOT NULL) / 1000, 3)
FROM incidents
WHERE experiment_id = '' AND opened_at >= now64(3) - toIntervalHour({hours:UInt32})"""
_STRATEGIES: Final = """SELECT strategy, count() AS tries, countIf(outcome = 'cured') AS cured
FROM incident_attempts WHERE rollback_of = '' AND outcome NOT IN
  ('pending', 'running', 'done', 'dry_run', 'cancelled', 'refused') -- as in recovery_success
  AND opened_at >= now64(3) - toIntervalHour({hours:UInt32})
  AND incident_id IN (SELECT incident_id FROM incidents WHERE experiment_id = '')
GROUP BY strategy ORDER BY tries DESC, strategy"""


def summary(connection: Connection, hours: int) -> dict[str, Any]:
    """The last `hours`, 1 to 8,784, as JSON values; experiments are left out.

    Raises:
        SinkAway, SinkRefused: as every question; code 60 or 81 means nothing was recorded.
    """
    asked = {"hours": str(hours)}

    def rows(sql: str, *names: str) -> list[dict[str, Any]]:
        found: Sequence[Any] = connection.rows(sql, asked)
        return [dict(zip(names, row, strict=True)) for row in found]

    (errors,) = rows(_TOTALS, "errors", "grave", "services")
    (incidents,) = rows(
        _INCIDENTS, "opened", "open", "escalated", "over", "mean_detect_s", "mean_recover_s"
    )
    return {
        "hours": hours,
        **errors,
        "by_service": rows(_SERVICES, "environment", "service", "errors", "grave", "last_hour"),
        "by_category": rows(_CATEGORIES, "category", "errors"),
        "top": rows(
            _TOP, "environment", "service", "error_type", "category", "fingerprint", "template",
            "errors", "first_at", "last_at",
        ),
        "incidents": incidents,
        "strategies": rows(_STRATEGIES, "strategy", "tries", "cured"),
    }  # fmt: skip
