"""The topics: what the topology wants, what the brokers have, and making the one from the other.

Nothing that exists is ever changed: partitions decide where a key's state and offsets live, and
the cleanup policy decides what is forgotten. What differs is refused with the mend.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, TopicAlreadyExistsError, for_code

from faultstream.core.policy import TopicPolicy, Topology
from faultstream.transport.embedded import answers
from faultstream.transport.identity import LOG_ID_KEY, ensure_log_id, log_id

__all__ = ["LOG_ID_KEY", "create", "differences", "log_id", "wait_for_broker", "wanted"]

# What a broker that does not name a setting has (Apache Kafka's own defaults).
_DEFAULTS: Final = {
    "cleanup.policy": "delete",
    "retention.ms": "604800000",
    "max.message.bytes": "1048588",
}
_SETTLE_S: Final = 20.0


class Topic(msgspec.Struct, frozen=True):
    """One topic as it should be. `settings` are Kafka's own names and texts."""

    name: str
    partitions: int
    replicas: int
    settings: Mapping[str, str]


class Difference(msgspec.Struct, frozen=True):
    """One way in which a topic is not as wanted. `what` is `missing` or a setting's name."""

    topic: str
    what: str
    wanted: str
    found: str
    mend: str

    def __str__(self) -> str:
        if self.what == "missing":
            return f"{self.topic}: missing. {self.mend}"
        return f"{self.topic}: {self.what} is {self.found}, wanted {self.wanted}. {self.mend}"


class TopicsDifferError(RuntimeError):
    """Topics exist that are not as the topology wants them; nothing was created or changed."""

    def __init__(self, differences: Sequence[Difference]) -> None:
        super().__init__("\n".join(str(difference) for difference in differences))
        self.differences = tuple(differences)


class TopicRefusedError(RuntimeError):
    """The broker refused to create a topic; the message is the broker's."""


def wanted(topology: Topology, also: Iterable[Topic] = ()) -> list[Topic]:
    """The topics of the topology, and `also` (changelogs of the workers), by name."""
    own = [_topic(policy) for policy in topology.topics.values()]
    return sorted([*own, *also], key=lambda topic: topic.name)


def changelog(name: str, *, partitions: int, replicas: int, max_message_bytes: int) -> Topic:
    """A worker's changelog: compacted, partitioned like its source."""
    settings = {"cleanup.policy": "compact", "max.message.bytes": str(max_message_bytes)}
    return Topic(name, partitions, replicas, settings)


def _topic(policy: TopicPolicy) -> Topic:
    settings = {
        "cleanup.policy": policy.cleanup,
        "max.message.bytes": str(policy.max_message_bytes),
    }
    if policy.cleanup == "delete":
        settings["retention.ms"] = str(policy.retention_ms)
    return Topic(policy.name, policy.partitions, policy.replicas, settings)


