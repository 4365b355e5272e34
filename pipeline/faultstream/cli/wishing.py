"""What the commands share that wish something of respond: the incident that is meant, read from the
incidents topic; the wish, published on the control topic; the answer, the incident's next revision.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from functools import wraps
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import Any, Final, TypeVar

import click
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from faultstream import wire
from faultstream.cli.duration import DURATION, now_ms
from faultstream.cli.steering import CONNECT_TIMEOUT_S, publish, who
from faultstream.cli.where import place
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.core.controls import Wish, ask
from faultstream.core.errors import DataError
from faultstream.core.policy import TopicRole, Topology
from faultstream.core.records import Control, Incident, Pattern, Record
from faultstream.core.report.text import clean
from faultstream.transport.scan import newest_first
from faultstream.transport.topics import wait_for_broker

R = TypeVar("R", bound=Record)

OVER: Final = frozenset({"resolved", "closed"})
MOST_SHOWN: Final = 6
SURE: Final = 6
"""So many digits of an id are hardly those of two incidents."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for something, where, and how long the answer is waited for; 0: not at all."""

    by: str
    reason: str
    wait_ms: int
    brokers: str
    topology: Topology


def asking(function: Callable[..., None]) -> Callable[..., None]:
    """Adds --by, --reason, --wait, --no-wait, --brokers and --topology to a command, which gets
    them as `one`."""

    @click.option("--by", default="", help="Who asks; the user of the system by default.")
    @click.option("--reason", default="", help="Why, for those who read it later.")
    @click.option(
        "--wait",
        "wait_ms",
        type=DURATION,
        default="10s",
        show_default=True,
        help="How long to wait for the answer.",
    )
    @click.option("--no-wait", is_flag=True, help="Do not wait for the answer.")
    @place
    @wraps(function)
    def command(
        *arguments: Any,
        by: str,
        reason: str,
        wait_ms: int,
        no_wait: bool,
        brokers: str | None,
        file: Path | None,
        **more: Any,
    ) -> None:
        settings = Settings.from_env()
        one = Asked(
            by=by or who(),
            reason=reason,
            wait_ms=0 if no_wait else wait_ms,
            brokers=brokers or settings.brokers,
            topology=load(file or settings.topology),
        )
        function(*arguments, one=one, **more)

    return command


async def newest(
    one: Asked, role: TopicRole, kind: type[R], part: str
) -> AsyncGenerator[list[R], None]:
    """The records of a topic that hold `part` somewhere in their bytes, in stretches, the newest
    first, each in the order of the log.

    Raises:
        KafkaError: the broker cannot be reached.
    """
    await wait_for_broker(one.brokers, CONNECT_TIMEOUT_S)
    policy = one.topology.topics[role]
    stretches = newest_first(
        one.brokers, policy.name, range(policy.partitions), holds=part.encode()
    )
    async with aclosing(stretches):
        async for records in stretches:
            found: list[R] = []
            for record in records:
                with suppress(DataError):
                    found.append(wire.decode(kind, record.value))
            yield found


async def meant(one: Asked, prefix: str) -> Incident:
    """The incident that `prefix` begins the id of, or of one of its commands. Ends the command with
    1 when there is none, with 2 when there are several.

    A prefix of SURE digits or more is looked for from the newest records backwards, as long as
    nothing is found; a shorter one in all of the topic.
    """
    prefix = prefix.lower()
    if not prefix:
        _end("name an incident, or the beginning of its id", 2)
    latest: dict[str, Incident] = {}
    found: list[Incident] = []
    async with aclosing(newest(one, "incidents", Incident, prefix)) as stretches:
        async for incidents in stretches:
            for incident in incidents:
                known = latest.get(incident.incident_id)
                if known is None or _order(known) <= _order(incident):
                    latest[incident.incident_id] = incident
            named = [each for each in latest.values() if each.incident_id.startswith(prefix)]
            found = named or [each for each in latest.values() if _has_command(each, prefix)]
            if found and len(prefix) >= SURE:
                break
    if not found:
        _end(f"no incident {prefix!r} is known; `faultstream incidents --all` lists them", 1)
    if len(found) > 1:
        shown = "\n".join(told_of(each) for each in found[:MOST_SHOWN])
        _end(f"{len(found)} incidents begin with {prefix!r}:\n{shown}", 2)
    return found[0]


def _order(incident: Incident) -> tuple[int, int]:
    """After a crash revisions are made anew, maybe fewer: the latest counts, not the highest."""
    return incident.updated_at_ms, incident.revision


