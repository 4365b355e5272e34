"""Brings a database to the schema of this version. May be run twice, and by several at once.

Two kinds of files. migrations/NNNN_name.sql make tables, run once each in order, and never
change once released. views/name.sql hold one view each and run again whenever their text changed,
and all of them after a new migration, because a view keeps the columns that it was made with.
Both are written down in the table `schema_changes`. Every statement can be repeated, so a
migration that was cut short, or that two workers run at the same time, ends the same.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b
from importlib.resources import files
from typing import Final

import msgspec

from faultstream.analytics.client import Connection
from faultstream.analytics.errors import SinkRefused
from faultstream.core.policy import RetentionPolicy

# In the order in which they need each other.
VIEWS: Final = (
    "patterns",
    "incidents",
    "commands",
    "results",
    "notifications",
    "notification_decisions",
    "dead_letters",
    "incident_attempts",
    "error_summary",
    "error_summary_over",
    "top_errors",
    "top_errors_over",
    "pattern_history",
    "recovery_success",
    "mttd_mttr",
    "false_positives",
    "outages",
    "availability_over",
    "regressions",
    "cascade_edges",
    "incident_timeline",
    "sink_offsets",
    "ingest_balance",
)

CHANGES: Final = """
CREATE TABLE IF NOT EXISTS schema_changes (
  name String,
  checksum String,
  applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(applied_at) ORDER BY name
"""

RETAINED: Final[dict[str, str]] = {
    "errors": "errors_days",
    "errors_per_minute": "rollups_days",
    "fingerprints_per_hour": "rollups_days",
    "dead_letter_log": "records_days",
    "pattern_log": "records_days",
    "incident_log": "records_days",
    "command_log": "records_days",
    "result_log": "records_days",
    "notification_log": "records_days",
    "notification_decision_log": "records_days",
}
_TTL: Final = re.compile(r"TTL (\w+) \+ toIntervalDay\((\d+)\)")


class Change(msgspec.Struct, frozen=True):
    """One file of SQL. `once` says that it may not change after it was applied; `after` is the
    last migration that stands behind it."""

    name: str
    text: str
    once: bool
    after: str = ""

    @property
    def checksum(self) -> str:
        """Of the text without comments and blanks at its ends, and of `after`."""
        text = "\n".join([*self.statements(), *([self.after] if self.after else [])])
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def statements(self) -> Iterator[str]:
        """The statements, in order; comments are whole lines, `;` only stands at a line's end."""
        lines = [line for line in self.text.splitlines() if not line.lstrip().startswith("--")]
        for statement in re.split(r";\s*$", "\n".join(lines), flags=re.MULTILINE):
            if statement.strip():
                yield statement.strip()


def changes() -> list[Change]:
    """All files that this version carries, in the order in which they are applied."""
    home = files("faultstream.analytics")
    tables = sorted(
        (file for file in home.joinpath("migrations").iterdir() if file.name.endswith(".sql")),
        key=lambda file: file.name,
    )
    found = [Change(file.name, file.read_text("utf-8"), once=True) for file in tables]
    for view in VIEWS:
        text = home.joinpath("views", f"{view}.sql").read_text("utf-8")
        found.append(Change(f"views/{view}.sql", text, once=False, after=tables[-1].name))
    return found


def migrate(connection: Connection, retention: RetentionPolicy | None = None) -> list[str]:
    """Applies what is missing and returns the names of it; [] when all was there.

    Raises:
        SinkAway: ClickHouse is away; run it again.
        SinkRefused: the user may not, or a migration differs from the one that was applied.
    """
    connection.create_database()
    connection.command(CHANGES)
    applied: dict[str, str] = dict(
        connection.rows("SELECT name, argMax(checksum, applied_at) FROM schema_changes GROUP BY 1")
    )
    done = []
    for change in changes():
        before = applied.get(change.name)
        if before == change.checksum:
            continue
        if before is not None and change.once:
            raise SinkRefused(
                f"{change.name} differs from the one that this database was made with: "
                "the database belongs to another version of faultstream"
            )
        for statement in change.statements():
            connection.command(statement)
        connection.command(
            "INSERT INTO schema_changes (name, checksum) VALUES "  # noqa: S608  (names of ours)
            f"('{change.name}', '{change.checksum}')",
            settings={"async_insert": 0},
        )
        done.append(change.name)
    if retention is not None:
        _retain(connection, retention)
    return done


def _retain(connection: Connection, retention: RetentionPolicy) -> None:
    rows = connection.rows(
        "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()"
    )
    for name, engine in rows:
        ttl = _TTL.search(engine)
        if name not in RETAINED or ttl is None:
            continue
        days: int = getattr(retention, RETAINED[name])
        if int(ttl[2]) != days:
            connection.command(f"ALTER TABLE {name} MODIFY TTL {ttl[1]} + toIntervalDay({days})")
