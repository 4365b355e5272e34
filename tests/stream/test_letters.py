"""Dead letters: what they say, and where they stop the worker."""

import pytest

from faultstream.core.policy import DeadLetterPolicy
from faultstream.stream.letters import LimitReachedError, Limits, headers
from faultstream.stream.stage import Refusal, Source
from tests.stream.records import Raw

SOURCE = Source("errors", "faultstream.errors.v1", 3)


def test_headers_keep_the_original_and_say_why() -> None:
    """The original's headers stay in front; ours name the place, the reason and the time."""
    record = Raw(7, b"?", headers=[("traceparent", b"00-1-2-01")], timestamp=1_800_000_000_123)
    refusal = Refusal(record, "decode", "DataError", "not JSON")
    found = headers(refusal, SOURCE, "faultstream.detect", 1_800_000_000_500)
    assert found[0] == ("traceparent", b"00-1-2-01")
    assert dict(found[1:]) == {
        "x-faultstream-original-topic": b"faultstream.errors.v1",
        "x-faultstream-original-partition": b"3",
        "x-faultstream-original-offset": b"7",
        "x-faultstream-original-timestamp": b"1800000000123",
        "x-faultstream-consumer-group": b"faultstream.detect",
        "x-faultstream-stage": b"decode",
        "x-faultstream-error-type": b"DataError",
        "x-faultstream-error-message": b"not JSON",
        "x-faultstream-attempt": b"1",
        "x-faultstream-first-failed-at": b"2027-01-15T08:00:00.500Z",
        "x-faultstream-last-failed-at": b"2027-01-15T08:00:00.500Z",
    }


def test_a_replayed_letter_counts_on() -> None:
    """Refused again, a letter keeps the time of its first refusal, has one set of our headers and
    one attempt more."""
    first = Refusal(Raw(7, b"?", headers=[]), "decode", "DataError", "not JSON")
    before = headers(first, SOURCE, "faultstream.detect", 1_800_000_000_500)
    again = Refusal(Raw(9, b"?", headers=before), "decode", "DataError", "not JSON")
    after = dict(headers(again, SOURCE, "faultstream.detect", 1_800_000_060_500))
    assert len(after) == len(before)
    assert after["x-faultstream-attempt"] == b"2"
    assert after["x-faultstream-first-failed-at"] == b"2027-01-15T08:00:00.500Z"
    assert after["x-faultstream-last-failed-at"] == b"2027-01-15T08:01:00.500Z"
    assert after["x-faultstream-original-offset"] == b"9"


def test_consecutive() -> None:
    """One less than max_consecutive in a row goes on; the one that reaches it stops."""
    limits = Limits(DeadLetterPolicy(max_consecutive=10, ratio_over=1_000_000))
    limits.count(SOURCE, 5, 5, 5)
    limits.count(SOURCE, 4, 4, 4)
    limits.count(SOURCE, 5, 4, 3)  # a good one in between
    limits.count(SOURCE, 6, 6, 6)
    with pytest.raises(LimitReachedError) as reached:
        limits.count(SOURCE, 1, 1, 1)
    assert str(reached.value) == (
        "faultstream.errors.v1[3]: the last 10 records were all refused "
        "(dead_letters.max_consecutive is 10)"
    )


def test_ratio() -> None:
    """Half of the latest records is at the limit of one half; more than that stops. Older ones
    than the latest `ratio_over` do not count."""
    limits = Limits(DeadLetterPolicy(max_ratio=0.5, ratio_over=100, max_consecutive=1_000))
    for _ in range(10):
        limits.count(SOURCE, 20, 10, 0)
    for _ in range(10):
        limits.count(SOURCE, 20, 0, 0)
    for _ in range(4):
        limits.count(SOURCE, 20, 11, 0)
    with pytest.raises(LimitReachedError) as reached:
        limits.count(SOURCE, 20, 11, 0)
    assert str(reached.value) == (
        "faultstream.errors.v1[3]: 55 of the last 100 records were refused "
        "(dead_letters.max_ratio is 0.5)"
    )


def test_partitions_are_counted_apart() -> None:
    """Refusals in one partition do not add up with those in another."""
    limits = Limits(DeadLetterPolicy(max_consecutive=10))
    limits.count(SOURCE, 6, 6, 6)
    limits.count(SOURCE._replace(partition=1), 6, 6, 6)
