"""The story is what the records say, and ends well only when every incident was cured."""

from collections.abc import Iterator
from itertools import permutations

import msgspec
import pytest

from faultstream.core.records import (
    Attempt,
    Incident,
    Notification,
    Pattern,
    RecoveryCommand,
    RecoveryResult,
    Target,
)
from faultstream.demo.story import Story, Told


def _pattern(revision: int = 1, **values: object) -> Pattern:
    known = {"pattern_id": "p", "kind": "burst", "state": "open", "environment": "production"}
    known |= {"service": "inventory", "error_type": "builtins.ConnectionRefusedError"}
    times = {"first_at_ms": 1_000, "last_at_ms": 2_000, "detected_at_ms": 2_000}
    return Pattern(revision=revision, **{**known, **times, **values})  # type: ignore[arg-type]


def _incident(state: str, revision: int, outcome: str = "", name: str = "i") -> Incident:
    attempt = {"command_id": f"c-{name}", "strategy": "retry", "outcome": outcome}
    attempts = [msgspec.convert(attempt, Attempt)] if outcome else []
    return Incident(
        incident_id=name,
        revision=revision,
        state=state,  # type: ignore[arg-type]
        severity="high",
        environment="production",
        root="inventory",
        pattern_ids=["p"],
        attempts=attempts,
        first_error_at_ms=1_000,
        opened_at_ms=2_000,
        updated_at_ms=2_000 + revision,
    )


def _command(name: str = "i") -> RecoveryCommand:
    target = Target(environment="production", service="inventory")
    return RecoveryCommand(
        command_id=f"c-{name}",
        incident_id=name,
        attempt=1,
        strategy="retry",
        target=target,
        issued_at_ms=2_100,
        expires_at_ms=62_100,
    )


def _result(status: str = "success", name: str = "i") -> RecoveryResult:
    return RecoveryResult(
        result_id=f"r-{name}",
        command_id=f"c-{name}",
        incident_id=name,
        executor="faultstream-client",
        instance="inventory-1",
        status=status,  # type: ignore[arg-type]
        started_at_ms=2_200,
        finished_at_ms=2_300,
    )


def _well() -> list[Told]:
    return [
        _pattern(),
        _incident("open", 1),
        _command(),
        _result(),
        _incident("verifying", 2, "done"),
        _incident("resolved", 3, "cured"),
        _pattern(2, state="closed", count=7, closed_at_ms=17_000),
    ]


def _told(records: list[Told]) -> Story:
    story = Story()
    for record in records:
        story.tell(record)
    return story


def test_each_step_is_reached_by_its_record() -> None:
    """detected, commanded, carried out, verified, and closed when the pattern is over."""
    story, reached = Story(), []
    for record in _well():
        story.tell(record)
        reached.append([step for step, done in story.reached().items() if done][-1:])
    assert reached == [
        [],
        ["detected"],
        ["commanded"],
        ["carried out"],
        ["carried out"],
        ["verified"],
        ["closed"],
    ]


def test_the_order_of_topics_does_not_matter() -> None:
    """Any interleaving of the topics, and reading everything twice, ends in the same state."""
    whole = _told(_well())
    for order in _some(permutations(_well())):
        story = _told([*order, *order])
        assert story.reached() == whole.reached()
        assert story.cures() == whole.cures()


def _some(orders: Iterator[tuple[Told, ...]]) -> list[tuple[Told, ...]]:
    return list(orders)[::97]


@pytest.mark.parametrize(
    "records",
    [
        [*_well(), _incident("escalated", 1, "recurring", name="other")],
        [_pattern(), _command(), _result("failed"), _incident("closed", 4, "cured")],
        [_pattern(), _command(), _result(), _incident("closed", 4, "recurring")],
        [_pattern(), _command(), _result(), _incident("closed", 4)],
        [],
    ],
    ids=["one of two", "not carried out", "not cured", "went away by itself", "nothing"],
)
def test_it_is_not_verified_by_less(records: list[Told]) -> None:
    """Every incident must be cured by a command that an executor carried out."""
    reached = _told(records).reached()
    assert not reached["verified"]
    assert not reached["closed"]


def test_an_escalated_incident_cannot_end_well() -> None:
    """The reason is given to whoever waits."""
    story = _told([_incident("escalated", 2, "recurring")])
    assert story.failed() == "the incident in inventory was escalated: "


def test_the_log_says_each_thing_once() -> None:
    """A line for what is new: opening, outcome, state, command, result, notification."""
    told = Notification(
        notification_id="n",
        group="g",
        level="info",
        title="inventory: resolved",
        environment="production",
        created_at_ms=9_000,
    )
    story = _told([*_well(), told, *_well(), told])
    assert [(line.kind, line.text) for line in story.lines] == [
        ("pattern", "burst in inventory: ConnectionRefusedError, medium, confidence 0.00"),
        ("incident", "inventory is open"),
        ("command", "inventory: retry, attempt 1"),
        ("result", "inventory-1:  success"),
        ("verify", "retry in inventory: cured"),
        ("incident", "inventory is resolved"),
        ("pattern", "burst in inventory is over after 7 errors"),
        ("notify", "info: inventory: resolved"),
    ]
