"""`faultstream events`: recorded errors as JSON Lines, for the commands that work on files."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

import click

from faultstream import wire
from faultstream.cli import offline
from faultstream.cli.duration import DURATION, now_ms
from faultstream.cli.reading import reading, where
from faultstream.config.settings import Settings
from faultstream.core.errors import DataError
from faultstream.core.event import ErrorEvent
from faultstream.core.ids import event_id
from faultstream.core.policy import Topology
from faultstream.formats.native import admit

MOST = 1_000_000


@click.command("events")
@click.option("--since", type=DURATION, default="24h", show_default=True, help="How far back.")
@click.option("--until", type=DURATION, help="Up to so long ago.  [default: now]")
@click.option(
    "--kafka", is_flag=True, help="From the errors topic itself, as long as Kafka keeps it."
)
@click.option("--brokers", help="Kafka to ask. Default: FAULTSTREAM_KAFKA.")
@offline.topology
@click.option("--environment", default="", help="Only of this environment.")
@click.option("--service", default="", help="Only of this service.")
@click.option(
    "--most", type=click.IntRange(1, 100_000_000), default=MOST, show_default=True,
    help="No more than so many, the earliest.",
)  # fmt: skip
@offline.target
@where
def command(
    *,
    since: int,
    until: int | None,
    kafka: bool,
    brokers: str | None,
    topology_file: Path | None,
    environment: str,
    service: str,
    most: int,
    output: IO[bytes],
    data: Path | None,
    clickhouse: str | None,
) -> None:
    """Write recorded errors as error events, JSON Lines in order of their time.

    For `shadow`, `detect`, `classify` and `fingerprint`. From ClickHouse; what it does not keep of
    an event is not in it: hints of severity and category, and explicit parts of the fingerprint.
    With --kafka from the topic, with everything, in the order of its partitions. Exits with 1 when
    there were none, or more than --most.

    \b
    Example:  faultstream events --since 24h | faultstream shadow candidate.yaml
              faultstream events --kafka --since 2h --service orders -o orders.jsonl
    """
    now = now_ms()
    first, last = now - since, now - (until or 0)
    if first >= last:
        raise click.UsageError("--until must be less than --since")
    wanted = Wanted(first, last, environment, service)
    written = Written(output, most)
    if kafka:
        topology = offline.load_topology(topology_file)
        settings = Settings.from_env()
        try:
            asyncio.run(_from_topic(brokers or settings.brokers, topology, wanted, written.take))
        except TimeoutError as exc:
            raise ConnectionError(str(exc)) from exc
    else:
        _from_clickhouse(clickhouse, data, wanted, written)
    written.end()


class Wanted(NamedTuple):
    """Event times in [since_ms, until_ms); '' is any environment or service."""

    since_ms: int
    until_ms: int
    environment: str
    service: str

    def has(self, event: ErrorEvent) -> bool:
        """Whether the admitted event is wanted."""
        return (
            self.since_ms <= int(event.time or 0) < self.until_ms
            and self.environment in ("", event.environment)
            and self.service in ("", event.service)
        )


class Written:
    """Lines, at most `most`; further ones are only counted."""

    def __init__(self, output: IO[bytes], most: int) -> None:
        self._output = output
        self._most = most
        self._count = 0

    def take(self, line: bytes) -> bool:
        """Writes a line; False when there is no room for it."""
        self._count += 1
        if self._count <= self._most:
            self._output.write(line + b"\n")
        return self._count <= self._most

    def end(self) -> None:
        """Says how many, and ends the command with 1 when it is none or too many."""
        if self._count > self._most:
            click.echo(f"there are more than {self._most}: a shorter time, or --most", err=True)
        else:
            click.echo(f"{self._count} events", err=True)
        if not 0 < self._count <= self._most:
            raise click.exceptions.Exit(1)


def _from_clickhouse(
    clickhouse: str | None, data: Path | None, wanted: Wanted, written: Written
) -> None:
    from faultstream.analytics import recorded  # noqa: PLC0415 - as in `reading`

    with reading(clickhouse, data) as connection:
        for line in recorded.events(
            connection,
            wanted.since_ms,
            wanted.until_ms,
            environment=wanted.environment,
            service=wanted.service,
        ):
            if not written.take(line):
                break


async def _from_topic(
    brokers: str, topology: Topology, wanted: Wanted, take: Callable[[bytes], bool]
) -> None:
    from faultstream.transport.scan import scan  # noqa: PLC0415 - as in `reading`

    topic = topology.topics["errors"]
    records = scan(brokers, topic.name, dict.fromkeys(range(topic.partitions), 0))
    try:
        async for record in records:
            try:
                event = admit(record.value or b"", timestamp_ms=record.timestamp)
            except DataError:
                continue  # the dead letters have it
            event.event_id = event.event_id or event_id(topic.name, record.partition, record.offset)
            if wanted.has(event) and not take(wire.encode_event(event)):
                break
    finally:
        await records.aclose()
