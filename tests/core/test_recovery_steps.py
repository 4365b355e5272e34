"""Workflows, taking back, signs of life, and what counts as an attempt."""

from typing import Any, Final

import pytest

from faultstream.core.controls import Cancel
from faultstream.core.policy import LearningPolicy, StepPolicy
from faultstream.core.records import RecoveryCommand
from faultstream.core.respond import Tick
from faultstream.core.workflow import circle_of, ordered
from tests.core.responding import SERVICES, Desk, topology

STRATEGIES: Final[dict[str, Any]] = {
    "drain": {"undo": "fill", "deadline_ms": 5_000},
    "fill": {},
    "swap": {"undo": "swap", "deadline_ms": 5_000},
    "warm": {"deadline_ms": 5_000},
    "again": {},
    "renew": {
        "steps": [
            {"id": "warm", "strategy": "warm", "needs": ["drain", "swap"]},
            {"id": "drain", "strategy": "drain", "parameters": {"share": 1}},
            {"id": "swap", "strategy": "swap", "deadline_ms": 7_000},
        ],
    },
}


def desk(**changes: Any) -> Desk:
    """Recovery that knows one workflow, and one strategy behind it."""
    return Desk(
        topology(
            **{
                "strategies": STRATEGIES,
                "routes": [{"name": "all", "strategies": ["renew", "again"]}],
                "guards": {"max_attempts": 4},
                **changes,
            }
        )
    )


def newest(here: Desk, count: int = 1) -> list[RecoveryCommand]:
    """The latest commands."""
    return here.commands[-count:]


def test_steps_follow_what_they_need() -> None:
    """What needs nothing begins together, what needs both waits for both, then it is verified."""
    here = desk()
    here.opens()
    assert [(one.step_id, one.workflow, one.step) for one in here.commands] == [
        ("drain", "renew", 0), ("swap", "renew", 1),
    ]  # fmt: skip
    drain, swap = here.commands
    assert (drain.parameters, drain.timeout_ms, swap.timeout_ms) == ({"share": 1}, 5_000, 7_000)
    here.answers(command=swap)
    assert len(here.commands) == 2
    here.answers(command=drain)
    assert [one.step_id for one in newest(here)] == ["warm"]
    here.answers()
    assert here.at == "verifying"
    here.rate(0.0, after_ms=4_000)
    here.waits(9_000)
    assert here.at == "resolved"
    assert here.outcomes == ["drain cured", "swap cured", "warm cured"]


def test_a_step_that_fails_takes_back_what_was_done_in_reverse() -> None:
    """Each by what its strategy names, one after the other; then the next strategy."""
    here = desk()
    here.opens()
    drain, swap = here.commands
    here.answers(command=drain)
    here.answers(command=swap)
    here.answers("failed", instance="i1")
    here.answers("failed", instance="i2")
    here.waits(1_000)
    (undo,) = newest(here)
    assert (undo.strategy, undo.rollback_of) == ("swap", swap.command_id)
    assert here.at == "recovering"
    here.answers()
    (undo,) = newest(here)
    assert (undo.strategy, undo.rollback_of) == ("fill", drain.command_id)
    here.answers()
    assert [one.strategy for one in newest(here)] == ["again"]
    assert here.outcomes == [
        "drain rolled_back", "swap rolled_back", "warm failed", "undo swap done", "undo drain done",
        "again pending",
    ]  # fmt: skip


def test_what_is_under_way_ends_before_anything_is_taken_back() -> None:
    """A step that is on its way when another fails may still succeed; then it is undone."""
    here = desk()
    here.opens()
    drain, swap = here.commands
    here.answers("failed", command=drain, instance="i1")
    here.waits(1_000)
    assert len(here.commands) == 2
    here.answers(command=swap)
    (undo,) = newest(here)
    assert undo.rollback_of == swap.command_id


def test_what_cannot_be_taken_back_calls_a_person() -> None:
    """Nothing further is tried on top of a half-done change."""
    here = desk()
    here.opens()
    drain, swap = here.commands
    here.answers(command=drain)
    here.answers("failed", command=swap)
    here.waits(1_000)
    here.answers("failed")
    here.waits(1_000)
    assert here.at == "escalated"
    assert "fill was not taken back" in here.last.reason


def test_steps_have_their_own_time() -> None:
    """A step that nobody answers is lost after its deadline."""
    here = desk()
    here.opens()
    here.waits(5_000)
    assert here.outcomes == ["drain expired", "swap pending"]
    here.waits(2_000)
    assert here.outcomes[:2] == ["drain expired", "swap expired"]


