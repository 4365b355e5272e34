"""`faultstream events --kafka`: what lies on the topic, as lines for the offline commands."""

import asyncio
from pathlib import Path

import yaml
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner

from faultstream import wire
from faultstream.cli import main
from faultstream.cli.duration import now_ms
from faultstream.core.policy import TopicRole, Topology
from faultstream.transport import topics
from faultstream.transport.scan import scan
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


def test_a_topic_is_shadowed(
    embedded_broker: str, topology: Topology, call: Call, tmp_path: Path
) -> None:
    """What was written from the topic is what `shadow` takes: a candidate differs on it as it would
    have differed live, and nothing is commanded."""
    at = now_ms() - 60_000
    error = {"service": "orders", "error_type": "acme.Zork", "category": "network"}
    values = [wire.dumps({**error, "time": at + n * 1_000}) for n in range(20)]
    asyncio.run(_put(embedded_broker, topology, values))
    lines, candidate = tmp_path / "events.jsonl", tmp_path / "candidate.yaml"
    assert call("events", "--kafka", "--since", "1h", "-o", str(lines)).exit_code == 0
    raw = yaml.safe_load(Path("topology.yaml").read_text())
    raw["severities"]["network"] = "critical"
    candidate.write_text(yaml.safe_dump(raw))
    told = CliRunner().invoke(main, ["shadow", str(candidate), str(lines)])
    assert told.exit_code == 1, told.output
    assert "severity critical; 20 times" in told.output
    assert "critical of orders, acme.Zork" in told.output
    assert asyncio.run(_count(embedded_broker, topology, "commands")) == 0


async def _count(broker: str, topology: Topology, role: TopicRole) -> int:
    topic = topology.topics[role]
    starts = dict.fromkeys(range(topic.partitions), 0)
    return len([record async for record in scan(broker, topic.name, starts)])
