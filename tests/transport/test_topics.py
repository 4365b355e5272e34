"""Topics are created as the topology wants them, and what differs is refused."""

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from faultstream.config.topology import load
from faultstream.core.policy import TopicPolicy, TopicRole, Topology
from faultstream.ops import child
from faultstream.transport import identity, topics
from faultstream.transport.scan import newest_first, scan
from tests.conftest import prefixed


@pytest.fixture
def topology(prefix: str) -> Topology:
    return prefixed(load(None), prefix)


def changed(topology: Topology, role: TopicRole, **values: object) -> Topology:
    policy: TopicPolicy = msgspec.structs.replace(topology.topics[role], **values)
    return msgspec.structs.replace(topology, topics={**topology.topics, role: policy})


async def test_creates_what_is_missing_once(broker: str, topology: Topology) -> None:
    """The first call creates every topic, the second none, and then nothing differs."""
    names = sorted(policy.name for policy in topology.topics.values())
    assert await topics.create(broker, topology) == names
    assert await topics.create(broker, topology) == []
    assert await topics.differences(broker, topology) == []


async def test_asking_creates_nothing(broker: str, topology: Topology) -> None:
    """`differences` says that every topic is missing, twice: asking does not create them."""
    for _ in range(2):
        found = await topics.differences(broker, topology)
        assert [difference.what for difference in found] == ["missing"] * len(topology.topics)
    name = topology.topic("control")
    assert f"{name}: missing. `faultstream topology create` makes it" in map(str, found)


async def test_other_partitions_are_refused(broker: str, topology: Topology) -> None:
    """A topic with another number of partitions stops everything, with both ways to mend it."""
    await topics.create(broker, topology)
    with pytest.raises(topics.TopicsDifferError) as refused:
        await topics.create(broker, changed(topology, "errors", partitions=8))
    assert str(refused.value) == (
        f"{topology.topic('errors')}: partitions is 4, wanted 8. The number cannot change while "
        "state belongs to partitions: set it to 4 in topology.yaml, or give the topic a new name "
        "there"
    )


async def test_other_cleanup_and_retention_are_refused(broker: str, topology: Topology) -> None:
    """Settings that decide what is forgotten are compared, each named with its mend."""
    await topics.create(broker, topology)
    other = changed(topology, "errors", retention_ms=1_000)
    other = changed(other, "patterns", cleanup="compact")
    found = await topics.differences(broker, other)
    assert [(difference.what, difference.wanted, difference.found) for difference in found] == [
        ("retention.ms", "1000", "604800000"),
        ("cleanup.policy", "compact", "delete"),
    ]
    assert str(found[0]).endswith(
        f"kafka-configs.sh --alter --entity-type topics --entity-name {topology.topic('errors')} "
        "--add-config retention.ms=1000, or set it to 604800000 in topology.yaml"
    )


async def test_nothing_is_created_beside_a_mismatch(broker: str, topology: Topology) -> None:
    """When one topic differs, missing ones stay missing."""
    await topics.create(broker, topology)
    other = changed(topology, "errors", partitions=8)
    other = changed(other, "control", name=topology.topic("control") + ".new")
    with pytest.raises(topics.TopicsDifferError):
        await topics.create(broker, other)
    whats = {difference.what for difference in await topics.differences(broker, other)}
    assert whats == {"missing", "partitions"}


async def test_a_fresh_broker_s_topics_are_made_anew(
    embedded_broker: str, topology: Topology
) -> None:
    """On a broker that just started, topics that a client made by asking are replaced; what is as
    wanted stays."""
    other = changed(topology, "commands", partitions=3)
    await topics.create(embedded_broker, changed(other, "errors", retention_ms=1_000))
    made = await topics.renew(embedded_broker, topology)
    assert made == sorted([topology.topic("commands"), topology.topic("errors")])
    assert await topics.differences(embedded_broker, topology) == []
    assert await topics.renew(embedded_broker, topology) == []