def test_a_pause_may_begin_later() -> None:
    """For a maintenance that is planned: until then recovery goes on, then it is held."""
    here = desk()
    here.pauses(from_at_ms=here.now + 5_000, until_at_ms=here.now + 15_000)
    here.opens()
    drain, swap = here.commands
    here.waits(4_000)
    here.answers(command=drain)
    here.waits(2_000)
    here.answers(command=swap)
    here.waits(5_000)
    assert len(here.commands) == 2
    assert "paused" in here.case.incident.reason
    here.waits(6_000)
    assert [one.step_id for one in newest(here)] == ["warm"]


def test_a_pause_holds_the_steps_that_are_left() -> None:
    """Steps meet the same guards: none begins while paused, and it goes on afterwards."""
    here = desk()
    here.opens()
    drain, swap = here.commands
    here.answers(command=drain)
    here.pauses()
    here.answers(command=swap)
    here.waits(20_000)
    assert len(here.commands) == 2
    assert "paused" in here.case.incident.reason
    here.pauses(active=False)
    here.waits(2_000)
    assert [one.step_id for one in newest(here)] == ["warm"]


def test_a_pause_holds_taking_back_too() -> None:
    """And it is taken back as soon as the pause ends."""
    here = desk()
    here.opens()
    drain, swap = here.commands
    here.answers(command=drain)
    here.pauses()
    here.answers("failed", command=swap)
    here.waits(3_000)
    assert len(here.commands) == 2
    here.pauses(active=False)
    here.waits(2_000)
    assert newest(here)[0].rollback_of == drain.command_id


def test_a_workflow_needs_room_for_all_its_steps() -> None:
    """With fewer attempts left than steps it is passed over, with the reason in the command."""
    here = desk(guards={"max_attempts": 2})
    here.opens()
    assert [one.strategy for one in here.commands] == ["again"]
    assert "renew: has 3 steps, only 2 commands are left" in here.commands[0].reason


def test_a_dry_run_names_every_step() -> None:
    """All commands of a workflow are told as dry runs, and nothing is waited for."""
    here = desk(guards={"max_attempts": 4, "dry_run": True})
    here.opens()
    assert [(one.step_id, one.dry_run) for one in here.commands] == [
        ("drain", True), ("swap", True), ("warm", True),
    ]  # fmt: skip
    assert here.at == "open"


def test_cancelling_takes_back_also_what_may_be_done_by_now() -> None:
    """With rollback, commands without an answer are undone as well; then a person has it."""
    here = desk()
    here.opens()
    here.wishes(Cancel(incident_id=here.last.incident_id, rollback=True))
    assert newest(here)[0].strategy == "swap"
    here.answers()
    here.answers()
    assert here.at == "escalated"
    assert here.outcomes[:2] == ["drain rolled_back", "swap rolled_back"]


def test_errors_that_stop_while_taking_back() -> None:
    """What was begun to be undone is undone, and the incident ends resolved."""
    here = desk()
    here.opens()
    drain, swap = here.commands
    here.answers(command=drain)
    here.answers("failed", command=swap)
    here.waits(1_000)
    here.closes()
    assert here.at == "recovering"
    here.answers()
    assert here.at == "resolved"


def test_made_worse_is_taken_back() -> None:
    """Twice the rate and more than chance: the outcome is worse, it is undone, and not repeated."""
    here = Desk(topology(services={**SERVICES, "orders": {"layer": "service", "instances": 1}}))
    here.pauses()
    here.opens(rate=2.0)
    here.waits(12_000)
    here.rate(2.0)
    here.pauses(active=False)
    here.waits(1_000)
    here.answers()
    here.waits(8_000)
    here.rate(9.0)
    assert here.outcomes == ["retry worse", "undo retry pending"]
    assert newest(here)[0].rollback_of == here.commands[0].command_id
    here.answers()
    assert here.outcomes[:2] == ["retry rolled_back", "undo retry done"]
    assert newest(here)[0].strategy != "retry"
    assert here.at == "recovering"


