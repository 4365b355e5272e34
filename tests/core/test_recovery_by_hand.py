"""What people do to recovery: trigger, approve, cancel, resolve; once each, whatever is reread."""

from typing import Any

import msgspec
import pytest

from faultstream.core import controls
from faultstream.core.controls import WISH_MS, Acknowledge, Approve, Cancel, Resolve, Trigger
from faultstream.core.incident import MEMORY_MS, STALE_MS
from faultstream.core.records import Control
from faultstream.core.respond import Tick
from tests.core.responding import Desk, topology


def last_id(here: Desk) -> str:
    """The incident of the latest revision."""
    return here.last.incident_id


def waiting_for_approval() -> Desk:
    """A ledger in a layer that is not automatic."""
    here = Desk()
    here.opens(service="ledger", layer="core")
    return here


def test_danger_high_waits_for_approval() -> None:
    """Such a strategy is proposed; approved, it is commanded with the person's name."""
    here = Desk(topology(routes=[{"name": "all", "strategies": ["service_restart"]}]))
    here.opens()
    assert here.commands == []
    assert here.last.reason.startswith("service_restart waits for approval")
    here.wishes(Approve(incident_id=last_id(here), strategy="service_restart"))
    (command,) = here.commands
    assert (command.strategy, command.approved_by) == ("service_restart", "ann")


def test_an_approval_of_what_does_not_wait_is_answered() -> None:
    """With what waits instead, or that nothing does; nothing is commanded, and the reason for which
    a person is needed stays, once."""
    here = waiting_for_approval()
    why = here.last.reason
    for _ in range(2):
        here.wishes(Approve(incident_id=last_id(here), strategy="fallback"))
        said = "ann approved fallback, but retry waits for approval. Before: "
        assert here.last.reason == said + why
    assert here.commands == []
    here.wishes(Approve(incident_id=last_id(here), strategy="retry"))
    assert [one.strategy for one in here.commands] == ["retry"]
    here.wishes(Cancel(incident_id=last_id(here)))
    here.wishes(Approve(incident_id=last_id(here)))
    said = "ann approved recovery, but nothing waits for approval. Before: cancelled by ann"
    assert (here.last.reason, len(here.commands)) == (said, 1)


def test_a_workflow_is_as_dangerous_as_its_worst_step() -> None:
    """One dangerous step makes the whole wait for approval."""
    steps = [
        {"id": "a", "strategy": "cache_clear"},
        {"id": "b", "strategy": "service_restart", "needs": ["a"]},
    ]
    strategies = {
        "cache_clear": {},
        "service_restart": {"danger": "high"},
        "both": {"steps": steps},
    }
    here = Desk(topology(strategies=strategies, routes=[{"name": "all", "strategies": ["both"]}]))
    here.opens()
    assert here.commands == []
    assert here.at == "escalated"


