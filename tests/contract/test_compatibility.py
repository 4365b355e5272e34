"""Released schemas only ever gain optional fields."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.compatibility import breaks
from tests.contract.contracts import SCHEMAS, SUFFIX, schema

RELEASED = sorted((SCHEMAS / "released").glob(f"*{SUFFIX}"))
Schema = dict[str, Any]


def test_every_released_schema_is_still_kept() -> None:
    """A released topic has its schema, and nothing in it changed but what may."""
    for file in RELEASED:
        old = json.loads(file.read_text("utf-8"))
        current = SCHEMAS / file.name
        assert current.exists(), f"{file.name} was released and is gone"
        new = json.loads(current.read_text("utf-8"))
        assert list(breaks(old, new)) == [], f"{file.name}: needs a new topic version"


def add_optional(new: Schema) -> None:
    new["properties"]["colour"] = {"type": "string"}


def add_inner_optional(new: Schema) -> None:
    new["$defs"]["edge"]["properties"]["colour"] = {"type": "string"}


def add_definition(new: Schema) -> None:
    new["$defs"]["colour"] = {"type": "string"}


def reword(new: Schema) -> None:
    new["description"] = new["properties"]["root"]["description"] = "Otherwise."


@pytest.mark.parametrize("change", [add_optional, add_inner_optional, add_definition, reword])
def test_a_compatible_change_passes(change: Callable[[Schema], None]) -> None:
    """Optional fields at any depth, and words for people."""
    new = copy.deepcopy(schema("patterns.v1"))
    change(new)
    assert list(breaks(schema("patterns.v1"), new)) == []


def remove(new: Schema) -> None:
    del new["properties"]["root"]


def require(new: Schema) -> None:
    new["required"].append("root")


def relax(new: Schema) -> None:
    new["required"].remove("service")


def retype(new: Schema) -> None:
    new["properties"]["count"]["type"] = "string"


def widen(new: Schema) -> None:
    new["properties"]["kind"]["enum"].append("storm")


def narrow(new: Schema) -> None:
    new["properties"]["kind"]["enum"].remove("novel")


def bound(new: Schema) -> None:
    new["properties"]["root"]["maxLength"] = 3


def close(new: Schema) -> None:
    new["additionalProperties"] = False


def inner_remove(new: Schema) -> None:
    del new["$defs"]["edge"]["properties"]["lag_ms"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (remove, "root: is gone"),
        (require, "required: was"),
        (relax, "required: was"),
        (retype, "count.type: was 'integer', is 'string'"),
        (widen, "kind.enum: was"),
        (narrow, "kind.enum: was"),
        (bound, "root.maxLength: is new"),
        (close, "additionalProperties: is new"),
        (inner_remove, "edge.lag_ms: is gone"),
    ],
)
def test_a_breaking_change_is_named(change: Callable[[Schema], None], sentence: str) -> None:
    """Everything else is said in one sentence with its place; it needs a new topic version."""
    new = copy.deepcopy(schema("patterns.v1"))
    change(new)
    (found,) = breaks(schema("patterns.v1"), new)
    assert found.startswith(sentence)
