"""What the gateway and `faultstream top` show, asked of ClickHouse in the terms of the gateway."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from faultstream import wire
from faultstream.analytics import chain, live, summary
from faultstream.analytics.client import Connection, Place
from faultstream.analytics.errors import SinkAway, SinkRefused
from faultstream.cli.reading import NOTHING
from faultstream.core.policy import Topology
from faultstream.core.report.live import Live, judge
from faultstream.gateway.errors import AwayError
from faultstream.gateway.reading import Query

TIMEOUT_S: Final = 10.0
_INCIDENTS: Final = """SELECT incident_id, environment, root AS service, toString(severity), state,
  toUnixTimestamp64Milli(first_error_at), toUnixTimestamp64Milli(opened_at),
  toUnixTimestamp64Milli(updated_at), toUnixTimestamp64Milli(resolved_at), reason,
  arrayMap(a -> concat(a.strategy, ' ', a.outcome), attempts), experiment_id
FROM incidents
WHERE ({state:String} = 'all' OR (state IN ('resolved', 'closed')) = ({state:String} = 'over'))
  AND ({service:String} = '' OR root = {service:String})
  AND ({environment:String} = '' OR environment = {environment:String})
  AND opened_at >= now64(3) - toIntervalHour({since:UInt32})
ORDER BY opened_at DESC, incident_id LIMIT {limit:UInt32}"""
_NAMES: Final = (
    "incident_id", "environment", "service", "severity", "state", "first_error_at", "opened_at",
    "updated_at", "resolved_at", "reason", "tried", "experiment_id",
)  # fmt: skip


class Answering:
    """See the module. Each thread has a connection of its own."""

    def __init__(self, place: Place, topology: Topology) -> None:
        self._place = place
        self._topology = topology
        self._own = threading.local()

    def live(self) -> Live:
        """How things stand."""
        with self._asking() as connection:
            return judge(live.facts(connection), self._topology)

    def incidents(self, query: Query) -> list[dict[str, Any]]:
        """Incidents, newest first."""
        asked = {
            "state": query.state,
            "service": query.service,
            "environment": query.environment,
            "since": str(query.since_hours),
            "limit": str(query.limit),
        }
        with self._asking() as connection:
            rows = connection.rows(_INCIDENTS, asked)
        found = [dict(zip(_NAMES, row, strict=True)) for row in rows]
        for one in found:
            for name in ("first_error_at", "opened_at", "updated_at", "resolved_at"):
                one[name] = None if one[name] is None else wire.rfc3339(one[name])
        return found

    def incident(self, prefix: str) -> dict[str, Any]:
        """The chain of one, as `faultstream show --json` tells it.

        Raises:
            LookupError: none or several begin so.
        """
        with self._asking() as connection:
            found = chain.find(connection, prefix)
            if len(found) != 1:
                several = f"several begin with {prefix!r}: {', '.join(found)}"
                raise LookupError(several if found else f"none begins with {prefix!r}")
            told: dict[str, Any] = wire.plain(chain.read(connection, found[0]))
            return told

    def summary(self, hours: int) -> dict[str, Any]:
        """The last hours in sums."""
        with self._asking() as connection:
            told: dict[str, Any] = _timed(summary.summary(connection, hours))
            return told

    @contextmanager
    def _asking(self) -> Iterator[Connection]:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = Connection(self._place, timeout_s=TIMEOUT_S)
        try:
            yield connection
        except SinkAway as exc:
            raise AwayError(str(exc)) from exc
        except SinkRefused as exc:
            nothing = exc.code in NOTHING
            raise AwayError("nothing was recorded yet" if nothing else str(exc)) from exc


def _timed(value: Any) -> Any:
    """Times of the database as RFC 3339."""
    if isinstance(value, dict):
        return {name: _timed(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_timed(one) for one in value]
    if isinstance(value, datetime):
        return wire.rfc3339(round(value.timestamp() * 1000))
    return value
