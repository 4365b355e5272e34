"""Recall: after a crash what was commanded is decided on the same way again, and not lost."""

from typing import Any, Final

import msgspec
import pytest

from faultstream.core import recall
from faultstream.core.records import RecoveryCommand, RecoveryResult
from faultstream.core.respond import Tick
from tests.core.making import T0
from tests.core.responding import Desk, pattern, topology

CHOICE: Final[dict[str, Any]] = {"routes": [{"name": "all", "strategies": ["retry", "fallback"]}]}
OTHER: Final[dict[str, Any]] = {"routes": [{"name": "all", "strategies": ["fallback", "retry"]}]}


def result(command: RecoveryCommand, **changes: Any) -> RecoveryResult:
    """What an executor said of it."""
    fields: dict[str, Any] = {
        "result_id": f"r-{command.command_id}",
        "command_id": command.command_id,
        "incident_id": command.incident_id,
        "executor": "test",
        "instance": "i1",
        "status": "success",
        "started_at_ms": T0,
        "finished_at_ms": T0,
    }
    return RecoveryResult(**{**fields, **changes})


def again(before: Desk, **changes: Any) -> Desk:
    """A desk that starts anew, five seconds later, and is told what was commanded."""
    here = Desk(topology(**{**OTHER, **changes}))
    here.now = before.now + 5_000
    assert here.respond.recall(here.state, before.commands) == len(before.commands)
    return here


def test_what_was_commanded_is_commanded_again_whatever_would_be_decided() -> None:
    """The same bytes, though the route has another order by now, or recovery is paused."""
    first = Desk(topology(**CHOICE))
    first.opens()
    assert [one.strategy for one in first.commands] == ["retry"]
    for changes in ({}, {"guards": {"paused": True}}):
        here = again(first, **changes)
        here.give(first.shown["p1"])
        assert here.commands == first.commands
        assert here.at == "recovering"
        here.answers("failed")
        here.waits(2_000)
        assert [one.strategy for one in here.commands[1:]] == ([] if changes else ["fallback"])


def test_an_answer_that_comes_before_its_command_counts() -> None:
    """Results and patterns come from two topics; in a replay the result may be first. It is heeded
    once, also when it comes again."""
    first = Desk(topology(**CHOICE))
    first.opens()
    (command,) = first.commands
    here = again(first)
    here.give(result(command))
    here.give(result(command))
    assert here.state.early[command.command_id] == [result(command)]
    here.give(first.shown["p1"])
    assert (here.at, here.state.early) == ("verifying", {})
    here.give(result(command))
    assert here.outcomes == ["retry done"]


def test_answers_lead_through_several_commands_at_once() -> None:
    """The first failed and the second was done: the replay gets there in one step."""
    first = Desk(topology(**CHOICE, services={"orders": {"layer": "service", "instances": 1}}))
    first.opens()
    first.answers("failed")
    first.answers()
    assert first.outcomes == ["retry failed", "fallback done"]
    here = again(first, services={"orders": {"layer": "service", "instances": 1}})
    for command, status in zip(first.commands, ("failed", "success"), strict=True):
        here.give(result(command, status=status))
    here.give(first.shown["p1"])
    assert here.outcomes == first.outcomes
    assert here.commands == first.commands


def test_what_was_taken_back_is_taken_back() -> None:
    """A command that was undone is not verified as if it still held."""
    first = Desk(topology(services={"orders": {"layer": "service", "instances": 1}}))
    first.pauses()
    first.opens(rate=2.0)
    first.waits(12_000)
    first.rate(2.0)
    first.pauses(active=False)
    first.waits(1_000)
    first.answers()
    first.waits(8_000)
    first.rate(9.0)
    command, undo = first.commands
    assert undo.rollback_of == command.command_id
    here = again(first)
    here.opens(rate=2.0)
    here.answers()
    here.rate(0.0, after_ms=1_000)
    assert here.commands == [command, undo]
    here.answers()
    assert here.outcomes[:2] == ["retry rolled_back", "undo retry done"]


def test_a_workflow_goes_on_where_it_was() -> None:
    """Its first step is commanded as before though it is paused; the next one waits."""
    flow = {
        "strategies": {
            "first": {}, "second": {},
            "both": {"steps": [{"id": "a", "strategy": "first"},
                               {"id": "b", "strategy": "second", "needs": ["a"]}]},
        },
        "routes": [{"name": "all", "strategies": ["both"]}],
    }  # fmt: skip
    first = Desk(topology(**flow))
    first.opens()
    here = again(first, **flow, guards={"paused": True})
    here.give(first.shown["p1"])
    here.answers()
    assert here.commands == first.commands
    assert "step b waits: recovery is paused" in here.case.incident.reason


def test_what_the_state_knows_or_is_of_another_is_not_recalled() -> None:
    """Commands of before, of the state itself, and of another environment."""
    here = Desk(topology(**CHOICE))
    here.opens()
    (own,) = here.commands
    old = msgspec.structs.replace(own, command_id="old", issued_at_ms=here.now - 1)
    target = msgspec.structs.replace(own.target, environment="staging")
    other = msgspec.structs.replace(own, command_id="other", target=target)
    assert here.respond.recall(here.state, [own, old, other]) == 0
    assert here.respond.recall(here.state, [msgspec.structs.replace(own, command_id="new")]) == 1


@pytest.mark.parametrize("known", [False, True])
def test_what_nothing_comes_of_is_forgotten(known: bool) -> None:
    """After an hour; and no flood of answers to commands that nobody sent makes the state grow."""
    here = Desk(topology(**CHOICE))
    here.opens()
    ghost = msgspec.structs.replace(here.commands[0], command_id="ghost", issued_at_ms=here.now)
    if known:
        here.respond.recall(here.state, [ghost])
    for number in range(recall.MAX_EARLY + 50):
        one = msgspec.structs.replace(ghost, command_id=f"g{number}")
        here.respond.step(here.state, result(one, finished_at_ms=here.now), here.now)
    for number in range(recall.MAX_ANSWERS + 5):
        made = result(ghost, result_id=f"x{number}", finished_at_ms=here.now)
        here.respond.step(here.state, made, here.now)
    assert len(here.state.early) == recall.MAX_EARLY
    assert len(here.state.early["ghost"]) == recall.MAX_ANSWERS
    here.give(Tick(here.now), after_ms=3_600_001)
    assert (here.state.early, here.state.recalled) == ({}, {})


def test_nothing_is_recalled_that_is_not_asked_for() -> None:
    """Without a crash there is nothing to recall, and nothing is kept."""
    here = Desk(topology(**CHOICE))
    here.give(pattern())
    here.answers()
    assert (here.state.early, here.state.recalled) == ({}, {})


def test_what_is_remembered_is_bounded() -> None:
    """A flood on the commands topic is not taken in whole."""
    first = Desk(topology(**CHOICE))
    first.opens()
    flood = [
        msgspec.structs.replace(first.commands[0], command_id=f"c{n}")
        for n in range(recall.MAX_RECALLED + 5)
    ]
    here = Desk(topology(**CHOICE))
    assert recall.remember(here.state, flood) == recall.MAX_RECALLED
