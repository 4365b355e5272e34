"""Reads what the runbook of a problem is written from: an error type, or one fingerprint."""

# ruff: noqa: S608 - what is put into statements are names and numbers of ours, never values

import statistics
from collections import Counter
from typing import Any, Final

from faultstream.analytics.analysis import releases
from faultstream.analytics.client import Connection
from faultstream.core.report.facts import Counted, Past, Problem, Runbook, Tried

MOST_PROBLEMS: Final = 200
MOST_INCIDENTS: Final = 1_000
AGAIN_MS: Final = 86_400_000
LEAD_MS: Final = 600_000
UNDECIDED: Final = frozenset({"pending", "running", "done", "dry_run", "cancelled", "refused"})
"""Outcomes that say nothing about a strategy."""

_MS: Final = "toUnixTimestamp64Milli"
# A type with or without its module, or the beginning of a fingerprint of 8 digits or more.
_WHICH: Final = (
    "(lower(error_type) = {asked:String}"
    " OR endsWith(lower(error_type), concat('.', {asked:String}))"
    " OR (length({asked:String}) >= 8 AND startsWith(fingerprint, {asked:String})))"
)
_OURS: Final = f"SELECT DISTINCT pattern_id FROM pattern_log WHERE {_WHICH}"


def problem(connection: Connection, asked: str) -> Runbook:
    """The facts about an error type (with or without its module) or a fingerprint.

    Raises:
        LookupError: no error of it is stored.
        SinkAway, SinkRefused: as every question.
    """
    given = {"asked": asked.lower()}
    problems = _problems(connection, given)
    if not problems:
        raise LookupError(asked)
    prints = {one.fingerprint for one in problems}
    services = sorted({one.service for one in problems})
    incidents, attempts = _incidents(connection, given)
    mine = [one for one in incidents if one.is_root]
    types = {one.error_type for one in problems}
    by_fingerprint = not any(each.lower().endswith(given["asked"]) for each in types)
    first = problems[0]
    spans = [(one.first_error_at_ms, one.resolved_at_ms or one.opened_at_ms) for one in mine]
    return Runbook(
        title=f"{first.error_type} in {first.service}" if by_fingerprint else first.error_type,
        by_fingerprint=by_fingerprint and len(prints) == 1,
        problems=problems,
        **_patterns(connection, given),
        incidents=incidents,
        tried=_tried([attempt for one in mine for attempt in attempts[one.incident_id]]),
        causes=_causes(connection, given),
        roots=_roots(connection, incidents),
        leads=_leads(connection, services, incidents),
        releases=releases(connection, services, first.environment, spans),
        returned=_returned(mine),
    )


def overview(connection: Connection) -> list[tuple[str, int, int, int]]:
    """Error types with their errors, incidents, and when the last one came; most errors first."""
    rows = connection.rows(
        "SELECT f.error_type, f.errors, i.incidents, f.last FROM ("
        f" SELECT error_type, sum(errors) AS errors, {_MS}(max(last_at)) AS last"
        " FROM fingerprints_per_hour GROUP BY error_type) AS f LEFT JOIN ("
        " SELECT p.error_type AS error_type, uniqExact(i.incident_id) AS incidents FROM ("
        "  SELECT DISTINCT incident_id, arrayJoin(pattern_ids) AS pattern_id FROM incident_log"
        " ) AS i INNER JOIN (SELECT DISTINCT pattern_id, error_type FROM pattern_log) AS p"
        " ON p.pattern_id = i.pattern_id GROUP BY error_type"
        ") AS i ON i.error_type = f.error_type ORDER BY f.errors DESC, f.error_type LIMIT 100"
    )
    return [(str(kind), int(errors), int(count), int(last)) for kind, errors, count, last in rows]


def _problems(connection: Connection, given: dict[str, str]) -> list[Problem]:
    rows = connection.rows(
        "SELECT fingerprint, service, environment, any(error_type), any(category),"
        f" sum(errors) AS weight, {_MS}(min(first_at)), {_MS}(max(last_at)),"
        " argMax(template, last_at)"
        f" FROM fingerprints_per_hour WHERE {_WHICH} GROUP BY fingerprint, service, environment"
        f" ORDER BY weight DESC, fingerprint, service LIMIT {MOST_PROBLEMS}",
        given,
    )
    return [Problem(*row) for row in rows]


def _patterns(connection: Connection, given: dict[str, str]) -> dict[str, Any]:
    rows = connection.rows(
        "SELECT kind, toString(severity), transient, layer FROM pattern_log"
        f" WHERE {_WHICH} ORDER BY pattern_id, revision DESC, offset DESC LIMIT 1 BY pattern_id",
        given,
    )
    kinds = Counter(kind for kind, *_ in rows)
    severities = Counter(severity for _, severity, *_ in rows)
    return {
        "kinds": [Counted(*each) for each in _ordered(kinds)],
        "severities": [Counted(*each) for each in _ordered(severities)],
        "transient": sum(transient for *_, transient, _ in rows) * 2 > len(rows),
        "layers": sorted({layer for *_, layer in rows if layer}),
    }


