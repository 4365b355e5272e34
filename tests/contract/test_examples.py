"""Every topic has good and bad examples, and schema and pipeline agree about each of them."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from faultstream.core.policy import TOPIC_ROLES
from tests.contract.contracts import (
    READ,
    SCHEMAS,
    TOPICS,
    accepted_by_reader,
    accepted_by_schema,
    examples,
    schema,
)


def cases(kind: str) -> list[tuple[str, Path]]:
    return [(topic, file) for topic in TOPICS for file in examples(topic, kind)]


def label(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value)


def test_every_topic_has_a_schema_and_examples() -> None:
    """One schema for each role, at least two good and three bad examples for each schema."""
    assert len(TOPICS) == len(TOPIC_ROLES)
    for topic in TOPICS:
        assert len(examples(topic, "good")) >= 2, topic
        assert len(examples(topic, "bad")) >= 3, topic
    folders = {folder.name for folder in (SCHEMAS / "examples").iterdir()}
    assert folders == set(TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_schemas_are_schemas(topic: str) -> None:
    """Each is valid JSON Schema 2020-12 and names itself after its file."""
    found = schema(topic)
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"] == f"urn:faultstream:{topic}"


@pytest.mark.parametrize(("topic", "file"), cases("good"), ids=label)
def test_good_examples_are_accepted_by_both(topic: str, file: Path) -> None:
    """What the schema promises to other languages, the pipeline takes."""
    value = json.loads(file.read_text("utf-8"))
    Draft202012Validator(schema(topic)).validate(value)
    assert topic not in READ or accepted_by_reader(topic, value)


@pytest.mark.parametrize(("topic", "file"), cases("bad"), ids=label)
def test_bad_examples_are_refused_by_both(topic: str, file: Path) -> None:
    """What the schema refuses, the pipeline does not take as something else."""
    value = json.loads(file.read_text("utf-8"))
    assert not accepted_by_schema(schema(topic), value)
    assert topic not in READ or not accepted_by_reader(topic, value)
