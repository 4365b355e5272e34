"""Ready questions: for `faultstream sql --examples`, the demo's last page, and the docs.

Each runs as it stands against the views; a test runs them all.
"""

from typing import Final

import msgspec


class Query(msgspec.Struct, frozen=True):
    """A question in words and in SQL."""

    name: str
    question: str
    sql: str


HAPPENED: Final = Query(
    "what-happened",
    "What happened: one line per incident, newest first.",
    """SELECT formatDateTime(opened_at, '%m-%d %H:%i') AS opened, root AS service, severity,
  state,
  arrayStringConcat(arrayMap(a -> concat(a.strategy, ' ', a.outcome), attempts), ', ') AS tried,
  round(dateDiff('millisecond', first_error_at, resolved_at) / 1000, 1) AS after_s,
  substring(incident_id, 1, 8) AS id
FROM incidents ORDER BY opened_at DESC LIMIT 20""",
)
DETECT_RECOVER: Final = Query(
    "how-soon",
    "Time to detect and time to recover, by service and severity.",
    "SELECT service, severity, incidents, resolved, mttd_s, mttr_s FROM mttd_mttr",
)
TRIED: Final = Query(
    "what-was-tried",
    "What was tried, what the executors said, and what the stream saw.",
    """SELECT formatDateTime(c.issued_at, '%m-%d %H:%i:%S') AS at, c.service AS service,
  c.strategy AS strategy, arrayStringConcat(groupUniqArray(r.status), ', ') AS answers,
  any(a.outcome) AS outcome, any(a.reason) AS why
FROM commands AS c
LEFT JOIN (SELECT * FROM results WHERE status != 'in_progress') AS r
  ON r.command_id = c.command_id
LEFT JOIN incident_attempts AS a ON a.command_id = c.command_id
GROUP BY c.issued_at, service, strategy, c.command_id ORDER BY c.issued_at DESC LIMIT 20""",
)
CHAIN: Final = Query(
    "one-incident",
    "The latest incident from its first error to the end, one line per step.",
    """SELECT after_s, what, service, summary FROM incident_timeline
WHERE incident_id = (SELECT incident_id FROM incidents ORDER BY opened_at DESC LIMIT 1)
ORDER BY at, step""",
)

DEMO: Final = (HAPPENED, DETECT_RECOVER, TRIED, CHAIN)

EXAMPLES: Final = (
    HAPPENED,
    Query(
        "errors-per-hour",
        "Errors by service and hour, the last 24 hours.",
        "SELECT hour, service, errors, grave, main_category FROM error_summary",
    ),
    Query(
        "top-errors",
        "The most frequent problems of the last 24 hours.",
        "SELECT service, error_type, errors, share_ratio, template FROM top_errors LIMIT 10",
    ),
    Query(
        "availability",
        "How long each service was down in the last 30 days.",
        "SELECT service, outages, down_s, available_ratio FROM availability_over(hours = 720)",
    ),
    Query(
        "patterns",
        "What was found, newest first.",
        "SELECT detected_at, service, kind, state, errors, detect_s, reason "
        "FROM pattern_history LIMIT 20",
    ),
    TRIED,
    Query(
        "recovery-success",
        "How often each strategy cured.",
        "SELECT strategy, tries, cured, cured_ratio, surely_ratio FROM recovery_success",
    ),
    DETECT_RECOVER,
    Query(
        "false-alarms",
        "How often people called an incident a false alarm, by what had opened it.",
        "SELECT service, kind, incidents, false_alarms, false_ratio FROM false_positives",
    ),
    CHAIN,
    Query(
        "who-was-told",
        "What became of notifications, and why; newest first.",
        "SELECT formatDateTime(decided_at, '%m-%d %H:%i:%S') AS at, kind, channel, title, reason "
        "FROM notification_decisions WHERE kind != 'grouped' ORDER BY decided_at DESC LIMIT 20",
    ),
    Query(
        "latest-errors",
        "The latest errors with their messages.",
        "SELECT time, service, severity, error_type, message, count "
        "FROM errors ORDER BY time DESC LIMIT 20",
    ),
    Query(
        "refused",
        "Records that were refused, by reason.",
        "SELECT original_topic, stage, reason, count() AS records "
        "FROM dead_letters GROUP BY ALL ORDER BY records DESC",
    ),
    Query(
        "stored",
        "How far the log is stored, and whether anything is missing.",
        "SELECT topic, partition, last_offset, records, refused, holes, alarm FROM sink_offsets",
    ),
    Query(
        "balance",
        "What became of the records: stored, refused, missing.",
        "SELECT topic, offsets, recorded, refused, missing, errors, summed FROM ingest_balance",
    ),
)