async def test_changelogs_are_created_beside(broker: str, topology: Topology, prefix: str) -> None:
    """Changelogs are made like the other topics, so that nobody relies on auto-creation."""
    log = topics.changelog(
        f"{prefix}-changelog", partitions=4, replicas=1, max_message_bytes=2_000_000
    )
    assert log.name in await topics.create(broker, topology, [log])
    assert await topics.differences(broker, topology, [log]) == []


async def test_log_keeps_its_id(broker: str, topology: Topology) -> None:
    """The id is written once, is the same for everybody, and another log has another one."""
    await topics.create(broker, topology)
    first = await topics.log_id(broker, topology)
    await topics.create(broker, topology)
    assert await topics.log_id(broker, topology) == first
    other = changed(topology, "control", name=topology.topic("control") + ".other")
    await topics.create(broker, other)
    assert await topics.log_id(broker, other) != first


async def test_log_without_id_says_so(broker: str, topology: Topology) -> None:
    """A control topic without the id is an error with the mend, not an empty id."""
    topic = topology.topic("control")
    async with topics._admin(broker) as admin:
        await topics._create(admin, topics.wanted(topology))
        await topics._settle(admin, topics.wanted(topology))
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        await producer.send_and_wait(topic, b"{}", key=b"pause/production")
    with pytest.raises(identity.LogIdAbsentError) as absent:
        await topics.log_id(broker, topology)
    assert str(absent.value) == (
        f"{topic} on {broker} holds no log id: run `faultstream topology create` first"
    )


async def test_reads_whole_batches(broker: str, topology: Topology) -> None:
    """Every record of a batch is read, also where the broker says the end too low."""
    await topics.create(broker, topology)
    topic = topology.topic("patterns")
    async with AIOKafkaProducer(bootstrap_servers=broker, linger_ms=20) as producer:
        for number in range(100):
            await producer.send(topic, str(number).encode(), partition=2)
    values = [record.value async for record in scan(broker, topic, {0: 0, 2: 90})]
    assert values == [str(number).encode() for number in range(90, 100)]
    values = [record.value async for record in scan(broker, topic, {2: 0})]
    assert values == [str(number).encode() for number in range(100)]


async def test_the_newest_are_read_first(
    broker: str, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In stretches from the end backwards; together they are the whole topic, each record once, in
    the order of the log within a stretch and partition."""
    monkeypatch.setattr("faultstream.transport.scan.DEPTHS", (10, 40))
    await topics.create(broker, topology)
    topic = topology.topic("patterns")
    async with AIOKafkaProducer(bootstrap_servers=broker, linger_ms=0) as producer:
        for number in range(120):
            await producer.send_and_wait(topic, f"{number} x".encode(), partition=number % 2)
        await producer.send_and_wait(topic, b"other", partition=0)
    found = [
        [int((record.value or b"").split()[0]) for record in records]
        async for records in newest_first(broker, topic, range(3), holds=b" x")
    ]
    assert sorted(one for each in found for one in each) == list(range(120))
    assert len(found) == 3
    assert min(found[0]) > max(found[1]) > max(found[2])
    for each in found:
        assert [one for one in each if one % 2] == sorted(one for one in each if one % 2)


@pytest.mark.kafka
async def test_too_many_replicas_are_refused(apache_kafka: str, topology: Topology) -> None:
    """What the broker refuses to create is said in its words, with the topic."""
    with pytest.raises(topics.TopicRefusedError) as refused:
        await topics.create(apache_kafka, changed(topology, "errors", replicas=3))
    assert str(refused.value).startswith(f"{topology.topic('errors')}: ")
    assert "replication factor" in str(refused.value)


async def test_broker_away_is_said() -> None:
    """Waiting for a broker ends with its address and the bound."""
    address = f"127.0.0.1:{child.free_port()}"
    with pytest.raises(KafkaConnectionError) as away:
        await topics.wait_for_broker(address, timeout_s=0.2)
    assert f"no broker of {address} answered within 0.2 s" in str(away.value)