def _incidents(
    connection: Connection, given: dict[str, str]
) -> tuple[list[Past], dict[str, list[tuple[Any, ...]]]]:
    """The incidents, newest first, and their attempts: strategy, outcome, when it was issued, when
    it had that outcome."""
    rows = connection.rows(
        "WITH (SELECT groupUniqArray((pattern_id, service)) FROM pattern_log"
        f" WHERE {_WHICH}) AS ours"
        f" SELECT incident_id, root, state, toString(severity), {_MS}(first_error_at),"
        f" {_MS}(opened_at), {_MS}(resolved_at), reason, arrayExists("
        "  x -> has(pattern_ids, x.1) AND x.2 = root, ours) FROM incidents"
        " WHERE arrayExists(x -> has(pattern_ids, x.1), ours)"
        f" ORDER BY opened_at DESC, incident_id LIMIT {MOST_INCIDENTS}",
        given,
    )
    attempts = _attempts(connection, given)
    found = []
    for incident_id, root, state, severity, first, opened, resolved, reason, is_root in rows:
        mine = attempts.setdefault(incident_id, [])
        cured_by = next((each[0] for each in mine if each[1] == "cured"), "")
        found.append(
            Past(incident_id, root, state, severity, first, opened, resolved, cured_by, reason,
                 bool(is_root))
        )  # fmt: skip
    return found, attempts


def _attempts(connection: Connection, given: dict[str, str]) -> dict[str, list[tuple[Any, ...]]]:
    rows = connection.rows(
        f"SELECT a.incident_id, a.strategy, a.outcome, {_MS}(c.issued_at), {_MS}(a.decided_at)"
        " FROM incident_attempts AS a INNER JOIN commands AS c ON c.command_id = a.command_id"
        f" WHERE a.rollback_of = '' AND a.incident_id IN (SELECT incident_id FROM incident_log"
        f" WHERE arrayExists(x -> x IN ({_OURS}), pattern_ids))"
        " ORDER BY c.issued_at, a.command_id",
        given,
    )
    found: dict[str, list[tuple[Any, ...]]] = {}
    for incident_id, *attempt in rows:
        found.setdefault(incident_id, []).append(tuple(attempt))
    return found


def _tried(attempts: list[tuple[Any, ...]]) -> list[Tried]:
    by_strategy: dict[str, list[tuple[Any, ...]]] = {}
    for attempt in attempts:
        if attempt[1] not in UNDECIDED:
            by_strategy.setdefault(attempt[0], []).append(attempt)
    found = []
    for strategy, mine in sorted(by_strategy.items()):
        outcomes = Counter(outcome for _, outcome, *_ in mine)
        took = [decided - issued for _, outcome, issued, decided in mine if outcome == "cured"]
        found.append(
            Tried(
                strategy=strategy,
                tries=len(mine),
                cured=outcomes["cured"],
                recurring=outcomes["recurring"],
                failed=outcomes["failed"] + outcomes["partial"],
                worse=outcomes["worse"] + outcomes["rolled_back"],
                expired=outcomes["expired"],
                cure_ms=round(statistics.median(took)) if took else None,
                last_at_ms=max(issued for _, _, issued, _ in mine),
            )
        )
    return found


def _causes(connection: Connection, given: dict[str, str]) -> list[Counted]:
    """The innermost exceptions; `causes` lists them outermost first."""
    rows = connection.rows(
        "SELECT"
        " JSONExtractString(arrayElement(JSONExtractArrayRaw(causes), -1), 'error_type') AS x,"
        f" sum(count) AS weight FROM errors WHERE {_WHICH} AND causes != ''"
        " GROUP BY x HAVING x != '' ORDER BY weight DESC, x LIMIT 5",
        given,
    )
    return [Counted(name, count) for name, count in rows]


def _roots(connection: Connection, incidents: list[Past]) -> list[Counted]:
    """Where the incidents began in which this was only seen elsewhere."""
    others = [one.incident_id for one in incidents if not one.is_root]
    if not others:
        return []
    rows = connection.rows(
        "SELECT concat(p.error_type, ' in ', p.service) AS name, uniqExact(i.incident_id) AS many"
        " FROM (SELECT incident_id, root, arrayJoin(pattern_ids) AS pattern_id FROM incidents"
        " WHERE has({ids:Array(String)}, incident_id)) AS i"
        " INNER JOIN patterns AS p ON p.pattern_id = i.pattern_id"
        " WHERE p.service = i.root AND p.error_type != ''"
        " GROUP BY name ORDER BY many DESC, name LIMIT 5",
        {"ids": others[:100]},
    )
    return [Counted(name, count) for name, count in rows]


def _leads(connection: Connection, services: list[str], incidents: list[Past]) -> list[Counted]:
    """Services whose errors went before those of `services` while the incidents began."""
    rows = connection.rows(
        f"SELECT {_MS}(first_at), edges FROM pattern_log"
        " WHERE kind IN ('cascade', 'correlation', 'sequence') AND notEmpty(edges)"
        " ORDER BY pattern_id, revision DESC, offset DESC LIMIT 1 BY pattern_id"
    )
    lags: dict[str, list[int]] = {}
    for first_at, edges in rows:
        if not any(abs(first_at - one.first_error_at_ms) <= LEAD_MS for one in incidents):
            continue
        for edge in edges:
            source, target, lag_ms, _ = edge.values() if isinstance(edge, dict) else edge
            if target in services and source not in services:
                lags.setdefault(source, []).append(lag_ms)
    found = [
        Counted(source, len(each), round(statistics.median(each))) for source, each in lags.items()
    ]
    return sorted(found, key=lambda one: (-one.count, one.name))[:5]


def _returned(incidents: list[Past]) -> int:
    """Incidents, newest first, that were followed by another one of the same root."""
    return sum(
        any(
            later.root == one.root and 0 < later.opened_at_ms - one.opened_at_ms <= AGAIN_MS
            for later in incidents
        )
        for one in incidents
    )


def _ordered(counter: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counter.items(), key=lambda each: (-each[1], each[0]))
