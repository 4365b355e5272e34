"""Where ClickHouse stands in the log, read from the rows themselves, and rollups mended from it.

`positions` is what makes the recorder exact: whatever happened to an insert, the rows say
whether they are there. Rollups are fed by materialized views, which are not atomic with their
table; each of their rows carries the highest offset in it, so what is missing can be told.
"""

from collections.abc import Mapping
from typing import Final

from faultstream.analytics.client import Connection

TABLES: Final = (
    "errors",
    "dead_letter_log",
    "pattern_log",
    "incident_log",
    "command_log",
    "result_log",
    "notification_log",
    "notification_decision_log",
)
Positions = dict[tuple[str, int], int]

ROLLUPS: Final[Mapping[str, str]] = {
    "errors_per_minute": """
        SELECT toDateTime(toStartOfMinute(time), 'UTC') AS minute, toDate(ingested_at) AS stored_on,
          environment, service, category, severity, experiment_id != '' AS experiment, log_id,
          topic, partition, sum(count) AS errors, count() AS records, max(offset) AS last_offset
        FROM errors WHERE {missing}
        GROUP BY minute, stored_on, environment, service, category, severity, experiment, log_id,
          topic, partition""",
    "fingerprints_per_hour": """
        SELECT toDateTime(toStartOfHour(time), 'UTC') AS hour, toDate(ingested_at) AS stored_on,
          environment, service, fingerprint, error_type, category,
          experiment_id != '' AS experiment, log_id, topic, partition,
          sum(count) AS errors, count() AS records, min(time) AS first_at, max(time) AS last_at,
          anyLast(toString(errors.template)) AS template,
          anyLast(errors.event_id) AS event_id, max(offset) AS last_offset
        FROM errors WHERE {missing}
        GROUP BY hour, stored_on, environment, service, fingerprint, error_type, category,
          experiment, log_id, topic, partition""",
}
COLUMNS: Final[Mapping[str, str]] = {
    "errors_per_minute": "minute, stored_on, environment, service, category, severity, experiment, "
    "log_id, topic, partition, errors, records, last_offset",
    "fingerprints_per_hour": "hour, stored_on, environment, service, fingerprint, error_type, "
    "category, experiment, log_id, topic, partition, errors, records, first_at, last_at, "
    "template, event_id, last_offset",
}
ONE_PART: Final[Mapping[str, int]] = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "max_insert_threads": 1,
    "max_insert_block_size": 10_000_000,
    "min_insert_block_size_rows": 10_000_000,
    "min_insert_block_size_bytes": 4_000_000_000,
    "group_by_two_level_threshold": 0,
    "group_by_two_level_threshold_bytes": 0,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}
"""An INSERT with these settings and one block of rows is one part, in the rollups too."""


def stored(connection: Connection, log_id: str, table: str) -> Positions:
    """The highest stored offset of each (topic, partition) of the log in one table.

    Raises:
        SinkAway, SinkRefused: as every question.
    """
    rows = connection.rows(
        f"SELECT topic, partition, max(offset) FROM {table} "  # noqa: S608  (a name of ours)
        "WHERE log_id = {log_id:String} GROUP BY log_id, topic, partition",
        {"log_id": log_id},
    )
    return {(topic, partition): offset for topic, partition, offset in rows}


def all_stored(connection: Connection, log_id: str) -> Positions:
    """The highest stored offset of each (topic, partition) of the log.

    Raises:
        SinkAway, SinkRefused: as every question.
    """
    each = " UNION ALL ".join(
        f"SELECT topic, partition, max(offset) FROM {table} "  # noqa: S608  (a name of ours)
        "WHERE log_id = {log_id:String} GROUP BY log_id, topic, partition"
        for table in TABLES
    )
    rows = connection.rows(each, {"log_id": log_id})
    return {(topic, partition): offset for topic, partition, offset in rows}


def mend(connection: Connection, log_id: str) -> list[str]:
    """Adds to each rollup what its materialized view missed; says what was mended.

    Must not run while rows of this log are being inserted. May be repeated: a mended rollup has
    nothing missing. One partition is one part, so a mend that is cut short goes on where it was.

    Raises:
        SinkAway, SinkRefused: as every question.
    """
    base = stored(connection, log_id, "errors")
    mended = []
    for rollup, select in ROLLUPS.items():
        rows = connection.rows(
            f"SELECT topic, partition, max(last_offset) FROM {rollup} "  # noqa: S608
            "WHERE log_id = {log_id:String} GROUP BY topic, partition",
            {"log_id": log_id},
        )
        summed = {(topic, partition): offset for topic, partition, offset in rows}
        for (topic, partition), offset in base.items():
            last = summed.get((topic, partition), -1)
            if last >= offset:
                continue
            missing = (
                f"log_id = {_text(log_id)} AND topic = {_text(topic)} "
                f"AND partition = {partition} AND offset <= {offset}"
            ) + (f" AND offset > {last}" if last >= 0 else "")
            token = f"mend {rollup} {log_id} {topic} {partition} {last} {offset}"
            connection.command(
                f"INSERT INTO {rollup} ({COLUMNS[rollup]}) {select.format(missing=missing)}",
                settings={**ONE_PART, "insert_deduplication_token": token, "max_threads": 1},
            )
            mended.append(f"{rollup} {topic}/{partition}: {last + 1} to {offset}")
    return mended


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
