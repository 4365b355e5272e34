"""Reads how things stand now: a handful of questions that cost the same whatever the history."""

# ruff: noqa: S608 - what is put into statements are names and numbers of ours, never values

import json
from typing import Any, Final

from faultstream.analytics.chain import fresh
from faultstream.analytics.client import Connection
from faultstream.core.report import live

MOST: Final = 200
"""Patterns, incidents and holds that are read."""
STEPS: Final = 20
DAYS: Final = 30
"""An incident that nobody has touched for longer is not shown as open."""
_MS: Final = "toUnixTimestamp64Milli"
_DAY: Final = "ingested_at >= now() - toIntervalDay(1)"
_LASTS: Final = ("hold_ms", "open_ms", "ttl_ms")
"""Parameters that say how long something holds."""

_MINUTES: Final = f"""SELECT toUnixTimestamp(minute) * 1000, environment, service, sum(e.errors),
  sumIf(e.errors, severity IN ('critical', 'fatal'))
FROM errors_per_minute AS e
WHERE NOT experiment AND minute > now() - toIntervalMinute({live.MINUTES + 1})
GROUP BY minute, environment, service ORDER BY minute, environment, service"""
_LAYERS: Final = """SELECT environment, service, argMax(toString(layer), time) FROM errors
WHERE toStartOfHour(time) >= toStartOfHour(now() - toIntervalMinute(10))
  AND time > now() - toIntervalMinute(10) AND layer != '' GROUP BY environment, service"""
# Which ones is asked of few columns of few days first, and the rest by key: what is open costs the
# same whatever was before.
_PATTERNS: Final = f"""SELECT pattern_id, kind, environment, service, layer, error_type,
  toString(severity), count, rate, {_MS}(first_at), {_MS}(last_at), reason
FROM (SELECT * FROM pattern_log WHERE pattern_id IN (
    SELECT pattern_id FROM pattern_log WHERE {_DAY} AND experiment_id = '' GROUP BY pattern_id
    HAVING argMax(state, (revision, offset)) != 'closed'
    ORDER BY max(last_at) DESC, pattern_id LIMIT {MOST})
  ORDER BY pattern_id, revision DESC, offset DESC LIMIT 1 BY pattern_id)
ORDER BY last_at DESC, pattern_id"""
_INCIDENTS: Final = f"""SELECT incident_id, environment, root, toString(severity), state,
  {_MS}(first_error_at), {_MS}(opened_at), {_MS}(updated_at), {_MS}(resolved_at), reason,
  attempts, experiment_id
FROM (SELECT * FROM incident_log WHERE incident_id IN (
    SELECT incident_id FROM incident_log WHERE ingested_at >= now() - toIntervalDay({DAYS})
    GROUP BY incident_id
    HAVING argMax(state, (updated_at, revision, offset)) NOT IN ('resolved', 'closed')
      OR max(updated_at) > now64(3) - toIntervalHour(1)
    ORDER BY max(opened_at) DESC, incident_id LIMIT {MOST})
  ORDER BY incident_id, updated_at DESC, revision DESC, offset DESC LIMIT 1 BY incident_id)
ORDER BY state IN ('resolved', 'closed'), opened_at DESC, incident_id"""
_STEPS: Final = f"""SELECT incident_id, {_MS}(updated_at) AS at, state, reason
FROM incident_log WHERE has({{ids:Array(String)}}, incident_id)
ORDER BY incident_id, revision, offset DESC LIMIT 1 BY incident_id, revision"""
_HOLDS: Final = f"""SELECT c.command_id, c.environment, c.service, c.strategy, c.parameters,
  {_MS}(any(c.expires_at)), count() AS instances,
  {_MS}(min(r.finished_at)), {_MS}(max(r.finished_at))
FROM (SELECT * FROM command_log WHERE {_DAY} AND NOT dry_run AND rollback_of = ''
  ORDER BY command_id, offset DESC LIMIT 1 BY command_id) AS c
INNER JOIN (SELECT * FROM result_log WHERE {_DAY} AND status IN ('success', 'partial')
  ORDER BY result_id, offset DESC LIMIT 1 BY result_id) AS r
  ON r.command_id = c.command_id
WHERE c.command_id NOT IN (SELECT rollback_of FROM command_log WHERE {_DAY})
GROUP BY c.command_id, c.environment, c.service, c.strategy, c.parameters
ORDER BY max(r.finished_at) DESC, c.command_id LIMIT {MOST}"""


def facts(connection: Connection) -> live.Facts:
    """The facts of now.

    Raises:
        SinkAway, SinkRefused: as every question; code 60 or 81 means nothing was recorded.
    """
    stored_at_ms, now_ms = fresh(connection)
    return live.Facts(
        now_ms=now_ms,
        stored_at_ms=stored_at_ms,
        minutes=[live.Minute(*row) for row in connection.rows(_MINUTES)],
        layers={(row[0], row[1]): row[2] for row in connection.rows(_LAYERS)},
        patterns=[live.OpenPattern(*row) for row in connection.rows(_PATTERNS)],
        incidents=_incidents(connection),
        holds=_holds(connection, now_ms),
    )


def _incidents(connection: Connection) -> list[live.LiveIncident]:
    rows = connection.rows(_INCIDENTS)
    steps: dict[str, list[live.Step]] = {}
    for name, at_ms, state, reason in connection.rows(_STEPS, {"ids": [row[0] for row in rows]}):
        mine = steps.setdefault(name, [])
        if not mine or mine[-1].state != state:
            mine.append(live.Step(at_ms, state, reason))
    return [
        live.LiveIncident(
            *(*row, [_try(one) for one in tries], steps.get(row[0], [])[-STEPS:], experiment_id)
        )
        for *row, tries, experiment_id in rows
    ]


def _try(attempt: Any) -> live.Try:
    values = list(attempt.values()) if isinstance(attempt, dict) else list(attempt)
    return live.Try(*values[:4])


def _holds(connection: Connection, now_ms: int) -> list[live.Hold]:
    found = []
    for *names, parameters, expires, instances, since, last in connection.rows(_HOLDS):
        try:
            given = json.loads(parameters)
        except ValueError:
            continue
        lasts = next((given[name] for name in _LASTS if isinstance(given.get(name), int)), 0)
        until = last + lasts
        if names[3] == "fallback" and "hold_ms" not in given:  # its ttl_ms is of answers
            until = expires
        if until > now_ms:
            dependency = str(given.get("dependency") or given.get("operation") or "")
            row = (*names, parameters, dependency, instances, since, until)
            found.append(live.Hold(*row))
    return found