def told_of(incident: Incident) -> str:
    """The id of an incident, and below it how it stands, as wide as the terminal."""
    stands = f"{clean(incident.root)} {incident.state}: {clean(incident.reason)}"
    wide = max(40, get_terminal_size().columns)
    return f"{incident.incident_id}\n" + fill(
        stands, wide, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
    )


def must_be_open(incident: Incident) -> None:
    """Ends the command with 1 when the incident is over."""
    if incident.state in OVER:
        _end(f"it is over: {told_of(incident)}", 1)


def wished(one: Asked, wish: Wish, environment: str) -> Control:
    """The record of a wish, now. Ends the command with 2 when it says too little."""
    try:
        return ask(wish, environment=environment, by=one.by, reason=one.reason, now_ms=now_ms())
    except DataError as exc:
        raise click.UsageError(exc.reason) from exc


async def carried(
    one: Asked, control: Control, answers: Callable[[Incident], bool]
) -> Incident | None:
    """Publishes, and gives the first incident that `answers` from then on; None when none did in
    time, or the answer is not waited for.

    Raises:
        KafkaError: it was not published.
    """
    await wait_for_broker(one.brokers, CONNECT_TIMEOUT_S)
    policy = one.topology.topics["incidents"]
    consumer = AIOKafkaConsumer(bootstrap_servers=one.brokers, fetch_max_wait_ms=100)
    await consumer.start()
    try:
        places = [TopicPartition(policy.name, number) for number in range(policy.partitions)]
        consumer.assign(places)
        await consumer.seek_to_end(*places)
        for each in places:
            await consumer.position(each)
        await publish(one.brokers, one.topology, control)
        try:
            async with asyncio.timeout(one.wait_ms / 1000):
                while True:
                    for incident in await _fetched(consumer):
                        if answers(incident):
                            return incident
        except TimeoutError:
            return None
    finally:
        await consumer.stop()


def told(one: Asked, answer: Incident | None, before: Incident | None = None) -> None:
    """Says what came of it. Ends the command with 1 when an answer was waited for in vain."""
    if answer is None:
        if not one.wait_ms:
            click.echo("published; not waited for")
            return
        waited = f"no answer within {one.wait_ms / 1000:g} s"
        _end(f"published, but {waited}: does `faultstream worker respond` run?", 1)
        return
    click.echo(told_of(answer))
    known = {each.command_id for each in before.attempts} if before else set()
    for attempt in answer.attempts:
        if attempt.command_id not in known:
            click.echo(f"  command {attempt.command_id} {attempt.strategy}: {attempt.outcome}")


def changed(before: Incident, by: str) -> Callable[[Incident], bool]:
    """Whether an incident is a later revision that names who asked, or shows an effect."""

    def answers(incident: Incident) -> bool:
        later = incident.incident_id == before.incident_id and _order(incident) > _order(before)
        return later and (
            (bool(by) and by in incident.reason)
            or incident.state != before.state
            or len(incident.attempts) > len(before.attempts)
        )

    return answers


async def patterns(
    one: Asked, *, service: str, fingerprint: str, environment: str
) -> list[Pattern]:
    """The latest patterns of a service, or of a fingerprint (or the beginning of one), oldest
    first: those of the newest stretch of the topic that has any."""
    found: dict[str, Pattern] = {}
    part = fingerprint or service
    async with aclosing(newest(one, "patterns", Pattern, part)) as stretches:
        async for told in stretches:
            for pattern in told:
                fits = pattern.fingerprint.startswith(fingerprint)
                ours = service in {"", pattern.service} and pattern.environment == environment
                if fits and ours and pattern.kind not in {"cascade", "correlation"}:
                    found[pattern.pattern_id] = pattern
            if found:
                break
    return sorted(found.values(), key=lambda pattern: (pattern.last_at_ms, pattern.pattern_id))


async def _fetched(consumer: AIOKafkaConsumer) -> Sequence[Incident]:
    return list(_decoded(await consumer.getmany(timeout_ms=200)))


def _decoded(fetched: dict[TopicPartition, list[Any]]) -> Iterator[Incident]:
    for records in fetched.values():
        for record in records:
            try:
                yield wire.decode(Incident, record.value)
            except DataError:
                continue


def _has_command(incident: Incident, prefix: str) -> bool:
    return any(attempt.command_id.startswith(prefix) for attempt in incident.attempts)


def _end(message: str, code: int) -> None:
    click.echo(message, err=True)
    raise click.exceptions.Exit(code)