def test_an_approval_that_was_held_runs_out() -> None:
    """Approved while paused: carried out when resumed in time, else asked for again."""
    for held_ms, commands in ((WISH_MS - 60_000, 1), (WISH_MS + 60_000, 0)):
        here = waiting_for_approval()
        here.pauses()
        here.wishes(Approve(incident_id=last_id(here)))
        for _ in range(held_ms // 60_000):
            here.waits(60_000, 60_000)
            here.rate(2.0)
        here.pauses(active=False)
        here.rate(2.0)
        here.waits(3_000)
        assert len(here.commands) == commands
        if not commands:
            assert "waits for approval" in here.last.reason
            here.wishes(Approve(incident_id=last_id(here)))
            assert len(here.commands) == 1


def test_approval_of_something_else_changes_nothing() -> None:
    """A named strategy must be the one that waits."""
    here = waiting_for_approval()
    here.wishes(Approve(incident_id=last_id(here), strategy="cache_clear"))
    assert here.commands == []


def test_a_control_that_is_read_again_does_nothing() -> None:
    """After a restart the whole topic is read; the approval of one proposal is not one of the
    next."""
    here = waiting_for_approval()
    made = controls.ask(
        Approve(incident_id=last_id(here)), environment="production", by="ann", now_ms=here.now
    )
    here.give(made)
    here.answers("failed")
    here.waits(1_000)
    assert here.last.reason.startswith("circuit_break waits for approval")
    assert here.give(made) == []
    assert len(here.commands) == 1


def test_a_control_before_its_incident_waits_for_it() -> None:
    """Controls are read apart from patterns, so one may come first; it waits while it counts."""
    early = Desk()
    early.opens(service="ledger", layer="core")
    incident = last_id(early)
    for after_ms, commands in ((1_000, 1), (WISH_MS, 0)):
        here = Desk()
        here.wishes(Approve(incident_id=incident))
        assert here.respond.wants_tick(here.state)
        here.now += after_ms
        here.opens(service="ledger", layer="core")
        here.give(Tick(here.now))
        assert len(here.commands) == commands


@pytest.mark.parametrize("late_ms", [0, 1])
def test_wishes_have_an_end(late_ms: int) -> None:
    """One that is older than ten minutes is not begun any more."""
    here = waiting_for_approval()
    made = controls.ask(
        Approve(incident_id=last_id(here)), environment="production", by="ann", now_ms=here.now
    )
    here.rate(1.0, after_ms=WISH_MS - 1 + late_ms)
    here.give(made)
    assert len(here.commands) == 1 - late_ms


def test_cancel_abandons_and_hands_over() -> None:
    """The command counts no more, a later success changes nothing."""
    here = Desk()
    here.opens()
    here.wishes(Cancel(incident_id=here.commands[0].command_id))
    assert (here.at, here.outcomes) == ("escalated", ["retry cancelled"])
    assert here.last.reason == "cancelled by ann"
    here.answers()
    assert here.at == "escalated"


def test_resolve_by_a_person() -> None:
    """It is closed; the same rate opens nothing anew, a higher one does."""
    here = Desk()
    here.opens()
    here.wishes(Resolve(incident_id=last_id(here)))
    assert here.at == "closed"
    here.rate(1.0, after_ms=1_000)
    assert not here.state.cases
    here.rate(5.0, after_ms=1_000)
    assert here.state.cases


def test_a_false_alarm_is_said() -> None:
    """Closed as any other, and the record says that nothing was wrong."""
    here = Desk()
    here.opens()
    here.wishes(Resolve(incident_id=last_id(here), false_alarm=True))
    assert (here.at, here.last.false_alarm) == ("closed", True)
    assert here.last.reason == "closed by ann as a false alarm"


def test_acknowledge_is_noted() -> None:
    """Recovery goes on; the incident says who takes care."""
    here = Desk()
    here.opens()
    here.wishes(Acknowledge(incident_id=last_id(here)))
    assert (here.at, here.last.reason) == ("recovering", "ann takes care of it")


def test_trigger_for_an_open_incident() -> None:
    """A strategy that is no member of the route, with parameters of one's own, is commanded as
    approved by who asked."""
    here = waiting_for_approval()
    wish = Trigger(
        incident_id=last_id(here),
        strategy="request_throttle",
        strategy_parameters={"per_minute": 7},
    )
    here.wishes(wish, by="kim")
    (command,) = here.commands
    assert (command.strategy, command.approved_by) == ("request_throttle", "kim")
    assert command.parameters == {"per_minute": 7, "burst": 10, "ttl_ms": 300_000}
    assert "asked for by kim" in command.reason


def test_trigger_while_something_is_under_way() -> None:
    """It is refused with the reason; after a cancel it is done, even a strategy that was tried."""
    here = Desk()
    here.opens()
    wish = Trigger(incident_id=last_id(here), strategy="retry")
    here.wishes(wish)
    assert "retry is under way: cancel it first" in here.last.reason
    here.wishes(Cancel(incident_id=last_id(here)))
    here.wishes(wish)
    assert here.at == "open"
    assert "cools down" in here.last.reason
    here.waits(30_000)
    assert [one.strategy for one in here.commands] == ["retry", "retry"]


@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        ({"strategy": "retri"}, "there is no strategy 'retri'"),
        ({"strategy": "retry", "strategy_parameters": {"tries": 1}}, "unknown field `tries`"),
        ({"strategy": "pool_increase", "strategy_parameters": {"to_size": 1}}, "to_size must be"),
    ],
)
def test_trigger_that_cannot_be_done(wish: dict[str, Any], problem: str) -> None:
    """The incident says why, and goes on as it did; one opened for it alone is closed."""
    here = waiting_for_approval()
    here.wishes(Trigger(incident_id=last_id(here), **wish))
    assert problem in here.last.reason
    assert here.at == "escalated"
    here = Desk()
    here.wishes(Trigger(service="orders", **wish))
    assert (here.at, here.commands) == ("closed", [])
    assert problem in here.last.reason


