"""Wishes of operators on their way: the incident that is meant, read from its topic; the wish,
published on the control topic; the answer, the incident's next revision."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, suppress
from typing import Any, Final, TypeVar

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from faultstream import wire
from faultstream.core.controls import Trigger, ask, opened_by
from faultstream.core.errors import DataError
from faultstream.core.machine import OVER
from faultstream.core.policy import TopicRole, Topology
from faultstream.core.records import Control, ControlKind, Incident, Pattern, Record
from faultstream.transport.scan import newest_first, scan
from faultstream.transport.topics import wait_for_broker

R = TypeVar("R", bound=Record)

CONNECT_TIMEOUT_S: Final = 10.0
SKEW_MS: Final = 5_000
"""How far the clocks of the worker and of who asks may be apart."""
SURE: Final = 6
"""So many digits of an id are hardly those of two incidents."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for something, where, and how long the answer is waited for; 0: not at all."""

    by: str
    reason: str
    wait_ms: int
    brokers: str
    topology: Topology


async def publish(brokers: str, topology: Topology, record: Control) -> None:
    """Write a control to the control topic and wait until it is there.

    Raises:
        KafkaError: it was not written.
    """
    await wait_for_broker(brokers, CONNECT_TIMEOUT_S)
    async with AIOKafkaProducer(bootstrap_servers=brokers, acks="all") as producer:
        await producer.send_and_wait(
            topology.topic("control"),
            wire.encode(record),
            key=record.subject.encode(),
            headers=wire.headers(record, record.control_id, record.set_at_ms),
        )


async def standing(
    brokers: str,
    topology: Topology,
    kind: ControlKind,
    now_ms: int,
    usable: Callable[[Control], object] = bool,
) -> list[Control]:
    """The controls of a kind that are in force or will be; those that `usable` raises DataError
    for, and what is no control at all, are as if they were not there.

    Raises:
        KafkaError: the broker cannot be reached.
    """
    await wait_for_broker(brokers, CONNECT_TIMEOUT_S)
    policy, last = topology.topics["control"], dict[str, Control]()
    starts = dict.fromkeys(range(policy.partitions), 0)
    async for record in scan(brokers, topology.topic("control"), starts):
        if record.value is None:
            last.pop((record.key or b"").decode("utf-8", "replace"), None)
            continue
        try:
            control = wire.decode(Control, record.value)
            if control.kind == kind:
                usable(control)
                last[control.subject] = control
        except DataError:
            continue
    return [one for one in last.values() if one.active and (one.until_at_ms or now_ms + 1) > now_ms]


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


async def meant(one: Asked, prefix: str) -> list[Incident]:
    """The incidents that `prefix` (in lower case, not empty) begins the id of, else those that have
    a command whose id it begins.

    A prefix of SURE digits or more is looked for from the newest records backwards, as long as
    nothing is found; a shorter one in all of the topic.

    Raises:
        KafkaError: the broker cannot be reached.
    """
    latest: dict[str, Incident] = {}
    found: list[Incident] = []
    async with aclosing(newest(one, "incidents", Incident, prefix)) as stretches:
        async for incidents in stretches:
            for incident in incidents:
                known = latest.get(incident.incident_id)
                if known is None or order(known) <= order(incident):
                    latest[incident.incident_id] = incident
            named = [each for each in latest.values() if each.incident_id.startswith(prefix)]
            found = named or [each for each in latest.values() if _has_command(each, prefix)]
            if found and len(prefix) >= SURE:
                break
    return found


def order(incident: Incident) -> tuple[int, int]:
    """After a crash revisions are made anew, maybe fewer: the latest counts, not the highest."""
    return incident.updated_at_ms, incident.revision


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
                    for incident in _decoded(await consumer.getmany(timeout_ms=200)):
                        if answers(incident):
                            return incident
        except TimeoutError:
            return None
    finally:
        await consumer.stop()


def changed(before: Incident, by: str) -> Callable[[Incident], bool]:
    """Whether an incident is a later revision that names who asked, or shows an effect."""

    def answers(incident: Incident) -> bool:
        later = incident.incident_id == before.incident_id and order(incident) > order(before)
        return later and (
            (bool(by) and by in incident.reason)
            or incident.state != before.state
            or len(incident.attempts) > len(before.attempts)
        )

    return answers


async def recovered(
    one: Asked, before: Incident, wish: Trigger, now_ms: int
) -> tuple[Control, Incident | None]:
    """Asks for recovery of an incident, or, when it is over, of the errors that it was about.

    Raises:
        DataError: stage `validate`; the wish says too little.
        KafkaError: it was not published.
    """
    if before.state in OVER:  # respond may have forgotten it
        wish = await _of_past(one, wish, before)
    wish = msgspec.structs.replace(wish, incident_id=before.incident_id)
    control = ask(wish, environment=before.environment, by=one.by, reason=one.reason, now_ms=now_ms)
    fresh, same = opened_by(control), changed(before, one.by)
    answer = await carried(
        one, control, lambda incident: incident.incident_id == fresh or same(incident)
    )
    return control, answer


async def errors_recovered(one: Asked, control: Control, service: str) -> Incident | None:
    """Publishes a trigger that names no incident but errors of `service`; what came of it.

    Raises:
        KafkaError: it was not published.
    """
    fresh = opened_by(control)

    def answers(incident: Incident) -> bool:
        ours = incident.root == service and f"asked for by {one.by}" in incident.reason
        return incident.incident_id == fresh or (
            ours and incident.updated_at_ms >= control.set_at_ms - SKEW_MS
        )

    return await carried(one, control, answers)


async def _of_past(one: Asked, wish: Trigger, before: Incident) -> Trigger:
    """The wish, with what its patterns on the topic say of an incident that is over."""
    ours = frozenset(before.pattern_ids)
    async with aclosing(newest(one, "patterns", Pattern, before.root)) as stretches:
        async for found in stretches:
            for pattern in reversed(found):
                if pattern.pattern_id in ours and pattern.service == before.root:
                    return about(wish, pattern)
    return msgspec.structs.replace(wish, service=before.root)


def about(wish: Trigger, last: Any) -> Trigger:
    """The wish, for the errors that a pattern, or a row of the past, is of."""
    return msgspec.structs.replace(
        wish,
        service=last.service,
        fingerprint=last.fingerprint,
        layer=last.layer,
        error_type=last.error_type,
        category=last.category,
        transient=last.transient,
    )


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


def _decoded(fetched: Mapping[TopicPartition, list[Any]]) -> Iterator[Incident]:
    for records in fetched.values():
        for record in records:
            with suppress(DataError):
                yield wire.decode(Incident, record.value)


def _has_command(incident: Incident, prefix: str) -> bool:
    return any(attempt.command_id.startswith(prefix) for attempt in incident.attempts)
