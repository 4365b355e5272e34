"""Reads what the reliability report is written from."""

# ruff: noqa: S608 - what is put into statements are names and numbers of ours, never values

from typing import Final

from faultstream.analytics.client import Connection
from faultstream.core.report.reliability import (
    Again,
    Errors,
    Outage,
    Reliability,
    Strategy,
    Waiting,
)

_MS: Final = "toUnixTimestamp64Milli"
_HERE: Final = "({environment:String} = '' OR environment = {environment:String})"
_BEGIN: Final = "fromUnixTimestamp64Milli({begin:Int64})"
_END: Final = "fromUnixTimestamp64Milli({end:Int64})"
_OPENED: Final = f"{_HERE} AND experiment_id = '' AND opened_at >= {_BEGIN} AND opened_at < {_END}"
_OVER: Final = "state IN ('resolved', 'closed')"
_JUDGED: Final = "('cured', 'recurring', 'failed', 'partial', 'worse', 'rolled_back', 'expired')"
_WORDLESS: Final = "rule = 'default'"

_SERVICES: Final = f"""SELECT environment, service,
  sumIf(e.errors, minute >= toStartOfMinute({_BEGIN})) AS now,
  sumIf(e.errors, minute < toStartOfMinute({_BEGIN})) AS before
FROM errors_per_minute AS e
WHERE {_HERE} AND NOT experiment AND minute < {_END}
  AND minute >= fromUnixTimestamp64Milli({{before:Int64}})
GROUP BY environment, service HAVING now > 0 ORDER BY now DESC, environment, service"""
_OUTAGES: Final = f"""SELECT environment, service, {_MS}(began_at), {_MS}(ended_at)
FROM outages WHERE {_HERE} AND began_at < {_END} AND ended_at >= {_BEGIN}"""
_INCIDENTS: Final = f"""SELECT count(), countIf(NOT {_OVER}), countIf(false_alarm),
  groupArrayIf(greatest(0, dateDiff('millisecond', first_error_at, opened_at)),
    severity IN ('critical', 'fatal')),
  groupArrayIf(assumeNotNull(dateDiff('millisecond', first_error_at, resolved_at)),
    resolved_at IS NOT NULL AND arrayExists(a -> a.outcome = 'cured', attempts)),
  countIf(arrayExists(a -> a.outcome IN {_JUDGED}, attempts)),
  countIf(arrayExists(a -> a.outcome = 'cured', attempts))
FROM incidents WHERE {_OPENED}"""
_CLASSES: Final = f"""SELECT sum(count),
  sumIf(count, rule = 'given' OR startsWith(rule, 'corrected:')), sumIf(count, {_WORDLESS}),
  topKWeightedIf(1)(error_type, count, {_WORDLESS})
FROM errors WHERE {_HERE} AND experiment_id = ''
  AND toStartOfHour(time) >= toStartOfHour({_BEGIN}) AND time >= {_BEGIN} AND time < {_END}"""
_RECURRING: Final = f"""SELECT count(), countIf(told) FROM (
  SELECT max(p.pattern_id != '' AND p.about IN ('', f.fingerprint)
    AND p.first_at <= f.ended AND p.last_at >= f.begun) AS told
  FROM (
    SELECT environment, service, fingerprint, min(first) AS begun, max(last) AS ended
    FROM (
      SELECT hour, environment, service, fingerprint, sum(h.errors) AS errors,
        min(h.first_at) AS first, max(h.last_at) AS last
      FROM fingerprints_per_hour AS h
      WHERE {_HERE} AND NOT experiment AND hour >= toStartOfHour({_BEGIN}) AND hour < {_END}
      GROUP BY hour, environment, service, fingerprint HAVING errors >= 10
    ) GROUP BY environment, service, fingerprint
  ) AS f
  LEFT JOIN (
    SELECT pattern_id, environment, service, fingerprint AS about, first_at, last_at
    FROM patterns WHERE count > 0 AND experiment_id = '' AND last_at >= toStartOfHour({_BEGIN})
  ) AS p ON p.environment = f.environment AND p.service = f.service
  GROUP BY f.environment, f.service, f.fingerprint
)"""
_STRATEGIES: Final = f"""SELECT strategy, countIf(outcome IN {_JUDGED}) AS tries,
  countIf(outcome = 'cured'), countIf(outcome IN ('worse', 'rolled_back')),
  countIf(outcome = 'expired')
FROM incident_attempts WHERE rollback_of = '' AND incident_id IN (
  SELECT incident_id FROM incidents WHERE {_OPENED})
GROUP BY strategy HAVING tries > 0 ORDER BY tries DESC, strategy"""
_AGAIN: Final = f"""SELECT i.root, p.error_type, uniqExact(i.incident_id) AS times FROM (
  SELECT incident_id, root, environment, arrayJoin(pattern_ids) AS pattern_id
  FROM incidents WHERE {_OPENED} AND NOT false_alarm
) AS i INNER JOIN patterns AS p ON p.pattern_id = i.pattern_id
WHERE p.error_type != '' AND p.service = i.root
GROUP BY i.root, p.error_type HAVING times >= 3
ORDER BY times DESC, i.root, p.error_type LIMIT 50"""
_WAITING: Final = f"""SELECT incident_id, root, toString(severity), {_MS}(opened_at), reason
FROM incidents WHERE {_HERE} AND experiment_id = '' AND state = 'escalated'
  AND opened_at < {_END} ORDER BY opened_at, incident_id LIMIT 50"""
_UNDELIVERED: Final = f"""SELECT count() FROM notification_decisions
WHERE {_HERE} AND kind = 'undelivered' AND decided_at >= {_BEGIN} AND decided_at < {_END}"""
_LETTERS: Final = f"SELECT count() FROM dead_letters WHERE time >= {_BEGIN} AND time < {_END}"


def facts(connection: Connection, begin_ms: int, end_ms: int, environment: str) -> Reliability:
    """The facts of [begin, end), milliseconds since the epoch; every environment for ''.

    Raises:
        SinkAway, SinkRefused: as every question; code 60 or 81 means nothing was recorded.
    """
    asked = {
        "environment": environment,
        "begin": str(begin_ms),
        "end": str(end_ms),
        "before": str(2 * begin_ms - end_ms),
    }
    ((count, still, wrong, detect, recover, recoverable, cured),) = connection.rows(
        _INCIDENTS, asked
    )
    ((errors, otherwise, unknown, types),) = connection.rows(_CLASSES, asked)
    ((recurring, found),) = connection.rows(_RECURRING, asked)
    return Reliability(
        environment=environment,
        begin_ms=begin_ms,
        end_ms=end_ms,
        services=[Errors(*row) for row in connection.rows(_SERVICES, asked)],
        outages=[Outage(*row) for row in connection.rows(_OUTAGES, asked)],
        incidents=count,
        open=still,
        false_alarms=wrong,
        detect_ms=list(detect),
        recover_ms=list(recover),
        recoverable=recoverable,
        cured=cured,
        errors=errors,
        otherwise=otherwise,
        unknown=unknown,
        unknown_type=types[0] if types else "",
        recurring=recurring,
        found=found,
        strategies=[Strategy(*row) for row in connection.rows(_STRATEGIES, asked)],
        again=[Again(*row) for row in connection.rows(_AGAIN, asked)],
        waiting=[Waiting(*row) for row in connection.rows(_WAITING, asked)],
        dead_letters=connection.rows(_LETTERS, asked)[0][0],
        undelivered=connection.rows(_UNDELIVERED, asked)[0][0],
    )
