"""Corrections: for which events they hold, what they change, and that reading order is nothing."""

from typing import Any

import pytest

from faultstream.config.topology import load
from faultstream.core.corrections import Correct, Corrections, correct_of, correction
from faultstream.core.errors import DataError
from faultstream.core.event import ErrorEvent
from faultstream.core.group import Group
from faultstream.core.grouping import Grouper
from faultstream.core.records import Control

NOW = 1_700_000_000_000
TOPOLOGY = load(None)


def event(time: int = NOW, **fields: Any) -> ErrorEvent:
    """An admitted event."""
    return ErrorEvent(**{"service": "s", "error_type": "KeyError", "time": time, **fields})


def set_(
    right: Correct, environment: str = "", until: int | None = NOW + 1000, **more: Any
) -> Control:
    """A control that corrects from NOW on."""
    given: dict[str, Any] = {"by": "ann", "reason": "", "now_ms": NOW, "until_ms": until, **more}
    return correction(right, environment=environment, **given)


def judged(*controls: Control, **fields: Any) -> Group:
    """The group of an event, once those controls were told."""
    grouper = Grouper(TOPOLOGY)
    for control in controls:
        grouper.control(control)
    return grouper.group(event(**fields))


BUSINESS = Correct(error_type="KeyError", category="business", severity="low")


def test_a_correction_by_type() -> None:
    """Category, severity and what follows from them change; the rule says who said so, and what
    the rules had said."""
    verdict = judged(set_(BUSINESS)).verdict
    assert (verdict.category, verdict.domain, verdict.severity) == ("business", "business", "low")
    assert (verdict.confidence, verdict.transient) == (1.0, False)
    assert verdict.rule == "corrected:type/KeyError by ann, was type:KeyError"


@pytest.mark.parametrize(
    ("fields", "holds"),
    [
        ({"time": NOW - 1}, False),
        ({"time": NOW}, True),
        ({"time": NOW + 999}, True),
        ({"time": NOW + 1000}, False),
        ({"error_type": "ValueError"}, False),
        ({"environment": "staging"}, False),
    ],
)
def test_for_which_events(fields: dict[str, Any], holds: bool) -> None:
    """From its time to before its end, of its type and environment."""
    found = judged(set_(BUSINESS, "production"), **fields)
    assert found.verdict.rule.startswith("corrected:") is holds


def test_the_narrowest_counts() -> None:
    """A fingerprint before a type, one environment before all, the later before the earlier."""
    print_ = judged().fingerprint
    by_print = set_(Correct(fingerprint=print_, category="system"))
    everywhere = set_(BUSINESS)
    here = set_(Correct(error_type="KeyError", category="network"), "production")
    for controls in ([by_print, everywhere, here], [here, everywhere, by_print]):
        assert judged(*controls).verdict.category == "system"
        assert judged(*[c for c in controls if c is not by_print]).verdict.category == "network"
    later = set_(Correct(error_type="KeyError", severity="fatal"), now_ms=NOW + 5)
    assert judged(everywhere, later, time=NOW + 5).verdict.severity == "fatal"


def test_taken_back() -> None:
    """One that is not active ends the one with the same subject, at once and for all times."""
    off = set_(Correct(error_type="KeyError"), until=None, active=False)
    assert off.subject == set_(BUSINESS).subject
    assert judged(set_(BUSINESS), off) == judged()


def test_one_object() -> None:
    """Events of one group and one correction share one group, so that tallies stay small."""
    grouper = Grouper(TOPOLOGY)
    grouper.control(set_(BUSINESS))
    assert grouper.group(event()) is grouper.group(event(NOW + 1))


@pytest.mark.parametrize(
    ("right", "reason"),
    [
        (Correct(), "give one of fingerprint and error_type"),
        (Correct(error_type="A", fingerprint="b"), "give one of fingerprint and error_type"),
        (Correct(error_type="A"), "nothing is corrected: give category, severity or transient"),
    ],
)
def test_too_little(right: Correct, reason: str) -> None:
    """What says too little is refused, with the reason."""
    with pytest.raises(DataError) as caught:
        set_(right)
    assert caught.value.reason == reason


def test_broken_controls() -> None:
    """Parameters that are none are refused, other kinds pass by."""
    broken = set_(BUSINESS)
    broken.parameters = {"error_type": "A", "category": "nonsense"}
    with pytest.raises(DataError, match="category"):
        correct_of(broken)
    corrections = Corrections()
    broken.kind = "pause"
    corrections.tell(broken)
    assert len(corrections) == 0
