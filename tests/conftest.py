"""Brokers for the tests. Both are started once per session and shared: use `prefix` for names."""

import os
import uuid
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import settings

from faultstream.core.policy import Topology
from faultstream.transport.embedded import BrokerError, EmbeddedBroker
from tests.kafka import ApacheKafka, KafkaAbsentError

# No test asserts a wall-clock time, and a busy machine is no finding.
settings.register_profile("faultstream", deadline=None, print_blob=True)
settings.load_profile("faultstream")


def _absent(reason: object) -> None:
    """Skip at home; fail in CI, where every part must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(str(reason))
    pytest.skip(str(reason))


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[str]:
    """Address of the embedded broker."""
    broker = EmbeddedBroker()
    try:
        broker.start()
    except BrokerError as exc:
        _absent(exc)
    yield broker.address
    broker.stop()


@pytest.fixture(scope="session")
def apache_kafka_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """One Apache Kafka node; a test that stops it must start it again."""
    try:
        node = ApacheKafka(tmp_path_factory.mktemp("kafka"))
    except KafkaAbsentError as exc:
        _absent(exc)
        raise
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="session")
def apache_kafka(apache_kafka_node: ApacheKafka) -> str:
    """Address of Apache Kafka. Mark tests that ask for it with `kafka`."""
    return apache_kafka_node.address


@pytest.fixture
def own_apache_kafka(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of an Apache Kafka node of the test's own."""
    request.getfixturevalue("apache_kafka")  # skips or fails where it is absent
    node = ApacheKafka(tmp_path_factory.mktemp("kafka"))
    node.start()
    yield node.address
    node.stop()


@pytest.fixture(
    params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)],
)
def broker(request: pytest.FixtureRequest) -> str:
    """Address of each broker that must do, one after the other."""
    name = {"embedded": "embedded_broker", "apache": "apache_kafka"}[request.param]
    address: str = request.getfixturevalue(name)
    return address


@pytest.fixture
def prefix() -> str:
    """For topic and group names: tests share brokers, so each has names of its own."""
    return f"t{uuid.uuid4().hex[:12]}"


def prefixed(topology: Topology, prefix: str) -> Topology:
    """`topology` with every topic's name below `prefix`."""
    topics = {
        role: msgspec.structs.replace(topic, name=f"{prefix}.{topic.name}")
        for role, topic in topology.topics.items()
    }
    return msgspec.structs.replace(topology, topics=topics)
