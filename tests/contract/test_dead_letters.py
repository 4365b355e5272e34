"""What the workers write on dead letters is what the schema says, and what the tools read."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator

from faultstream.stream.letters import headers
from faultstream.stream.stage import Refusal, Source
from faultstream.transport.dead_letters import letter
from tests.contract.contracts import schema

ORIGINAL = [("ce_type", b"io.faultstream.error.raised.v1"), ("raw", b"\xff")]


def written(reason: str, timestamp_ms: int) -> list[tuple[str, bytes]]:
    record = SimpleNamespace(
        offset=81_234, timestamp=timestamp_ms, key=b"orders", value=b"{", headers=ORIGINAL
    )
    refused = Refusal(cast("Any", record), "decode", "DataError", reason)
    source = Source("errors", "faultstream.errors.v1", 3)
    return headers(refused, source, "faultstream.detect", 1_795_312_899_120)


@pytest.mark.parametrize("reason", ["not JSON", "", "x" * 5_000, "\udcff broken \x00"])
@pytest.mark.parametrize("timestamp_ms", [-1, 0, 1_795_312_899_120])
def test_written_headers_follow_the_schema(reason: str, timestamp_ms: int) -> None:
    """Whatever the reason and the time of the original; its own headers stay in front."""
    found = written(reason, timestamp_ms)
    assert found[: len(ORIGINAL)] == ORIGINAL
    ours = {name: value.decode() for name, value in found[len(ORIGINAL) :]}
    Draft202012Validator(schema("dead-letters.v1")).validate(ours)
    assert set(schema("dead-letters.v1")["required"]) == set(ours)


def test_the_tools_read_every_header_back() -> None:
    """`faultstream dead-letters` finds each value under the name that the worker wrote."""
    record = SimpleNamespace(
        partition=0, offset=7, timestamp=5, key=b"orders", value=b"{", headers=written("bad", 9)
    )
    found = letter(cast("Any", record))
    assert (found.topic, found.original_partition) == ("faultstream.errors.v1", 3)
    assert (found.original_offset, found.original_ms) == (81_234, 9)
    assert (found.group, found.stage, found.error_type) == (
        "faultstream.detect",
        "decode",
        "DataError",
    )
    assert (found.reason, found.attempt) == ("bad", 1)
    assert found.first_failed_at == "2026-11-22T02:01:39.120Z"
