"""`faultstream events --kafka`: what lies on the topic, as lines for the offline commands."""

import asyncio

from aiokafka import AIOKafkaProducer

from faultstream import wire
from faultstream.cli.duration import now_ms
from faultstream.core.policy import Topology
from faultstream.transport import topics
from tests.cli.conftest import Call


async def _put(broker: str, topology: Topology, values: list[bytes]) -> None:
    await topics.create(broker, topology)
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    try:
        for number, value in enumerate(values):
            await producer.send_and_wait(
                topology.topic("errors"), value, partition=number % 2, timestamp_ms=now_ms()
            )
    finally:
        await producer.stop()


def test_from_the_topic(embedded_broker: str, topology: Topology, call: Call) -> None:
    """Every event of the time and service that is wanted, with an id, what nobody can read left
    out; nothing is exit code 1."""

    at = now_ms() - 60_000
    values = [
        wire.dumps({"service": "a", "error_type": "E", "time": at, "severity": "low"}),
        wire.dumps({"service": "a", "error_type": "F", "event_id": "f", "time": at}),
        wire.dumps({"service": "b", "error_type": "G", "time": at}),
        wire.dumps({"service": "a", "error_type": "Old", "time": at - 7_200_000}),
        b"no event",
    ]
    asyncio.run(_put(embedded_broker, topology, values))
    told = call("events", "--kafka", "--since", "1h", "--service", "a")
    assert told.exit_code == 0, told.output
    found = [wire.loads(line) for line in told.stdout.splitlines()]
    assert sorted(one["error_type"] for one in found) == ["E", "F"]
    assert all(one["event_id"] for one in found)
    assert [one["severity"] for one in found if one["error_type"] == "E"] == ["low"]
    assert told.stderr == "2 events\n"
    assert call("events", "--kafka", "--service", "nobody").exit_code == 1