async def wait_for_broker(brokers: str, timeout_s: float = 30.0) -> None:
    """Return when one of `brokers` (host:port[,..]) answers.

    Raises:
        KafkaConnectionError: none did within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        for address in brokers.split(","):
            host, _, port = address.strip().rpartition(":")
            if await asyncio.to_thread(answers, host.strip("[]"), int(port)):
                return
        if time.monotonic() >= deadline:
            raise KafkaConnectionError(f"no broker of {brokers} answered within {timeout_s:g} s")
        await asyncio.sleep(0.05)


async def differences(
    brokers: str, topology: Topology, also: Iterable[Topic] = ()
) -> list[Difference]:
    """Every way in which the topics on `brokers` are not as wanted; empty when all is well."""
    async with _admin(brokers) as admin:
        return await _differences(admin, wanted(topology, also))


async def create(brokers: str, topology: Topology, also: Iterable[Topic] = ()) -> list[str]:
    """Create what is missing and give the log its identity; the names created. May repeat.

    Raises:
        TopicsDifferError: something exists that is not as wanted; nothing was done.
        TopicRefusedError: a broker refused one, e.g. with too few brokers for its replicas.
        KafkaConnectionError: no broker answers.
    """
    topics = wanted(topology, also)
    async with _admin(brokers) as admin:
        found = await _differences(admin, topics)
        if wrong := [difference for difference in found if difference.what != "missing"]:
            raise TopicsDifferError(wrong)
        missing = {difference.topic for difference in found}
        await _create(admin, [topic for topic in topics if topic.name in missing])
        await _settle(admin, topics)
    await ensure_log_id(brokers, topology)
    return sorted(missing)


async def renew(brokers: str, topology: Topology) -> list[str]:
    """Like `create`, but what is not as wanted is deleted first, with all that it holds. For the
    embedded broker right after its start: a client that kept asking may have been faster.

    Raises:
        TopicsDifferError: it was faster three times.
    """
    for _ in range(3):
        try:
            return await create(brokers, topology)
        except TopicsDifferError as exc:
            differ, names = exc, {difference.topic for difference in exc.differences}
        async with _admin(brokers) as admin:
            await admin.delete_topics(sorted(names))
    raise differ


class _admin:  # noqa: N801 - used as a context manager function
    """An admin client that is closed again, also when starting it fails."""

    def __init__(self, brokers: str) -> None:
        self._client = AIOKafkaAdminClient(bootstrap_servers=brokers, request_timeout_ms=15_000)

    async def __aenter__(self) -> AIOKafkaAdminClient:
        try:
            await self._client.start()
        except BaseException:
            await self._client.close()
            raise
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> None:
    if not topics:
        return
    requests = [
        NewTopic(topic.name, topic.partitions, topic.replicas, topic_configs=dict(topic.settings))
        for topic in topics
    ]
    deadline = time.monotonic() + _SETTLE_S
    while requests:
        answer = await admin.create_topics(requests)
        again = set()
        for name, code, message in answer.topic_errors:
            error = for_code(code)
            if code == 0 or error is TopicAlreadyExistsError:
                continue
            if not error.retriable or time.monotonic() > deadline:
                raise TopicRefusedError(f"{name}: {message or error.description}")
            again.add(name)
        requests = [request for request in requests if request.name in again]
        if requests:
            await asyncio.sleep(0.1)


async def _settle(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> None:
    """Wait until what was created can be seen and every partition has a leader."""
    deadline = time.monotonic() + _SETTLE_S
    while True:
        found = await _found(admin, [topic.name for topic in topics])
        if all(topic.name in found and _led(found[topic.name]) for topic in topics):
            break
        if time.monotonic() > deadline:
            raise TopicRefusedError("the topics were created, but not all partitions have a leader")
        await asyncio.sleep(0.02)
    if wrong := await _differences(admin, topics):
        raise TopicsDifferError(wrong)


def _led(topic: dict[str, Any]) -> bool:
    return all(part["error_code"] == 0 and part["leader"] >= 0 for part in topic["partitions"])


async def _found(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Those of `names` that exist. Asks for a topic only when it is listed: the embedded broker,
    like a Kafka with auto-creation, creates what it is asked about."""
    listed = [name for name in names if name in set(await admin.list_topics())]
    described = await admin.describe_topics(listed) if listed else []
    return {topic["topic"]: topic for topic in described if topic["error_code"] == 0}


async def _differences(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> list[Difference]:
    found = await _found(admin, [topic.name for topic in topics])
    settings = await _settings(admin, list(found))
    result: list[Difference] = []
    for topic in topics:
        if topic.name not in found:
            mend = "`faultstream topology create` makes it"
            result.append(Difference(topic.name, "missing", "", "", mend))
            continue
        count = len(found[topic.name]["partitions"])
        if count != topic.partitions:
            result.append(_partitions(topic, count))
        has = {**_DEFAULTS, **settings[topic.name]}
        result += [
            _setting(topic.name, name, value, has[name])
            for name, value in topic.settings.items()
            if has[name] != value
        ]
    return result


def _partitions(topic: Topic, count: int) -> Difference:
    mend = (
        "The number cannot change while state belongs to partitions: set it to "
        f"{count} in topology.yaml, or give the topic a new name there"
    )
    return Difference(topic.name, "partitions", str(topic.partitions), str(count), mend)


def _setting(topic: str, name: str, want: str, has: str) -> Difference:
    mend = (
        f"kafka-configs.sh --alter --entity-type topics --entity-name {topic} "
        f"--add-config {name}={want}, or set it to {has} in topology.yaml"
    )
    return Difference(topic, name, want, has, mend)


async def _settings(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4] if entry[1] is not None}
        for answer in await admin.describe_configs(resources)
        for resource in answer.resources
    }
