"""Commands for a part of a service: what the errors name, or what the topology says."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultstream.core.controls import Cancel, Trigger
from faultstream.core.event import ErrorEvent
from faultstream.core.records import Pattern
from tests.core import making
from tests.core.making import Line, final, group, run
from tests.core.responding import Desk, topology


def named(time_ms: int, operation: str, dependency: str = "") -> ErrorEvent:
    """An event of an operation."""
    tags = {"dependency": dependency} if dependency else {}
    return msgspec.structs.replace(making.event(time_ms), operation=operation, tags=tags)


def told(operations: list[str], name: str = "a") -> Pattern:
    """The recurring pattern of one error in these operations, one a second."""
    seen = [(named(1_000 * at, one, one), group(name)) for at, one in enumerate(operations)]
    return next(one for one in final(run(topology(), seen)) if one.kind == "recurring")


@pytest.mark.parametrize(
    ("operations", "found"),
    [
        (["charge"] * 5, "charge"),
        (["charge"] * 9 + ["refund"], "charge"),
        (["charge"] * 8 + ["refund"], ""),
        (["charge", "refund"] * 3, ""),
        (["charge", ""] * 3, ""),
        ([""] * 5, ""),
    ],
)
def test_a_pattern_names_what_nine_of_ten_events_name(operations: list[str], found: str) -> None:
    """The operation, and the dependency by its tag; else neither."""
    one = told(operations)
    assert (one.operation, one.dependency) == (found, found)


def test_two_operations_within_a_slot_cannot_be_told_apart() -> None:
    """One group in one second is counted together, so it names none."""
    seen = [(named(10 * at, "charge" if at else "refund"), group("a")) for at in range(30)]
    assert {one.operation for one in final(run(topology(), seen))} == {""}


@settings(max_examples=30, deadline=None)
@given(st.permutations([("charge", at) for at in range(4)] + [("refund", at) for at in range(4)]))
def test_the_order_of_arrival_says_nothing_about_operations(order: list[tuple[str, int]]) -> None:
    """The last revision names the same, however events came in and the state was saved."""
    patterns: list[set[str]] = []
    for arrived in (sorted(order), order):
        line = Line(topology())
        out: list[Pattern] = []
        for operation, at in arrived:
            out += line.take([(named(1_000 * at + 10, operation), group(operation))])
            line.reload()
        patterns.append({f"{one.kind} {one.operation}" for one in final(out + line.end())})
    assert patterns[0] == patterns[1]


def desk(scope: str = "operation", **strategy: Any) -> Desk:
    """Whatever happens, breakers are opened."""
    return Desk(
        topology(
            strategies={"circuit_break": {"scope": scope, **strategy}},
            routes=[{"name": "all", "strategies": ["circuit_break"]}],
        )
    )


def only(here: Desk) -> dict[str, Any]:
    """What limits the one command that was given."""
    (command,) = here.commands
    return {key: command.parameters.get(key) for key in ("operation", "dependency")}


def test_a_command_is_for_the_operation_that_errs() -> None:
    """`scope: operation` limits it to the one that the pattern names, and the reason says so."""
    here = desk()
    here.opens(operation="charge", dependency="db")
    assert only(here) == {"operation": "charge", "dependency": None}
    assert here.commands[0].reason.endswith("; only for the operation charge")


def test_a_command_is_for_the_dependency_that_errs() -> None:
    """The same with `scope: dependency`."""
    here = desk("dependency")
    here.opens(operation="charge", dependency="db")
    assert only(here) == {"operation": None, "dependency": "db"}


def test_by_default_a_command_is_for_the_service() -> None:
    """Nobody asked for less."""
    here = desk("service")
    here.opens(operation="charge", dependency="db")
    assert only(here) == {"operation": None, "dependency": None}
    assert "only for" not in here.commands[0].reason


@pytest.mark.parametrize("second", ["refund", ""])
def test_patterns_of_several_operations_mean_the_service(second: str) -> None:
    """Only what all patterns of the incident there name is narrow enough to help."""
    here = desk()
    here.pauses()
    here.opens(1, operation="charge")
    here.opens(2, operation=second, fingerprint="g")
    here.pauses(active=False)
    here.waits(2_000)
    assert only(here) == {"operation": None, "dependency": None}


def test_what_the_topology_names_stands() -> None:
    """Parameters name an operation: commands are for that one, whatever errs."""
    here = desk("service", parameters={"operation": "refund", "hold_ms": 9_000})
    here.opens(operation="charge")
    assert only(here) == {"operation": "refund", "dependency": None}
    assert here.commands[0].parameters["hold_ms"] == 9_000


def test_what_a_person_names_goes_before_the_errors() -> None:
    """A trigger may limit the command as well."""
    here = desk()
    here.pauses()
    here.opens(operation="charge")
    here.pauses(active=False)
    wish = Trigger(
        incident_id=here.last.incident_id,
        strategy="circuit_break",
        strategy_parameters={"dependency": "db"},
    )
    here.wishes(wish)
    assert only(here) == {"operation": None, "dependency": "db"}


def test_what_is_taken_back_is_the_same_part() -> None:
    """The undoing command has the scope of the first."""
    here = desk(undo="circuit_break")
    here.opens(operation="charge")
    here.answers()
    here.wishes(Cancel(incident_id=here.last.incident_id, rollback=True))
    undone = [one for one in here.commands if one.rollback_of]
    assert [one.parameters["operation"] for one in undone] == ["charge"]


def test_steps_have_the_scope_of_their_strategies() -> None:
    """A workflow opens the breaker of the operation, and clears the whole cache."""
    steps = [{"id": "a", "strategy": "circuit_break"}, {"id": "b", "strategy": "cache_clear"}]
    strategies = {
        "circuit_break": {"scope": "operation"},
        "cache_clear": {},
        "both": {"steps": steps},
    }
    here = Desk(topology(strategies=strategies, routes=[{"name": "all", "strategies": ["both"]}]))
    here.opens(operation="charge")
    found = {one.strategy: one.parameters.get("operation") for one in here.commands}
    assert found == {"circuit_break": "charge", "cache_clear": None}
