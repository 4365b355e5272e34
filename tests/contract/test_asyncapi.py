"""The AsyncAPI document is whole, and says what topology.yaml and the structs say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from faultstream import __version__
from faultstream.config.topology import load
from faultstream.core.policy import TOPIC_ROLES, TopicRole
from faultstream.wire import EVENT_TYPE
from tests.contract.contracts import RECORDS, SCHEMAS, TOPICS

# What AsyncAPI 3.0.0 and version 0.5.0 of its Kafka bindings allow in each object that we use.
ALLOWED: Final[dict[str, set[str]]] = {
    "root": {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations",
             "components"},
    "channel": {"address", "messages", "title", "summary", "description", "servers", "parameters",
                "tags", "externalDocs", "bindings"},
    "operation": {"action", "channel", "title", "summary", "description", "security", "tags",
                  "externalDocs", "bindings", "traits", "messages", "reply"},
    "message": {"headers", "payload", "correlationId", "contentType", "name", "title", "summary",
                "description", "tags", "externalDocs", "bindings", "examples", "traits"},
    "channel binding": {"topic", "partitions", "replicas", "topicConfiguration", "bindingVersion"},
    "topic configuration": {"cleanup.policy", "retention.ms", "retention.bytes",
                            "delete.retention.ms", "max.message.bytes"},
    "operation binding": {"groupId", "clientId", "bindingVersion"},
    "message binding": {"key", "schemaIdLocation", "schemaIdPayloadEncoding",
                        "schemaLookupStrategy", "bindingVersion"},
}  # fmt: skip


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text("utf-8"))
    return found


def objects(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every object whose fields the specification lists: kind, name, the object."""
    yield "root", "", document
    for name, channel in document["channels"].items():
        yield "channel", name, channel
        kafka = channel["bindings"]["kafka"]
        yield "channel binding", name, kafka
        yield "topic configuration", name, kafka["topicConfiguration"]
    for name, operation in document["operations"].items():
        yield "operation", name, operation
        if "bindings" in operation:
            yield "operation binding", name, operation["bindings"]["kafka"]
    for name, message in document["components"]["messages"].items():
        yield "message", name, message
        yield "message binding", name, message["bindings"]["kafka"]


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for item in part:
            yield from references(item)


def followed(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_objects_have_only_fields_of_the_specification(document: dict[str, Any]) -> None:
    """AsyncAPI 3.0.0, Kafka bindings 0.5.0."""
    assert document["asyncapi"] == "3.0.0"
    assert document["info"]["version"] == __version__
    for kind, name, found in objects(document):
        assert set(found) <= ALLOWED[kind], (kind, name)
        if kind.endswith(" binding"):
            assert found["bindingVersion"] == "0.5.0", (kind, name)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """Inside the document, or to a schema beside it; every schema is used."""
    found = list(references(document))
    files = {reference for reference in found if not reference.startswith("#/")}
    assert {Path(file).name.removesuffix(".schema.json") for file in files} == set(TOPICS)
    for reference in found:
        if reference.startswith("#/"):
            assert followed(document, reference)
        else:
            assert (SCHEMAS / reference).is_file()


def test_operations_use_messages_of_their_channel(document: dict[str, Any]) -> None:
    """Each sends or receives what its channel lists, and each channel is sent to by someone."""
    sent = set()
    for name, operation in document["operations"].items():
        assert operation["action"] in {"send", "receive"}, name
        channel = operation["channel"]["$ref"]
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{channel}/messages/"), name
        if operation["action"] == "send":
            sent.add(channel)
    assert sent == {f"#/channels/{role}" for role in TOPIC_ROLES}


@pytest.mark.parametrize("role", TOPIC_ROLES)
def test_channels_are_the_topics_of_the_topology(role: TopicRole, document: dict[str, Any]) -> None:
    """Names, partitions, retention and size as in topology.yaml."""
    topic = load().topics[role]
    channel = document["channels"][role]
    kafka = channel["bindings"]["kafka"]
    expected = {"cleanup.policy": [topic.cleanup], "max.message.bytes": topic.max_message_bytes}
    if topic.cleanup == "delete":
        expected["retention.ms"] = topic.retention_ms
    assert channel["address"] == kafka["topic"] == topic.name
    assert (kafka["partitions"], kafka["replicas"]) == (topic.partitions, topic.replicas)
    assert kafka["topicConfiguration"] == expected


def test_messages_say_the_types_of_the_structs(document: dict[str, Any]) -> None:
    """`ce_type` of each message is that of the record."""
    types = {"ErrorEvent": EVENT_TYPE}
    types |= {kind.__name__: kind.ce_type for kind in RECORDS.values()}
    messages = document["components"]["messages"]
    assert set(messages) == {*types, "DeadLetter"}
    for name, ce_type in types.items():
        own = messages[name]["headers"]["allOf"][-1]
        assert own["properties"]["ce_type"]["const"] == ce_type
