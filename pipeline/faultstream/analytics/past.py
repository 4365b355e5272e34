"""Errors of the past as they were recorded: what a recovery by hand needs to know of them."""

# ruff: noqa: S608 - what is put into statements is text of ours, never values

from typing import Final

import msgspec

from faultstream.analytics.client import Connection

_OURS: Final = (
    "environment = {environment:String} AND ({service:String} = '' OR service = {service:String})"
    " AND startsWith(fingerprint, {fingerprint:String})"
)
# The rollup outlives the errors by far; only they know the layer.
_LATEST: Final = f"""SELECT service, argMax(fingerprint, at), argMax(type, at), argMax(kind, at),
  toUnixTimestamp64Milli(max(at)) AS latest
FROM (
  SELECT toString(service) AS service, toString(fingerprint) AS fingerprint,
    toString(error_type) AS type, toString(category) AS kind, last_at AS at
  FROM fingerprints_per_hour WHERE {_OURS}
  UNION ALL
  SELECT toString(service), fingerprint, toString(error_type), toString(category), last_at
  FROM pattern_log WHERE {_OURS} AND kind NOT IN ('cascade', 'correlation', 'predicted')
)
GROUP BY service ORDER BY latest DESC, service LIMIT 20"""
_DETAILS: Final = f"""SELECT layer, transient FROM (
  SELECT toString(layer) AS layer, transient, time AS at FROM errors
  WHERE {_OURS} ORDER BY time DESC LIMIT 1
  UNION ALL
  SELECT toString(layer), transient, last_at FROM pattern_log
  WHERE {_OURS} ORDER BY last_at DESC LIMIT 1
) ORDER BY at DESC LIMIT 1"""


class Past(msgspec.Struct, frozen=True):
    """The latest error of a service that is meant. What is not known is '' or False."""

    service: str
    fingerprint: str
    error_type: str
    category: str
    last_at_ms: int
    layer: str = ""
    transient: bool = False


def latest(
    connection: Connection, *, environment: str, service: str = "", fingerprint: str = ""
) -> list[Past]:
    """The latest error of each service that has such ones, newest first, at most 20 services.

    `fingerprint` may be the beginning of one.

    Raises:
        SinkAway, SinkRefused: as every question; code 60 or 81 means nothing was recorded.
    """
    asked = {"environment": environment, "service": service, "fingerprint": fingerprint}
    found = []
    for name, whole, error_type, category, last in connection.rows(_LATEST, asked):
        exactly = {"environment": environment, "service": name, "fingerprint": whole}
        details = connection.rows(_DETAILS, exactly) or [("", False)]
        layer, transient = details[0]
        found.append(Past(name, whole, error_type, category, last, layer, bool(transient)))
    return found
