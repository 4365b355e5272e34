"""Rows a second into ClickHouse: the recorder, rows by clickhouse-connect, raw JSONEachRow.

    python benchmarks/record.py [--rows 30000] [--rounds 3] [--dsn http://user:pw@host:8123/bench]

Each contestant stores the same events in the same kind of table (full schema, two rollups) on the
same engine, in turns, so that a busy machine hurts all alike. `client` is the CPU time of this
process for a row; `wall` includes the engine. The recorder also decodes, classifies and
fingerprints, the row insert decodes only, and the raw lines are sent as they came.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import clickhouse_connect
import msgspec
import orjson

from faultstream.analytics.client import Address, Connection
from faultstream.analytics.migrate import migrate
from faultstream.analytics.recorder import Recorder
from faultstream.analytics.serve import EngineProcess
from faultstream.config.topology import load

TOPIC = "faultstream.errors.v1"
NAMES = ("event_id", "service", "error_type", "message", "host", "release", "trace_id", "operation")


class Raw(msgspec.Struct):
    """A record as a Kafka client hands it over."""

    offset: int
    value: bytes
    timestamp: int = 1_790_000_000_000
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def events(count: int) -> list[Raw]:
    """Events of about 400 bytes: 20 services, 200 kinds of errors."""
    made = []
    for at in range(count):
        event = {
            "event_id": f"018f0000-0000-8000-8000-{at:012x}",
            "time": 1_790_000_000_000 + at,
            "service": f"service-{at % 20}",
            "host": f"host-{at % 50}",
            "release": "2026.11.1",
            "operation": f"operation-{at % 10}",
            "error_type": f"pkg.Error{at % 200}",
            "message": f"request {at} to 10.0.{at % 250}.7 failed after {at % 3000} ms",
            "trace_id": f"{at:032x}",
            "tags": {"region": "eu", "shard": str(at % 8)},
        }
        made.append(Raw(at, orjson.dumps(event)))
    return made


def by_recorder(place: Address, raw: list[Raw]) -> Callable[[], None]:
    """The recorder, opened before the clock starts."""
    recorder = Recorder(place, load(None), "bench")
    recorder.open()

    def run() -> None:
        recorder.add("errors", TOPIC, 0, raw)
        recorder.flush()

    return run


def by_rows(place: Address, raw: list[Raw]) -> Callable[[], None]:
    """What most write first: decode, one tuple a row, client.insert."""
    client = _client(place)
    columns = [*NAMES, "time", "tags", "count", "ingested_at", "topic", "partition", "offset"]

    def run() -> None:
        now, rows = datetime.now(UTC), []
        for record in raw:
            event = json.loads(record.value)
            at = datetime.fromtimestamp(event["time"] / 1000, UTC)
            own = [event.get(name, "") for name in NAMES]
            rows.append([*own, at, event["tags"], 1, now, TOPIC, 0, record.offset])
        client.insert("errors", rows, column_names=columns, settings={"async_insert": 0})

    return run


def by_lines(place: Address, raw: list[Raw]) -> Callable[[], None]:
    """The bytes as they came, joined by newlines; ClickHouse parses them."""
    client = _client(place)

    def run() -> None:
        block = b"\n".join(record.value for record in raw)
        settings = {"input_format_skip_unknown_fields": 1, "async_insert": 0}
        client.raw_insert("errors", insert_block=block, fmt="JSONEachRow", settings=settings)

    return run


def _client(place: Address) -> clickhouse_connect.driver.client.Client:
    connection = Connection(place)
    migrate(connection)
    connection.close()
    return clickhouse_connect.get_client(
        host=place.host, port=place.port, username=place.username, password=place.password,
        database=place.database,
    )  # fmt: skip


CONTESTANTS = {"recorder": by_recorder, "rows": by_rows, "JSONEachRow": by_lines}


def main() -> None:
    """Runs the rounds and prints medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dsn", help="a server; its database is written to and should be empty")
    options = parser.parse_args()
    raw = events(options.rows)
    size = sum(len(record.value) for record in raw) / len(raw)
    engine = None if options.dsn else EngineProcess(Path(tempfile.mkdtemp()))
    if engine is not None:
        engine.start()
    try:
        base = engine.address() if engine is not None else Address.parse(options.dsn)
        measured = _rounds(base, raw, options.rounds)
    finally:
        if engine is not None:
            engine.stop()
    print(f"{options.rows} rows of {size:.0f} bytes, {options.rounds} interleaved rounds, medians")
    best = statistics.median(wall for wall, _ in measured["recorder"])
    for name, times in measured.items():
        wall = statistics.median(wall for wall, _ in times)
        own = statistics.median(cpu for _, cpu in times)
        print(
            f"{name:12} {options.rows / wall:10,.0f} rows/s  wall {wall / options.rows * 1e6:6.2f}"
            f" us/row  client {own / options.rows * 1e6:6.2f} us/row  {wall / best:4.1f} x recorder"
        )


def _rounds(base: Address, raw: list[Raw], rounds: int) -> dict[str, list[tuple[float, float]]]:
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTESTANTS}
    for number in range(rounds):
        for name, contestant in CONTESTANTS.items():
            database = f"{base.database}_{name.lower()}_{number}"
            run = contestant(msgspec.structs.replace(base, database=database), raw)
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            measured[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return measured


if __name__ == "__main__":
    main()
