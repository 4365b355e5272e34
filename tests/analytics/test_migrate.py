"""Migrations: twice, at once, cut short, changed, and with other retentions."""

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from faultstream.analytics import migrate as migrations
from faultstream.analytics.client import Address, Connection
from faultstream.analytics.errors import SinkRefused
from faultstream.analytics.migrate import RETAINED, VIEWS, Change, changes, migrate
from faultstream.core.policy import RetentionPolicy
from tests.analytics.kit import one, rows

ALL = [change.name for change in changes()]


def test_twice_is_once(place: Address) -> None:
    """The first run makes everything, the second finds nothing to do."""
    connection = Connection(place)
    assert migrate(connection) == ALL
    assert migrate(connection) == []
    views = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View'"
    assert {name for (name,) in rows(place, views)} == set(VIEWS)
    connection.close()


def test_several_at_once_end_the_same(place: Address) -> None:
    """Workers that start together on an empty server do not disturb each other."""

    def run(_: int) -> None:
        connection = Connection(place)
        migrate(connection)
        connection.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(3)))
    applied = rows(place, "SELECT name FROM schema_changes FINAL ORDER BY name")
    assert [name for (name,) in applied] == sorted(ALL)


def test_one_that_was_cut_short_goes_on(place: Address) -> None:
    """Tables that are there already, but not written down, are no trouble."""
    connection = Connection(place)
    migrate(connection)
    connection.command("TRUNCATE TABLE schema_changes")
    connection.command("DROP VIEW top_errors")
    assert migrate(connection) == ALL
    assert one(place, "EXISTS VIEW top_errors") == 1
    connection.close()


def test_a_changed_migration_is_refused_and_a_changed_view_applied(
    place: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What made the tables may not change afterwards; views follow their text."""
    connection = Connection(place)
    migrate(connection)
    view = Change("views/patterns.sql", "CREATE OR REPLACE VIEW patterns AS SELECT 1 AS x", False)
    monkeypatch.setattr(migrations, "changes", lambda: [view])
    assert migrate(connection) == ["views/patterns.sql"]
    assert one(place, "SELECT x FROM patterns") == 1
    table = Change("0001_errors.sql", "SELECT 1", True)
    monkeypatch.setattr(migrations, "changes", lambda: [table])
    with pytest.raises(SinkRefused, match=r"0001_errors\.sql differs from the one"):
        migrate(connection)
    connection.close()


def test_views_follow_new_columns(place: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """A view keeps the columns that it was made with, so a new migration makes all anew."""
    connection = Connection(place)
    migrate(connection)
    more = Change("9999_more.sql", "ALTER TABLE result_log ADD COLUMN IF NOT EXISTS x UInt8", True)
    known = [msgspec.structs.replace(one, after=one.after and more.name) for one in changes()]
    monkeypatch.setattr(migrations, "changes", lambda: [more, *known])
    assert migrate(connection) == [more.name, *(f"views/{view}.sql" for view in VIEWS)]
    assert rows(place, "SELECT x FROM results") == []
    connection.close()


def test_a_database_of_the_tables_of_before_is_brought_up(place: Address) -> None:
    """What was recorded before workflows were is kept, and reads as without them."""
    connection = Connection(place)
    connection.create_database()
    old = [change for change in changes() if change.once and change.name < "0004"]
    for change in old:
        for statement in change.statements():
            connection.command(statement)
    connection.command(
        "INSERT INTO incident_log (incident_id, ingested_at, attempts)"
        " VALUES ('I', now(), [('C', 'retry', 'cured', '')])"
    )
    migrate(connection)
    found = rows(place, "SELECT attempts.strategy, attempts.step_id FROM incidents")
    assert found == [(["retry"], [""])]
    connection.close()


def test_retention_is_that_of_the_topology(place: Address) -> None:
    """Every table's TTL follows topology.retention, and may be changed later."""
    connection = Connection(place)
    for days in (7, 8):
        policy = RetentionPolicy(errors_days=days, rollups_days=days + 10, records_days=days + 20)
        migrate(connection, policy)
        found = rows(
            place,
            "SELECT name, extract(engine_full, 'toIntervalDay\\\\((\\\\d+)\\\\)')"
            " FROM system.tables"
            " WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
            " AND name != 'schema_changes'",
        )
        told = msgspec.structs.asdict(policy)
        assert dict(found) == {name: str(told[field]) for name, field in RETAINED.items()}
    connection.close()


def test_statements_are_told_apart() -> None:
    """Comments are whole lines; a semicolon ends a statement only at the end of a line."""
    text = "-- one; two\nSELECT ';' AS a;\n\n  -- more\nSELECT\n  2;\n"
    assert list(Change("x", text, True).statements()) == ["SELECT ';' AS a", "SELECT\n  2"]
    assert (
        Change("x", text, True).checksum
        == Change("x", "SELECT ';' AS a;\nSELECT\n  2", True).checksum
    )