@pytest.mark.parametrize(
    ("count", "span_ms", "rate", "verdict"),
    [
        (3, 1_000, 20.0, "worse"),  # 2 intervals in a second, then 100 errors in 5 s
        (3, 1_000, 8.0, "probably"),  # then 40
        (3, 1_000, 4.0, ""),  # two intervals say too little of twice the rate
        (21, 10_000, 6.0, "worse"),
        (21, 10_000, 4.0, "probably"),  # twenty say enough
        (21, 10_000, 2.0, ""),
        (3, 0, 8.0, ""),  # all at once: nothing is known
        (1, 0, 8.0, ""),
    ],
)
def test_what_did_not_help_and_probably_did_harm_is_taken_back(
    count: int, span_ms: int, rate: float, verdict: str
) -> None:
    """Of a young incident nobody knows the rate. What was done is not left in place when the errors
    are more by a standard deviation than the first ones; by three they were made worse."""
    here = Desk(topology(routes=[{"name": "all", "strategies": ["retry", "cache_clear"]}]))
    here.opens(transient=True, count=count, first_at_ms=here.now - span_ms, rate=count / 5)
    here.answers()
    here.waits(9_000)
    here.rate(rate)
    outcome = "retry recurring"
    if verdict:
        outcome = "retry worse" if verdict == "worse" else outcome
        assert here.outcomes == [outcome, "undo retry pending"]
        said = f"made worse: {rate:g} errors/s, 2 before"
        probably = f"came at 2/s before it and at {rate:g}/s now"
        assert (said if verdict == "worse" else probably) in here.last.reason
        belief = here.state.beliefs["all|*|retry"]
        assert belief.bad == (LearningPolicy().worse_weight if verdict == "worse" else 1.0)
        here.answers()
        outcome = "retry rolled_back"
    assert here.outcomes[0] == outcome
    assert here.commands[-1].strategy == "cache_clear"


def test_a_rate_that_still_grows_to_what_it_is_was_not_made_worse() -> None:
    """Right after the first error the rate is not known yet; then it is only recurring."""
    here = Desk()
    here.opens(rate=0.6)
    here.answers()
    here.rate(5.0, after_ms=2_000)
    here.waits(6_000)
    here.rate(5.0)
    assert here.outcomes[0] == "retry recurring"


def test_signs_of_life_extend_the_time() -> None:
    """Each begins `timeout_ms` anew, within `max_run_ms`; the incident says what is going on."""
    here = desk(
        strategies={"slow": {"deadline_ms": 10_000, "max_run_ms": 25_000}},
        routes=[{"name": "all", "strategies": ["slow"]}],
    )
    here.opens()
    for _ in range(3):
        here.waits(8_000)
        here.answers("in_progress", step="moving shards", progress_ratio=0.5)
        assert "moving shards, 50%" in here.last.reason
    assert here.outcomes == ["slow running"]
    here.waits(3_000)
    assert here.outcomes == ["slow expired"]


def test_a_command_that_nobody_attempts_is_no_attempt() -> None:
    """Once all known instances said so, it is given back at once, and the next strategy begins."""
    here = Desk(
        topology(
            services={"orders": {"layer": "service", "instances": 2}},
            guards={"max_attempts": 1},
        )
    )
    here.opens()
    here.answers("not_attempted", here.commands[0], "i1")
    assert [one.strategy for one in here.commands] == ["retry"]
    here.answers("not_attempted", here.commands[0], "i2")
    assert [one.strategy for one in here.commands] == ["retry", "circuit_break"]
    here.answers("failed", instance="i1")
    here.answers("failed", instance="i2")
    assert here.at == "escalated"


@pytest.mark.parametrize(("status", "left"), [("not_attempted", 0), ("failed", 1)])
def test_what_counts_in_the_window(status: Any, left: int) -> None:
    """Not attempted by all: not counted. Tried and failed: counted."""
    here = Desk(topology(services={"orders": {"layer": "service", "instances": 1}}))
    here.opens()
    here.answers(status)
    here.give(Tick(here.now), 1)
    first = here.commands[0].issued_at_ms
    assert here.state.attempts.get("orders", []).count(first) == left


def test_late_work_counts_again() -> None:
    """An instance that did it after all brings the attempt back into the count."""
    here = Desk()
    here.opens()
    first = here.commands[0]
    here.answers("not_attempted", first, "i1")
    here.pauses()
    here.waits(61_000)
    assert first.issued_at_ms not in here.state.attempts.get("orders", [])
    here.answers("success", first, "i2")
    assert first.issued_at_ms in here.state.attempts["orders"]


def step(name: str, *needs: str) -> StepPolicy:
    """A step that needs others."""
    return StepPolicy(id=name, strategy="retry", needs=needs)


@pytest.mark.parametrize(
    ("steps", "circle"),
    [
        ([step("a"), step("b", "a")], []),
        ([step("a", "a")], ["a", "a"]),
        ([step("a", "b"), step("b", "c"), step("c", "b")], ["b", "c", "b"]),
        ([step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c")], []),
        ([step("a", "nothing")], []),
    ],
)
def test_circles_are_found(steps: list[StepPolicy], circle: list[str]) -> None:
    """With the way round; what needs an unknown step is no circle."""
    assert circle_of(steps) == circle


def test_order_of_steps() -> None:
    """Each after what it needs, else as they stand."""
    made = ordered([step("d", "b", "c"), step("b", "a"), step("a"), step("c", "a")])
    assert [one.id for one in made] == ["a", "b", "c", "d"]
