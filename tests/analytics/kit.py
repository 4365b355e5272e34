"""Records and recorders for the tests of analytics."""

import itertools
import json
from typing import Any

import msgspec

from faultstream.analytics.client import Address, Connection
from faultstream.core.records import Record
from faultstream.wire import encode

NOW_MS = 1_790_000_000_000
TOPIC = "faultstream.errors.v1"
_number = itertools.count()


class Raw(msgspec.Struct):
    """A record as a Kafka client hands it over."""

    offset: int
    value: bytes | None
    timestamp: int = NOW_MS
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def error(offset: int, **fields: Any) -> Raw:
    """An error event; every third weighs 3."""
    event = {
        "service": f"svc{offset % 5}",
        "error_type": "TimeoutError" if offset % 2 else "ConnectionError",
        "message": f"no answer in {offset} ms",
        "time": NOW_MS + offset * 7,
        "count": 3 if offset % 3 == 0 else 1,
    }
    return Raw(offset, json.dumps(event | fields).encode())


def errors(first: int, last: int) -> list[Raw]:
    """Events at the offsets from `first` up to and not including `last`."""
    return [error(offset) for offset in range(first, last)]


def weight(first: int, last: int) -> int:
    """The errors that `errors` stands for."""
    return sum(3 if offset % 3 == 0 else 1 for offset in range(first, last))


def record(offset: int, what: Record) -> Raw:
    """A record of ours on its topic."""
    return Raw(offset, encode(what))


def fresh(address: Address) -> Address:
    """The same place with a database of its own."""
    return msgspec.structs.replace(address, database=f"t{next(_number)}")


def one(place: Address, sql: str) -> Any:
    """The only value that `sql` answers."""
    return rows(place, sql)[0][0]


def rows(place: Address, sql: str) -> list[tuple[Any, ...]]:
    """What `sql` answers."""
    connection = Connection(place)
    try:
        return [tuple(row) for row in connection.rows(sql)]
    finally:
        connection.close()
