"""Predictions: a rise is seen before its limit is crossed, and what came of it is told."""

from hypothesis import given
from hypothesis import strategies as st

from faultstream.core.detect.predict_calibrate import Calibration
from faultstream.core.detect.predict_model import NAMES, WEIGHTS, features, probability
from faultstream.core.detect.predict_state import GROUPS, WIDTH, Course, Outlook
from faultstream.core.event import ErrorEvent
from faultstream.core.group import Group
from faultstream.core.records import Pattern
from faultstream.core.tally import Slot
from tests.core import making
from tests.core.making import event, final, group, run

MINUTE = 60_000
shares = st.floats(0.0, 1.0)


def minutes(counts: list[int], name: str, start: int = 0) -> list[tuple[ErrorEvent, Group]]:
    """So many events of one group in each minute, evenly."""
    return [
        (event((start + n) * MINUTE + k * MINUTE // count, f"{name}{n}.{k}"), group(name))
        for n, count in enumerate(counts)
        for k in range(count)
    ]


def predictions(seen: list[tuple[ErrorEvent, Group]], probability: float) -> list[Pattern]:
    """The predictions that are told above `probability`, as they ended."""
    topology = making.topology(detectors={"predicted": {"probability": probability}})
    seen = sorted(seen, key=lambda one: (one[0].time, one[0].event_id))
    return [one for one in final(run(topology, seen)) if one.kind == "predicted"]


def test_a_rise_comes_true() -> None:
    """Errors that double every seven minutes are predicted before their burst, which closes it."""
    ordinary = minutes([2, 3, 2, 4, 3, 2] * 20, "a")
    rise = minutes([round(0.4 * 2 ** (n / 6)) for n in range(42)], "b", 78)
    found = predictions(ordinary + rise, 0.6)
    assert found
    one = found[0]
    assert one.came_true
    assert one.expected_at_ms is not None
    assert one.due_at_ms is not None
    assert one.closed_at_ms is not None
    assert one.detected_at_ms < one.closed_at_ms <= one.due_at_ms
    assert one.detected_at_ms < one.expected_at_ms <= one.due_at_ms
    assert 0.6 <= one.confidence <= 1.0
    assert "b came" in one.reason


def test_ordinary_errors_are_not_predicted_to_rise() -> None:
    """Hours of the same give no prediction, not even a weak one."""
    assert not predictions(minutes([2, 3, 2, 4, 3, 2] * 60, "a"), 0.3)


def test_what_did_not_come_true() -> None:
    """A prediction whose time runs out says so when it is due."""
    found = predictions(minutes([2, 3, 2, 4, 3, 2] * 20, "a"), 0.001)
    assert found
    assert found[0].came_true is False
    assert found[0].closed_at_ms == found[0].due_at_ms


def test_weights_match_features() -> None:
    """Every feature has a name and a weight."""
    values, lead, _ = features(Outlook(step=1), 5.0)
    assert len(values) == len(NAMES) == len(WEIGHTS)
    assert lead == ""
    assert 0.0 < probability(values) < 0.1


def test_outlook_is_bounded() -> None:
    """However many fingerprints come, only those that come most are followed, in few steps."""
    outlook = Outlook()
    topology = making.topology()
    state_run = [
        (event(n * 1_000, f"x{n}"), group(f"g{n}" if n % 3 else "always")) for n in range(3_000)
    ]
    run(topology, state_run)
    for step in range(100):
        outlook.advance(step, 30)
        slot = Slot(step)
        outlook.learn(slot)
        outlook.waiting.append((step, 0.1))
    assert len(outlook.waiting) <= 31
    assert len(outlook.rises) <= GROUPS
    course = Course()
    for count in range(100):
        course.add(count)
    assert len(course.counts) == WIDTH
    assert course.last(2) == 98 + 99


@given(st.lists(st.tuples(shares, st.booleans()), max_size=200), shares, shares)
def test_calibration_is_monotone(seen: list[tuple[float, bool]], one: float, other: float) -> None:
    """Whatever came of predictions, a larger one stays the larger, but for the last digit; all stay
    within 0 to 1."""
    calibration = Calibration()
    for raw, came in seen:
        calibration.learn(raw, came=came)
    low, high = sorted((calibration.apply(one), calibration.apply(other)))
    assert 0.0 <= low <= high <= 1.0
    assert calibration.apply(min(one, other)) <= low + 1e-15


def test_calibration_learns() -> None:
    """What always says 0.5 and comes true one time in ten ends near that; without outcomes nothing
    changes."""
    calibration = Calibration()
    assert abs(calibration.apply(0.5) - 0.5) < 0.01
    for n in range(6_000):
        calibration.learn(0.5, came=n % 10 == 0)
    assert abs(calibration.apply(0.5) - 0.1) < 0.2
