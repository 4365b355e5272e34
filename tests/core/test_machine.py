"""The state machine of incidents: the whole table, and every input in every state for real."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from faultstream.core.controls import Acknowledge, Approve, Cancel, Resolve, Trigger
from faultstream.core.incident import STALE_MS
from faultstream.core.machine import (
    INPUTS,
    MEANING,
    MOVES,
    OVER,
    PHASES,
    ROWS,
    Phase,
    drawing,
    told,
)
from faultstream.core.respond import Tick
from tests.core.responding import Desk, topology

DOCS: Final = Path(__file__).parents[2] / "docs" / "reference" / "recovery-machine.md"
WORKFLOW: Final = {
    "pair": {
        "steps": [
            {"id": "slow", "strategy": "request_throttle"},
            {"id": "swap", "strategy": "fallback", "needs": ["slow"]},
        ]
    }
}
PLAIN: Final = topology()
STEPPED: Final = topology(
    strategies={
        **{name: {"undo": name} for name in ("request_throttle", "fallback", "retry")},
        "circuit_break": {"undo": "circuit_break"},
        **WORKFLOW,
    },
    routes=[{"name": "all", "strategies": ["pair", "circuit_break"]}],
)


def test_every_state_has_every_input_once() -> None:
    """The table is total, and its rows name only inputs and states that there are."""
    assert set(MOVES) == {(phase, given) for phase in PHASES for given in INPUTS}
    assert set(ROWS) == set(INPUTS) == set(MEANING)
    assert {move.to for move in MOVES.values()} == set(PHASES)


def test_what_is_over_stays_over() -> None:
    """No input leads out of resolved or closed, nor does anything there."""
    for (phase, _), move in MOVES.items():
        if phase in OVER:
            assert (move.to, move.does) == (phase, ())


def test_every_state_is_reached_and_left() -> None:
    """From open every state can be reached, and from every state an end."""
    reached = {"open"}
    for _ in PHASES:
        reached |= {move.to for (phase, _), move in MOVES.items() if phase in reached}
    assert reached == set(PHASES)
    ending = set(OVER)
    for _ in PHASES:
        ending |= {phase for (phase, _), move in MOVES.items() if move.to in ending}
    assert ending == set(PHASES)


def test_only_open_and_escalated_begin_commands() -> None:
    """Nothing is begun while something is under way or being verified."""
    begins = {phase for (phase, given), move in MOVES.items() if given == "command" and move.does}
    assert begins == {"open", "escalated"}


def test_the_drawing_in_the_docs_is_the_table() -> None:
    """The page holds exactly what is made from the table."""
    assert drawing() in DOCS.read_text("utf-8")


def opened() -> Desk:
    """An open incident, held by a pause."""
    desk = Desk(PLAIN)
    desk.pauses()
    desk.opens()
    return desk


def recovering() -> Desk:
    """A command is under way."""
    desk = Desk(PLAIN)
    desk.opens()
    return desk


def verifying() -> Desk:
    """It was carried out."""
    desk = recovering()
    desk.answers()
    return desk


def undoing() -> Desk:
    """The second step of a workflow failed, the first is being taken back."""
    desk = Desk(STEPPED)
    desk.opens()
    desk.answers()
    desk.answers("failed")
    desk.waits(1_000)
    return desk


def withdrawing() -> Desk:
    """A person cancelled, what was done is being taken back."""
    desk = Desk(STEPPED)
    desk.opens()
    desk.answers()
    desk.wishes(Cancel(incident_id=desk.last.incident_id, rollback=True))
    return desk


def escalated() -> Desk:
    """A person must approve."""
    desk = Desk(PLAIN)
    desk.opens(service="ledger", layer="core")
    return desk


def resolved() -> Desk:
    """The errors have stopped."""
    desk = recovering()
    desk.closes()
    return desk


def closed() -> Desk:
    """A person has closed it."""
    desk = recovering()
    desk.wishes(Resolve(incident_id=desk.last.incident_id))
    return desk


STATES: Final[dict[Phase, Callable[[], Desk]]] = {
    "open": opened,
    "recovering": recovering,
    "verifying": verifying,
    "undoing": undoing,
    "withdrawing": withdrawing,
    "escalated": escalated,
    "resolved": resolved,
    "closed": closed,
}
GIVEN: Final[dict[str, Callable[[Desk, str], object]]] = {
    "success": lambda desk, _: desk.commands and desk.answers(),
    "failed": lambda desk, _: desk.commands and desk.answers("failed"),
    "partial": lambda desk, _: desk.commands and desk.answers("partial"),
    "not_attempted": lambda desk, _: desk.commands and desk.answers("not_attempted"),
    "in_progress": lambda desk, _: desk.commands and desk.answers("in_progress", step="on it"),
    "time": lambda desk, _: desk.waits(12_000),
    "low": lambda desk, _: (desk.rate(0.0), desk.waits(12_000)),
    "high": lambda desk, _: (desk.waits(9_000), desk.rate(1.0)),
    "worse": lambda desk, _: (desk.waits(9_000), desk.rate(9.0)),
    "closes": lambda desk, _: desk.closes(),
    "stale": lambda desk, _: desk.give(Tick(desk.now), STALE_MS),
    "approve": lambda desk, it: desk.wishes(Approve(incident_id=it)),
    "cancel": lambda desk, it: desk.wishes(Cancel(incident_id=it)),
    "withdraw": lambda desk, it: desk.wishes(Cancel(incident_id=it, rollback=True)),
    "acknowledge": lambda desk, it: desk.wishes(Acknowledge(incident_id=it)),
    "resolve": lambda desk, it: desk.wishes(Resolve(incident_id=it)),
    "trigger": lambda desk, it: desk.wishes(Trigger(incident_id=it, strategy="cache_clear")),
    "pause": lambda desk, _: desk.pauses(),
    "resume": lambda desk, _: (desk.pauses(active=False), desk.waits(2_000)),
}


@pytest.mark.parametrize("phase", PHASES)
def test_the_states_of_these_tests_are_what_they_say(phase: Phase) -> None:
    """Each builder leaves an incident in its state, told as the record has it."""
    desk = STATES[phase]()
    assert desk.last.state == told(phase)
    if phase not in OVER:
        assert desk.case.phase == phase


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("first", GIVEN)
def test_every_input_in_every_state(phase: Phase, first: str) -> None:
    """And every second input behind it: records stay whole, what is over stays over, and in the
    end, when nothing comes any more, every incident ends."""
    for second in GIVEN:
        desk = STATES[phase]()
        it = desk.last.incident_id
        for name in (first, second):
            over = it not in desk.state.cases
            GIVEN[name](desk, it)
            if over:
                assert it not in desk.state.cases
            revisions = {
                one.revision for one in desk.out if getattr(one, "incident_id", "") == it
                and hasattr(one, "revision")
            }  # fmt: skip
            assert revisions == set(range(1, max(revisions) + 1))
        for _ in range(4):
            desk.give(Tick(desk.now), STALE_MS)
        assert not desk.state.cases
        ids = [one.command_id for one in desk.commands]
        assert len(ids) == len(set(ids))
