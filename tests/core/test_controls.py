"""What operators wish for: the arguments of controls, and how long they may be taken."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from faultstream import wire
from faultstream.core import controls
from faultstream.core.controls import WISH_MS, WISHES, Approve, Cancel, Trigger, Wish
from faultstream.core.errors import DataError
from faultstream.core.records import Control
from tests.core.making import T0

EXAMPLES: Final = Path(__file__).parents[2] / "schemas" / "examples" / "control.v1" / "good"


def control(**changes: Any) -> Control:
    """An approval of incident i."""
    fields: dict[str, Any] = {
        "control_id": "c",
        "kind": "approve",
        "subject": "approve/i",
        "set_at_ms": T0,
    }
    return Control(**{**fields, **changes})


@pytest.mark.parametrize(
    "wish",
    [
        Approve(incident_id="i", strategy="retry"),
        Cancel(incident_id="i", rollback=True),
        Trigger(incident_id="i", dry_run=True),
        Trigger(service="orders", strategy="retry", strategy_parameters={"max_attempts": 5}),
    ],
)
def test_a_wish_reads_back_from_its_record(wish: Wish) -> None:
    """What `ask` makes is on the wire and back again the same wish, under a subject of its own."""
    made = controls.ask(wish, environment="production", by="kim", now_ms=T0)
    read = wire.decode(Control, wire.encode(made))
    assert controls.wish_of(read, type(wish)) == wish
    assert read.subject == f"{made.kind}/{wish.about()}"


def test_every_example_has_arguments_that_are_understood() -> None:
    """Each published example of a wish has valid arguments, and each kind has an example."""
    seen = set()
    for file in EXAMPLES.glob("*.json"):
        one = wire.from_dict(Control, json.loads(file.read_text("utf-8")))
        if one.kind in WISHES:
            assert controls.wish_of(one, WISHES[one.kind]).problem() == ""
            seen.add(one.kind)
    assert seen == set(WISHES)


@pytest.mark.parametrize(
    ("wish", "environment", "problem"),
    [
        (Approve(), "production", "incident_id is missing"),
        (Trigger(), "production", "incident_id or service is missing"),
        (Trigger(service="orders"), "", "environment is missing"),
        (
            Trigger(service="orders", strategy_parameters={"a": 1}),
            "production",
            "strategy_parameters without a strategy",
        ),
    ],
)
def test_a_wish_that_says_too_little(wish: Wish, environment: str, problem: str) -> None:
    """It is refused before it is published, with what is missing."""
    with pytest.raises(DataError, match=problem):
        controls.ask(wish, environment=environment, by="kim", now_ms=T0)


def test_wrong_arguments_are_named() -> None:
    """An argument of the wrong type is told with its name."""
    with pytest.raises(DataError, match=r"rollback"):
        controls.wish_of(control(parameters={"rollback": "yes"}), Cancel)


@pytest.mark.parametrize(
    ("subject", "incident_id"), [("approve/i", "i"), ("approve:i", "i"), ("i", "i")]
)
def test_the_subject_names_the_incident_too(subject: str, incident_id: str) -> None:
    """Without incident_id the last part of the subject is it."""
    assert controls.wish_of(control(subject=subject), Approve).incident_id == incident_id


def test_a_wish_may_be_begun_for_ten_minutes() -> None:
    """From there on, or from an earlier `until_at_ms` on, it is too late."""
    assert controls.timely(control(), T0 + WISH_MS - 1)
    assert not controls.timely(control(), T0 + WISH_MS)
    assert not controls.timely(control(until_at_ms=T0 + 5), T0 + 5)
    assert not controls.timely(control(until_at_ms=T0 + 2 * WISH_MS), T0 + WISH_MS)


def test_opened_by_is_one_incident_per_wish() -> None:
    """The same record always opens the same incident, another one another."""
    assert controls.opened_by(control()) == controls.opened_by(control())
    assert controls.opened_by(control()) != controls.opened_by(control(control_id="d"))
