"""Reads what the analysis of one incident is written from."""

# ruff: noqa: S608 - what is put into statements are names and numbers of ours, never values

from collections.abc import Mapping
from typing import Any, Final

from faultstream.analytics.chain import read
from faultstream.analytics.client import Connection
from faultstream.core.report.chain import Chain
from faultstream.core.report.facts import Analysis, Bucket, Impact, Release

BUCKETS: Final = 60
PAD_RATIO: Final = 0.1
LEAD_MS: Final = 3_600_000
"""A release whose first error is at most so much older than the incident goes with it."""
_STEPS_MS: Final = (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000,
                    1_800_000, 3_600_000, 21_600_000, 86_400_000)  # fmt: skip

_MS: Final = "toUnixTimestamp64Milli"
_WITHIN: Final = (
    "toStartOfHour(time) >= toStartOfHour(fromUnixTimestamp64Milli({begin:Int64}))"
    " AND time >= fromUnixTimestamp64Milli({begin:Int64})"
    " AND time < fromUnixTimestamp64Milli({end:Int64})"
    " AND environment = {environment:String} AND has({services:Array(String)}, toString(service))"
)


def analyse(connection: Connection, incident_id: str) -> Analysis:
    """The facts about an incident.

    Raises:
        LookupError: there is none with this id.
        SinkAway, SinkRefused: as every question.
    """
    chain = read(connection, incident_id)
    head = chain.incident
    first, last = head.first_error_at_ms, head.resolved_at_ms or head.updated_at_ms
    pad_ms = max(1_000, round((last - first) * PAD_RATIO))
    whole_ms = last - first + 2 * pad_ms
    bucket_ms = next((step for step in _STEPS_MS if step * BUCKETS >= whole_ms), _STEPS_MS[-1])
    begin_ms = (first - pad_ms) // bucket_ms * bucket_ms
    end_ms = -(-(last + pad_ms) // bucket_ms) * bucket_ms
    asked = {
        "begin": str(begin_ms),
        "end": str(end_ms),
        "environment": head.environment,
        "services": _services(chain),
    }
    earlier, earlier_at_ms = _earlier(connection, chain)
    return Analysis(
        chain=chain,
        impact=_impact(connection, asked),
        buckets=_buckets(connection, asked, bucket_ms),
        bucket_ms=bucket_ms,
        begin_ms=begin_ms,
        end_ms=end_ms,
        releases=releases(connection, _services(chain), head.environment, [(first, last)]),
        earlier=earlier,
        earlier_at_ms=earlier_at_ms,
    )


def releases(
    connection: Connection, services: list[str], environment: str, spans: list[tuple[int, int]]
) -> list[Release]:
    """Releases of these services whose first error came within LEAD_MS before, or during, one of
    the spans, and that had a release before them."""
    rows = connection.rows(
        f"SELECT service, release, min({_MS}(time)) AS first FROM errors"
        " WHERE release != '' AND environment = {environment:String}"
        " AND has({services:Array(String)}, toString(service))"
        " GROUP BY service, release ORDER BY service, first, release",
        {"environment": environment, "services": services},
    )
    found, before = [], ("", "")
    for service, release, first in rows:
        known = before[1] if before[0] == service else ""
        near = any(start - LEAD_MS <= first <= end for start, end in spans)
        if known and near:
            found.append(Release(service, release, known, first))
        before = (service, release)
    return found


def _services(chain: Chain) -> list[str]:
    return sorted({chain.incident.root, *(one.service for one in chain.patterns)})


def _impact(connection: Connection, asked: Mapping[str, Any]) -> list[Impact]:
    rows = connection.rows(
        "SELECT service, error_type, sum(count) AS errors, uniqExactIf(user_id, user_id != ''),"
        f" min({_MS}(time)), max({_MS}(time)) FROM errors WHERE {_WITHIN}"
        " GROUP BY service, error_type ORDER BY errors DESC, service, error_type LIMIT 50",
        asked,
    )
    return [Impact(*row) for row in rows]


def _buckets(connection: Connection, asked: Mapping[str, Any], bucket_ms: int) -> list[Bucket]:
    rows = connection.rows(
        f"SELECT intDiv({_MS}(time), {bucket_ms}) * {bucket_ms} AS at, service, sum(count)"
        f" FROM errors WHERE {_WITHIN} GROUP BY at, service ORDER BY at, service",
        asked,
    )
    return [Bucket(*row) for row in rows]


def _earlier(connection: Connection, chain: Chain) -> tuple[int, int | None]:
    """Incidents of the same root before it with a pattern of the same fingerprint."""
    prints = sorted(
        {one.fingerprint for one in chain.patterns if one.service == chain.incident.root} - {""}
    )
    ((count, last),) = connection.rows(
        f"SELECT uniqExact(incident_id), max({_MS}(opened_at)) FROM incident_log"
        " WHERE root = {root:String} AND environment = {environment:String}"
        " AND opened_at < fromUnixTimestamp64Milli({opened:Int64})"
        " AND arrayExists(x -> x IN (SELECT pattern_id FROM pattern_log"
        " WHERE has({prints:Array(String)}, fingerprint)), pattern_ids)",
        {
            "root": chain.incident.root,
            "environment": chain.incident.environment,
            "opened": str(chain.incident.opened_at_ms),
            "prints": prints,
        },
    )
    return int(count), int(last) if count else None
