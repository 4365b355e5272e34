"""Dead letters are found, shown, and sent again once."""

from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer

from faultstream import wire
from faultstream.config.topology import load
from faultstream.core.policy import Topology
from faultstream.core.records import RecoveryCommand, Target
from faultstream.transport import dead_letters, topics
from faultstream.transport.dead_letters import Letter, Replayer
from faultstream.transport.scan import scan
from tests.conftest import prefixed

NOW_MS = 1_700_000_000_000


@pytest.fixture
async def topology(broker: str, prefix: str) -> Topology:
    made = prefixed(load(None), prefix)
    await topics.create(broker, made)
    return made


@pytest.fixture
async def producer(broker: str) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(bootstrap_servers=broker) as made:
        yield made


async def write(
    producer: AIOKafkaProducer,
    topology: Topology,
    value: bytes | None = b"\xff{",
    *,
    role: str = "errors",
    stage: str = "decode",
    attempts: int = 1,
    partition: int = 1,
    topic: str = "",
) -> str:
    """Write a letter as a worker does; its place."""
    ours = {
        "original-topic": topic or topology.topic(role),  # type: ignore[arg-type]
        "original-partition": "3",
        "original-offset": "41",
        "original-timestamp": str(NOW_MS),
        "consumer-group": "faultstream-detect",
        "stage": stage,
        "error-type": "DataError",
        "error-message": f"not JSON in {stage}",
        "attempt": "1",
        "first-failed-at": wire.rfc3339(NOW_MS),
        "last-failed-at": wire.rfc3339(NOW_MS + 5),
    }
    headers = [("traceparent", b"00-aa")]
    headers += [(f"x-faultstream-{name}", text.encode()) for name, text in ours.items()] * attempts
    sent = await producer.send_and_wait(
        topology.topic("dead_letters"), value, key=b"orders", partition=partition, headers=headers
    )
    return f"{sent.partition}:{sent.offset}"


def everything(_: Letter) -> bool:
    return True


async def test_lists_what_was_refused(
    broker: str, topology: Topology, producer: AIOKafkaProducer
) -> None:
    """A letter names its record's place, the stage and the reason, the attempt and the time."""
    place = await write(producer, topology, attempts=2)
    (found,) = await dead_letters.waiting(broker, topology, everything)
    assert found.place == place
    assert (found.topic, found.original_partition, found.original_offset) == (
        topology.topic("errors"),
        3,
        41,
    )
    assert (found.stage, found.error_type, found.reason) == (
        "decode",
        "DataError",
        "not JSON in decode",
    )
    assert found.attempt == 2
    assert found.first_failed_at == wire.rfc3339(NOW_MS)
    assert found.failed_ms == NOW_MS + 5


async def test_foreign_records_do_no_harm(
    broker: str, topology: Topology, producer: AIOKafkaProducer
) -> None:
    """Anything on the topic is a letter, with empty fields where it says nothing."""
    topic = topology.topic("dead_letters")
    header = [("x-faultstream-attempt", b"\xff"), ("x-faultstream-original-offset", b"-9")]
    await producer.send_and_wait(topic, None, key=b"", partition=0, headers=header)
    (found,) = await dead_letters.waiting(broker, topology, everything)
    assert (found.topic, found.original_offset, found.attempt) == ("", -1, 1)
    why = dead_letters.refusal(found, topology, max_attempts=3, now_ms=NOW_MS)
    assert why == "its original topic '' is none of the topology's"


async def test_replays_once_with_everything_kept(
    broker: str, topology: Topology, producer: AIOKafkaProducer
) -> None:
    """The record returns with its key, value, timestamp and headers; the letter is then done."""
    place = await write(producer, topology, b'{"service":"orders"}')
    one = await dead_letters.fetch(broker, topology, place)
    assert one is not None
    async with Replayer(broker, topology, rate=1000) as replayer:
        partition, offset = await replayer.send(one, NOW_MS)
    assert await dead_letters.waiting(broker, topology, everything) == []
    (record,) = [
        record async for record in scan(broker, topology.topic("errors"), {partition: offset})
    ]
    assert (record.key, record.value, record.timestamp) == (
        b"orders",
        b'{"service":"orders"}',
        NOW_MS,
    )
    assert tuple(record.headers) == one.headers


@pytest.mark.parametrize(("attempts", "refused"), [(2, False), (3, True)])
async def test_attempts_have_a_cap(
    broker: str, topology: Topology, producer: AIOKafkaProducer, attempts: int, *, refused: bool
) -> None:
    """What was refused as often as allowed is held back."""
    place = await write(producer, topology, attempts=attempts)
    one = await dead_letters.fetch(broker, topology, place)
    assert one is not None
    why = dead_letters.refusal(one, topology, max_attempts=3, now_ms=NOW_MS)
    assert why == ("refused 3 times already (at most 3)" if refused else "")


@pytest.mark.parametrize(("now_ms", "refused"), [(NOW_MS - 1, False), (NOW_MS, True)])
async def test_expired_commands_stay(
    broker: str, topology: Topology, producer: AIOKafkaProducer, now_ms: int, *, refused: bool
) -> None:
    """A command is never sent again at or after its expiry."""
    command = RecoveryCommand(
        command_id="c",
        incident_id="i",
        attempt=1,
        strategy="retry",
        target=Target(environment="production", service="orders"),
        issued_at_ms=NOW_MS - 60_000,
        expires_at_ms=NOW_MS,
    )
    place = await write(producer, topology, wire.encode(command), role="commands")
    one = await dead_letters.fetch(broker, topology, place)
    assert one is not None
    why = dead_letters.refusal(one, topology, max_attempts=3, now_ms=now_ms)
    assert why == ("a command that expired at 2023-11-14T22:13:20.000Z" if refused else "")


async def test_unreadable_commands_stay(
    broker: str, topology: Topology, producer: AIOKafkaProducer
) -> None:
    """A command whose expiry nobody can read is not sent again."""
    place = await write(producer, topology, b"\xff{", role="commands")
    one = await dead_letters.fetch(broker, topology, place)
    assert one is not None
    why = dead_letters.refusal(one, topology, max_attempts=3, now_ms=NOW_MS)
    assert why.startswith("a command that cannot be read: not JSON")


async def test_dead_letters_are_no_target(
    broker: str, topology: Topology, producer: AIOKafkaProducer
) -> None:
    """A letter is not sent to the dead letters themselves, nor out of the topology."""
    for topic in (topology.topic("dead_letters"), "somebody.elses"):
        place = await write(producer, topology, topic=topic)
        one = await dead_letters.fetch(broker, topology, place)
        assert one is not None
        why = dead_letters.refusal(one, topology, max_attempts=3, now_ms=NOW_MS)
        assert why == f"its original topic {topic!r} is none of the topology's"