def test_trigger_for_an_error_of_the_past() -> None:
    """A new incident, whose id is known beforehand, is recovered by the route of what was said."""
    here = Desk()
    wish = Trigger(service="orders", fingerprint="old", category="database", error_type="Gone")
    made = controls.ask(wish, environment="production", by="kim", now_ms=here.now)
    here.give(made)
    (command,) = here.commands
    assert command.incident_id == controls.opened_by(made)
    assert (command.strategy, command.approved_by) == ("pool_increase", "kim")
    here.answers()
    here.waits(20_000)
    assert here.at == "resolved"
    assert not here.state.beliefs


def test_errors_that_come_back_join_what_was_opened_for_them() -> None:
    """A pattern with that fingerprint belongs to the incident, and its rate decides."""
    here = Desk()
    here.wishes(Trigger(service="orders", fingerprint="f", category="network", transient=True))
    here.answers()
    here.opens(fingerprint="f")
    assert len(here.state.cases) == 1
    here.waits(9_000)
    here.rate(1.0)
    assert here.outcomes[0] == "retry recurring"


def test_trigger_for_an_incident_that_is_forgotten() -> None:
    """It names the service too, so a new one is opened at once; without, it waits for its time."""
    here = Desk()
    here.wishes(Trigger(incident_id="long-ago"))
    assert here.out == []
    here.wishes(Trigger(incident_id="long-ago", service="orders", category="database"))
    assert (here.last.root, here.at) == ("orders", "recovering")


def test_trigger_for_an_incident_that_is_over() -> None:
    """A new incident with what is remembered of the old one."""
    here = Desk()
    here.opens(category="database", error_type="Gone")
    here.closes()
    over = last_id(here)
    here.waits(40_000)
    here.wishes(Trigger(incident_id=over))
    assert here.commands[-1].incident_id not in {over, ""}
    assert here.commands[-1].strategy == "pool_increase"
    assert here.last.pattern_ids == ["p1"]


def test_what_was_asked_for_and_fails_goes_to_a_person() -> None:
    """With no error open, nothing else is tried by itself; it ends when nobody hears of it."""
    here = Desk()
    here.wishes(Trigger(service="orders", strategy="cache_clear"))
    here.answers("failed")
    here.waits(1_000)
    assert here.at == "escalated"
    here.give(Tick(here.now), STALE_MS)
    assert here.at == "closed"


def test_guards_hold_for_people_too() -> None:
    """While paused nothing is commanded; after ten minutes the wish is forgotten."""
    here = Desk()
    here.pauses()
    here.wishes(Trigger(service="orders", strategy="cache_clear"))
    reason = here.last.reason
    assert reason.startswith("cache_clear asked for by ann, but recovery is paused"), reason
    here.waits(WISH_MS + 2_000, 10_000)
    here.pauses(active=False)
    here.waits(3_000)
    assert here.commands == []
    assert here.at == "escalated"


def test_a_dry_run_by_hand() -> None:
    """It says what would be done, and the strategy may still be tried for real."""
    here = waiting_for_approval()
    here.wishes(Trigger(incident_id=last_id(here), strategy="cache_clear", dry_run=True))
    assert [one.dry_run for one in here.commands] == [True]
    assert here.at == "escalated"


def test_controls_for_others_change_nothing() -> None:
    """Of another environment, of a kind for another stage, taken back, or not understood."""
    here = Desk()
    here.opens()
    good = controls.ask(
        Resolve(incident_id=last_id(here)), environment="production", by="", now_ms=here.now
    )
    replace = msgspec.structs.replace
    for other in (
        replace(good, environment="staging"),
        replace(good, kind="silence"),
        replace(good, active=False),
        replace(good, parameters={"incident_id": 7}),
    ):
        assert here.give(other) == []
    assert here.give(good) != []


def test_what_was_heard_is_forgotten_in_time() -> None:
    """The memory of controls has an end, long after they count."""
    here = Desk()
    here.opens()
    here.wishes(Acknowledge(incident_id=last_id(here)))
    assert here.state.heard
    here.give(Tick(here.now), MEMORY_MS)
    assert not here.state.heard


def test_a_pause_with_an_end_ends_by_itself() -> None:
    """Even between ticks."""
    here = Desk()
    here.give(
        Control(
            control_id="p", kind="pause", subject="pause/*", set_at_ms=here.now,
            until_at_ms=here.now + 1_000,
        )
    )  # fmt: skip
    here.now += 1_000
    here.opens()
    assert len(here.commands) == 1
