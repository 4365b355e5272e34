"""Reads one incident's chain, by id, from the tables and not the views: keys make it quick."""

# ruff: noqa: S608 - what is put into statements are names and numbers of ours, never values

from typing import Any, Final

from faultstream.analytics.client import Connection
from faultstream.core.report import chain as c

MOST_FOUND: Final = 6
MOST_ERRORS: Final = 50
AROUND_MS: Final = 600_000
DECIDED: Final = frozenset({"pending", "running", "done"})

_MS: Final = "toUnixTimestamp64Milli"
_PATTERNS: Final = "SELECT arrayJoin(pattern_ids) FROM incident_log WHERE incident_id = {id:String}"
_EVENTS: Final = f"SELECT arrayJoin(evidence) FROM pattern_log WHERE pattern_id IN ({_PATTERNS})"
_NOTES: Final = (
    "SELECT groupUniqArray(notification_id) FROM notification_log WHERE incident_id = {id:String}"
)
_FRESH: Final = " UNION ALL ".join(
    f"SELECT max(ingested_at) AS at FROM {table}"
    for table in ("errors", "pattern_log", "incident_log", "command_log", "result_log")
)


def fresh(connection: Connection) -> tuple[int, int]:
    """When the newest row was stored (0: there is none), and the database's clock.

    Raises:
        SinkAway, SinkRefused: as every question; code 60 or 81 means nothing was recorded.
    """
    ((stored, now),) = connection.rows(
        f"SELECT toUnixTimestamp(max(at)) * 1000, toUnixTimestamp(now()) * 1000 FROM ({_FRESH})"
    )
    return int(stored), int(now)


def find(connection: Connection, prefix: str) -> list[str]:
    """Ids of the incidents that begin with `prefix`, at most MOST_FOUND; without any, those whose
    commands' or patterns' ids do."""
    asked = {"prefix": prefix.lower()}
    found = connection.rows(
        "SELECT DISTINCT incident_id FROM incident_log"
        " WHERE startsWith(incident_id, {prefix:String})"
        f" ORDER BY incident_id LIMIT {MOST_FOUND}",
        asked,
    )
    if not found:
        found = connection.rows(
            "SELECT DISTINCT incident_id FROM ("
            "SELECT incident_id FROM command_log WHERE startsWith(command_id, {prefix:String})"
            " UNION ALL SELECT incident_id FROM incident_log"
            " WHERE arrayExists(x -> startsWith(x, {prefix:String}), pattern_ids))"
            f" ORDER BY incident_id LIMIT {MOST_FOUND}",
            asked,
        )
    return [incident_id for (incident_id,) in found]


def read(connection: Connection, incident_id: str) -> c.Chain:
    """The chain of an incident that `find` gave.

    Raises:
        LookupError: there is none with this id.
        SinkAway, SinkRefused: as every question.
    """
    stored, now = fresh(connection)
    asked = {"id": incident_id}
    found = connection.rows(
        f"SELECT revision, state, toString(severity), environment, root, {_MS}(first_error_at),"
        f" {_MS}(opened_at), {_MS}(updated_at), {_MS}(resolved_at), reason, experiment_id,"
        " pattern_ids, attempts FROM incident_log WHERE incident_id = {id:String}"
        " ORDER BY revision, offset DESC LIMIT 1 BY revision",
        asked,
    )
    if not found:
        raise LookupError(incident_id)
    revisions = _in_force(found)
    head = c.Head(incident_id, *revisions[-1][:-1])
    patterns = _patterns(connection, asked)
    return c.Chain(
        incident=head,
        errors=_errors(connection, patterns, asked),
        patterns=patterns,
        turnings=_turnings(revisions),
        orders=_orders(connection, asked),
        answers=_answers(connection, asked),
        verdicts=_verdicts(revisions),
        notes=_notes(connection, asked),
        tellings=_tellings(connection, asked),
        around=_around(connection, head, patterns),
        stored_at_ms=stored,
        now_ms=now,
    )


def _in_force(revisions: Any) -> list[Any]:
    """Without those that a crash undid: one with a lower number was made after them."""
    kept: list[Any] = []
    for row in sorted(revisions, key=lambda row: (row[7], row[0])):
        while kept and kept[-1][0] >= row[0]:
            kept.pop()
        kept.append(row)
    return kept


def _patterns(connection: Connection, asked: dict[str, str]) -> list[c.Sighting]:
    return _sightings(connection, f"pattern_id IN ({_PATTERNS})", asked)


def _around(connection: Connection, head: c.Head, patterns: list[c.Sighting]) -> list[c.Sighting]:
    """What was seen across services from AROUND_MS before the first error to the incident's end."""
    services = "SELECT service FROM pattern_log WHERE pattern_id IN"
    return _sightings(
        connection,
        "kind IN ('cascade', 'correlation', 'sequence', 'recovery_loop')"
        " AND environment = {environment:String}"
        " AND last_at >= fromUnixTimestamp64Milli({first:Int64})"
        " AND first_at <= fromUnixTimestamp64Milli({last:Int64})"
        " AND hasAny(arrayPushBack(affected_services, toString(service)),"
        f" (SELECT groupUniqArray(toString(service)) FROM ({services} ({_PATTERNS}))))"
        f" AND pattern_id NOT IN ({_PATTERNS})",
        {
            "id": head.incident_id,
            "environment": head.environment,
            "first": str(head.first_error_at_ms - AROUND_MS),
            "last": str(max([head.updated_at_ms, *(one.last_at_ms for one in patterns)])),
        },
    )


