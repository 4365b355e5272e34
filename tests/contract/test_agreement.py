"""Schemas and structs say the same: field by field, and value by value around every example.

Two differences are meant. Bounds on numbers and lengths bind producers; readers cut or take what
is past them, so that one long field loses no error (contracts: cut where cutting is harmless).
And `LENIENT` lists the fields in which readers understand more than the schema says.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any, Final, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from faultstream import wire
from faultstream.core.event import Cause, ErrorEvent, Frame
from faultstream.core.group import Category
from faultstream.core.records import Attempt, Edge, Record, Target
from faultstream.core.severity import SEVERITIES
from tests.contract.contracts import (
    READ,
    RECORDS,
    accepted_by_reader,
    accepted_by_schema,
    examples,
    schema,
)

BOUNDS: Final = {
    "minimum", "maximum", "exclusiveMaximum", "minLength", "maxLength", "maxItems", "maxProperties",
}  # fmt: skip
LENIENT: Final = {
    ("errors.v1", "severity"): "the names that loggers use are understood, empty is absent",
    ("errors.v1", "category"): "other spellings are understood, empty is absent",
    ("errors.v1", "time"): "fractions of a millisecond are rounded",
}
VALUES: Final[list[Any]] = [
    None, True, -1, 0, 1, 7.5, "", "x", "2026-11-22T02:01:39.120Z", [], ["x"], [1], {}, {"x": "y"},
    {"x": 1},
]  # fmt: skip


def loosened(topic: str) -> dict[str, Any]:
    """The schema of `topic` as a reader that cuts instead of refusing sees it."""

    def without_bounds(part: Any) -> Any:
        if isinstance(part, dict):
            kept = {key: value for key, value in part.items() if key not in BOUNDS}
            return {key: without_bounds(value) for key, value in kept.items()}
        return [without_bounds(item) for item in part] if isinstance(part, list) else part

    found: dict[str, Any] = without_bounds(schema(topic))
    for lenient, field in LENIENT:
        if lenient == topic:
            found["properties"][field] = {"type": ["string", "number", "null"]}
    return found


def variants(value: Any) -> Iterator[Any]:
    """`value` with one part at a time left out or replaced by each of VALUES."""
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    for key in keys:
        for other in VALUES:
            changed = copy.copy(value)
            changed[key] = other
            yield changed
        changed = copy.copy(value)
        del changed[key]
        yield changed
        if isinstance(value[key], dict | list):
            for inner in variants(value[key]):
                changed = copy.copy(value)
                changed[key] = inner
                yield changed


@pytest.mark.parametrize("topic", READ)
def test_the_pipeline_takes_exactly_what_the_schema_allows(topic: str) -> None:
    """Around the full example, each part replaced by every kind of value: the verdicts agree."""
    strict, loose = schema(topic), loosened(topic)
    full = next(file for file in examples(topic, "good") if file.stem == "full")
    disagreements = []
    for value in variants(json.loads(full.read_text("utf-8"))):
        taken = accepted_by_reader(topic, value)
        if accepted_by_schema(strict, value) > taken or taken > accepted_by_schema(loose, value):
            disagreements.append((taken, value))
    assert disagreements == []


def properties(topic: str, part: str | None = None) -> dict[str, Any]:
    found = schema(topic)
    found = found["$defs"][part] if part else found
    return {"names": set(found["properties"]), "required": set(found.get("required", []))}


def fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    found = msgspec.structs.fields(kind)
    return {
        "names": {field.encode_name for field in found},
        "required": {field.encode_name for field in found if field.required},
    }


@pytest.mark.parametrize("topic", RECORDS)
def test_records_and_schemas_have_the_same_fields(topic: str) -> None:
    """A field in one is a field in the other, and required in both or in neither."""
    assert properties(topic) == fields(RECORDS[topic])


@pytest.mark.parametrize(
    ("topic", "part", "kind"),
    [
        ("errors.v1", None, ErrorEvent),
        ("errors.v1", "cause", Cause),
        ("errors.v1", "frame", Frame),
        ("patterns.v1", "edge", Edge),
        ("incidents.v1", "attempt", Attempt),
    ],
)
def test_events_and_parts_have_the_same_fields(
    topic: str, part: str | None, kind: type[msgspec.Struct]
) -> None:
    """The same for errors and for what is inside other records."""
    assert properties(topic, part) == fields(kind)


def test_targets_have_the_same_fields() -> None:
    """The same for whom a command is for."""
    target = schema("recovery.commands.v1")["properties"]["target"]
    assert set(target["properties"]) == fields(Target)["names"]
    assert set(target["required"]) == fields(Target)["required"]


def enums(kind: type[msgspec.Struct]) -> dict[str, set[Any]]:
    return {
        field.encode_name: set(info.values)
        for field in msgspec.structs.fields(kind)
        if isinstance(info := inspect.type_info(field.type), inspect.LiteralType)
    }


@pytest.mark.parametrize("topic", RECORDS)
def test_records_and_schemas_have_the_same_words(topic: str) -> None:
    """The words that a field may hold are the same in both."""
    found = schema(topic)["properties"]
    assert enums(RECORDS[topic]) == {
        name: set(part["enum"]) for name, part in found.items() if "enum" in part
    }


def test_hints_have_the_words_of_the_core() -> None:
    """severity and category of an error list what classification knows."""
    found = schema("errors.v1")["properties"]
    assert set(found["severity"]["enum"]) == {*SEVERITIES, None}
    assert set(found["category"]["enum"]) == {*get_args(Category), None}


def made(kind: inspect.Type) -> st.SearchStrategy[Any]:  # noqa: C901, PLR0911
    """Any value that a struct's field may hold."""
    match kind:
        case inspect.StructType(cls=cls):
            return records(cls)
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            return st.integers(0, 2**53)
        case inspect.FloatType():
            return st.floats(0, 1e12)
        case inspect.StrType():
            return st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
        case inspect.ListType(item_type=item):
            return st.lists(made(item), max_size=3)
        case inspect.VarTupleType(item_type=item):
            return st.lists(made(item), max_size=3).map(tuple)
        case inspect.DictType(value_type=inspect.StrType() as text):
            return st.dictionaries(st.text(max_size=5), made(text), max_size=3)
        case inspect.DictType():
            return st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=3)
        case inspect.UnionType(types=kinds):
            return st.one_of([made(part) for part in kinds])
    return st.none()


def records(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any struct of `kind`; moments are within 1970 to 2100, as everywhere."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    moment = st.integers(0, 4_102_444_799_999)
    parts = {}
    for field in info.fields:
        part = made(field.type)
        if field.name.endswith("_at_ms"):
            part = moment if isinstance(field.type, inspect.IntType) else st.none() | moment
        parts[field.name] = part
    return st.builds(kind, **parts)


@pytest.mark.parametrize("topic", RECORDS)
def test_what_we_write_is_in_the_schema_and_reads_back(topic: str) -> None:
    """Every record that the structs can hold is valid on the wire, and is itself again there."""
    loose = loosened(topic)

    @given(record=records(RECORDS[topic]))
    def holds(record: Record) -> None:
        written = wire.encode(record)
        assert accepted_by_schema(loose, json.loads(written))
        assert wire.decode(type(record), written) == record

    holds()