def _sightings(connection: Connection, which: str, asked: dict[str, str]) -> list[c.Sighting]:
    rows = connection.rows(
        "SELECT pattern_id, kind, state, service, layer, error_type, category,"
        f" toString(severity), fingerprint, count, {_MS}(first_at), {_MS}(last_at),"
        f" {_MS}(detected_at), {_MS}(closed_at), confidence, reason, root, evidence, edges"
        f" FROM pattern_log WHERE {which}"
        " ORDER BY pattern_id, revision DESC, offset DESC LIMIT 1 BY pattern_id",
        asked,
    )
    found = [c.Sighting(*(*row[:-1], [_link(edge) for edge in row[-1]])) for row in rows]
    return sorted(found, key=lambda one: (one.detected_at_ms, one.first_at_ms, one.pattern_id))


def _link(edge: Any) -> c.Link:
    return c.Link(**edge) if isinstance(edge, dict) else c.Link(*edge)


def _errors(
    connection: Connection, patterns: list[c.Sighting], asked: dict[str, str]
) -> list[c.Error]:
    """The evidence, looked for within the hours of the patterns: the table is ordered by hour."""
    if not patterns:
        return []
    rows = connection.rows(
        f"SELECT {_MS}(time) AS at, service, error_type, message, count, release, event_id"
        f" FROM errors WHERE event_id IN ({_EVENTS})"
        " AND toStartOfHour(time) >= toStartOfHour(fromUnixTimestamp64Milli({first:Int64}))"
        " AND toStartOfHour(time) <= toStartOfHour(fromUnixTimestamp64Milli({last:Int64}))"
        f" ORDER BY at, event_id LIMIT 1 BY event_id LIMIT {MOST_ERRORS}",
        {
            **asked,
            "first": str(min(one.first_at_ms for one in patterns) - 3_600_000),
            "last": str(max(one.last_at_ms for one in patterns) + 3_600_000),
        },
    )
    return [c.Error(*row) for row in rows]


def _turnings(revisions: Any) -> list[c.Turning]:
    found: list[c.Turning] = []
    for row in revisions:
        state, reason = row[1], row[9]
        if not found or (found[-1].state, found[-1].reason) != (state, reason):
            found.append(c.Turning(row[7], row[0], state, reason))
    return found


def _verdicts(revisions: Any) -> list[c.Verdict]:
    """The outcome of each attempt that is over, from the revision that first had it."""
    found: dict[str, c.Verdict] = {}
    for row in revisions:
        for attempt in row[-1]:
            command_id, strategy, outcome, reason, *_ = (
                attempt.values() if isinstance(attempt, dict) else attempt
            )
            known = found.get(command_id)
            if outcome in DECIDED or (known is not None and known.outcome == outcome):
                continue
            found.pop(command_id, None)
            found[command_id] = c.Verdict(row[7], command_id, strategy, outcome, reason)
    return list(found.values())


def _orders(connection: Connection, asked: dict[str, str]) -> list[c.Order]:
    rows = connection.rows(
        f"SELECT {_MS}(issued_at) AS at, command_id, attempt, workflow, step_id, strategy,"
        f" parameters, service, instances, reason, priority, {_MS}(expires_at), dry_run,"
        " approved_by, rollback_of FROM command_log WHERE incident_id = {id:String}"
        " ORDER BY command_id, offset DESC LIMIT 1 BY command_id",
        asked,
    )
    found = [c.Order(*row) for row in rows]
    return sorted(found, key=lambda one: (one.at_ms, one.attempt, one.command_id))


def _answers(connection: Connection, asked: dict[str, str]) -> list[c.Answer]:
    rows = connection.rows(
        f"SELECT {_MS}(finished_at) AS at, command_id, executor, instance, status, step,"
        " progress_ratio, duration_ms, message, result_id FROM result_log"
        " WHERE incident_id = {id:String} ORDER BY result_id, offset DESC LIMIT 1 BY result_id",
        asked,
    )
    return [c.Answer(*row[:-1]) for row in sorted(rows, key=lambda row: (row[0], row[-1]))]


def _notes(connection: Connection, asked: dict[str, str]) -> list[c.Note]:
    rows = connection.rows(
        f"SELECT {_MS}(created_at), notification_id, level, status, title FROM notification_log"
        " WHERE incident_id = {id:String}"
        " ORDER BY notification_id, offset DESC LIMIT 1 BY notification_id",
        asked,
    )
    return sorted((c.Note(*row) for row in rows), key=lambda one: (one.at_ms, one.notification_id))


def _tellings(connection: Connection, asked: dict[str, str]) -> list[c.Telling]:
    rows = connection.rows(
        f"WITH ({_NOTES}) AS ours SELECT {_MS}(decided_at) AS at, kind, channel, reason,"
        " arraySort(arrayIntersect(notification_ids, ours)) AS about, decision_id"
        " FROM notification_decision_log WHERE hasAny(notification_ids, ours)"
        " ORDER BY log_id, decision_id, offset DESC LIMIT 1 BY log_id, decision_id",
        asked,
    )
    return [c.Telling(*row[:-1]) for row in sorted(rows, key=lambda row: (row[0], row[-1]))]
