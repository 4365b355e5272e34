"""Time intervals are Alertmanager's; schedules say whose turn it is by the clock on the wall."""

from calendar import monthrange
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream.core.notify.calendar import CalendarError, interval
from faultstream.core.notify.oncall import channels, on_call
from faultstream.core.policy import NotificationPolicy, SchedulePolicy, TimeIntervalPolicy
from tests.core.notifying import MINUTE, SECOND, Desk, acknowledge, note, rules, silence, titles


def at(text: str, location: str = "UTC") -> int:
    """Milliseconds since the epoch."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(location)).timestamp() * 1000)


def made(**fields: Any) -> TimeIntervalPolicy:
    return msgspec.convert(fields, TimeIntervalPolicy)


WORK = {
    "times": [{"start_time": "09:00", "end_time": "17:00"}],
    "weekdays": ["monday:friday"],
}


@pytest.mark.parametrize(
    ("fields", "when", "found"),
    [
        ({}, "2026-01-01T00:00", True),
        (WORK, "2026-01-05T09:00", True),
        (WORK, "2026-01-05T08:59", False),
        (WORK, "2026-01-05T16:59", True),
        (WORK, "2026-01-05T17:00", False),
        (WORK, "2026-01-04T12:00", False),
        ({"times": [{"start_time": "18:00", "end_time": "24:00"}]}, "2026-01-01T23:59", True),
        ({"weekdays": ["saturday", "sunday"]}, "2026-01-04T12:00", True),
        ({"weekdays": ["Sunday:Tuesday"]}, "2026-01-07T12:00", False),
        ({"days_of_month": ["1:5", "-3:-1"]}, "2026-01-29T12:00", True),
        ({"days_of_month": ["1:5", "-3:-1"]}, "2026-01-28T12:00", False),
        ({"days_of_month": ["-3:-1"]}, "2026-02-26T12:00", True),
        ({"days_of_month": ["31"]}, "2026-02-28T12:00", False),
        ({"days_of_month": ["29:31"]}, "2028-02-29T12:00", True),
        ({"days_of_month": ["5:-5"]}, "2026-02-24T12:00", True),
        ({"days_of_month": ["5:-5"]}, "2026-02-25T12:00", False),
        ({"months": ["december", "1:3"]}, "2026-03-31T23:59", True),
        ({"months": ["december", "1:3"]}, "2026-04-01T00:00", False),
        ({"years": ["2025", "2027:2030"]}, "2026-06-01T00:00", False),
        ({"years": ["2025", "2027:2030"]}, "2030-12-31T23:59", True),
        ({**WORK, "location": "Australia/Sydney"}, "2026-01-04T22:30", True),
        ({**WORK, "location": "Australia/Sydney"}, "2026-01-05T09:30", False),
        ({**WORK, "location": "Europe/Berlin"}, "2026-07-06T07:30", True),
        ({**WORK, "location": "Europe/Berlin"}, "2026-01-05T07:30", False),
    ],
)
def test_which_times_are_in_an_interval(fields: dict[str, Any], when: str, found: bool) -> None:
    """Every list that is not empty must match; starts are in it, ends of times are not; by the
    clock of the location, summer time included. `when` is UTC."""
    assert interval(made(**fields)).contains(at(when)) is found


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.integers(-31, 31))
def test_days_from_the_end_are_days_from_the_start(when: date, day: int) -> None:
    """Day -n of a month is its (length + 1 - n)th, on any calendar."""
    if day == 0:
        with pytest.raises(CalendarError):
            interval(made(days_of_month=["0"]))
        return
    length = monthrange(when.year, when.month)[1]
    meant = when.day == (day if day > 0 else length + 1 + day)
    assert interval(made(days_of_month=[str(day)])).contains(at(when.isoformat())) is meant


NIGHT = {"night": [{"times": [{"start_time": "22:00", "end_time": "24:00"}]}]}
T0 = at("2023-11-14T22:13:20")  # the desk's first moment


def _timed(**route: Any) -> Desk:
    child = {"matchers": ["level=error"], **route}
    desk = Desk(rules(route={"routes": [child]}, time_intervals=NIGHT))
    assert desk.now_ms == T0
    return desk


def test_a_route_is_mute_within_its_intervals() -> None:
    """Nobody is told then, and why is said once; afterwards what still fires is news; other
    routes go on."""
    desk = _timed(mute_time_intervals=["night"])
    desk.give(note(1), note(2, level="critical"))
    assert titles(desk.wait(100 * MINUTE, 10 * SECOND)) == [("mail", "title of i2")]
    assert desk.why(1) == ["suppressed: muted at this time (night)"]
    assert titles(desk.wait(12 * MINUTE, 10 * SECOND)) == [("mail", "title of i1")]


def test_a_route_tells_only_within_its_active_intervals() -> None:
    """Outside of them it is mute, but it still takes the alert from later routes."""
    desk = _timed(active_time_intervals=["night"])
    desk.give(note(1))
    assert len(desk.wait(MINUTE)) == 1
    desk.wait(120 * MINUTE, 30 * SECOND)
    desk.give(note(2, at_ms=desk.now_ms))
    assert desk.wait(60 * MINUTE, 30 * SECOND) == []
    assert desk.why(2) == ["suppressed: not active at this time (night)"]


def test_intervals_are_not_inherited() -> None:
    """A child of a muted route tells at any time unless it says so itself."""
    child = {"matchers": ["service=a"]}
    desk = _timed(mute_time_intervals=["night"], routes=[child])
    desk.give(note(1, service="a"), note(2, service="b"))
    assert titles(desk.wait(MINUTE)) == [("mail", "title of i1")]


def test_a_silence_may_begin_later() -> None:
    """Until then people are told, from then on not, and again when it is over; saves keep it."""
    desk = Desk(rules(route={"group_wait_ms": 0, "group_interval_ms": 1_000, "group_by": ["..."]}))
    start, end = desk.now_ms + 10 * SECOND, desk.now_ms + 20 * SECOND
    desk.give(silence("service=orders", from_ms=start, until_ms=end))
    desk.state = desk.notify.load(desk.notify.save(desk.state))
    desk.give(note(1, service="orders"))
    assert len(desk.wait(9 * SECOND)) == 1
    desk.wait(2 * SECOND)
    desk.give(note(2, service="orders", at_ms=desk.now_ms))
    assert desk.wait(7 * SECOND) == []
    assert desk.why(2) == ["suppressed: silenced by ann (silence/s)"]
    assert len(desk.wait(4 * SECOND)) == 1


def test_what_was_told_and_is_muted_now_ends_nothing() -> None:
    """A silence after the message is no news, least of all that it is over; when it ends nothing
    has changed."""
    desk = Desk(rules())
    desk.give(note(1, service="orders"))
    assert len(desk.wait(30 * SECOND)) == 1
    desk.give(silence("service=orders"))
    assert desk.wait(30 * MINUTE, 10 * SECOND) == []
    desk.give(silence("service=orders", active=False))
    assert desk.wait(30 * MINUTE, 10 * SECOND) == []


SHOP = {
    "location": "Europe/Berlin",
    "rotations": [
        {
            "people": ["ann"],
            "start": "2026-01-01T00:00",
            "active_time_intervals": ["weekend"],
        },
        {"people": ["bob", "cay", "dan"], "start": "2026-01-05T09:00", "days": 7},
    ],
    "overrides": [
        {"person": "eve", "start": "2026-01-07T12:00", "end": "2026-01-07T18:00"},
        {"person": "ann", "start": "2026-01-07T17:00", "end": "2026-01-07T19:00"},
    ],
}
POLICY = msgspec.convert(
    {
        "schedules": {"shop": SHOP},
        "time_intervals": {
            "weekend": [{"weekdays": ["saturday", "sunday"], "location": "Europe/Berlin"}]
        },
        "people": {"ann": ["sms-ann"], "bob": ["sms-bob", "mail"], "cay": ["mail"]},
    },
    NotificationPolicy,
)


@pytest.mark.parametrize(
    ("when", "people"),
    [
        ("2026-01-05T08:59", ("ann", "bob", "cay", "dan")),
        ("2026-01-05T09:00", ("bob",)),
        ("2026-01-10T00:00", ("ann",)),
        ("2026-01-12T08:59", ("bob",)),
        ("2026-01-12T09:00", ("cay",)),
        ("2026-01-26T09:00", ("bob",)),
        ("2026-03-30T08:59", ("dan",)),
        ("2026-03-30T09:00", ("bob",)),
        ("2026-01-07T12:00", ("eve",)),
        ("2026-01-07T17:00", ("ann",)),
        ("2026-01-07T18:59", ("ann",)),
        ("2026-01-07T19:00", ("bob",)),
    ],
)
def test_whose_turn_it_is(when: str, people: tuple[str, ...]) -> None:
    """Turns begin at the start's time of day, across summer time; the last override goes first,
    then the first rotation that counts; before the first turn everybody is on call."""
    found = on_call(POLICY.schedules["shop"], POLICY.time_intervals, at(when, "Europe/Berlin"))
    assert found == people


@given(st.integers(0, 4_000), st.integers(1, 5), st.integers(1, 30))
def test_turns_are_equally_long(day: int, many: int, days: int) -> None:
    """On any day the person is the one that counting shifts by hand gives."""
    people = [f"p{n}" for n in range(many)]
    rotation = {"people": people, "start": "2026-01-05T09:00", "days": days}
    schedule = msgspec.convert({"rotations": [rotation]}, SchedulePolicy)
    now_ms = at("2026-01-05T09:00") + day * 24 * 60 * MINUTE
    assert on_call(schedule, {}, now_ms) == (people[day // days % many],)


def test_the_channels_of_those_on_call() -> None:
    """Each channel once, with who it is for and why."""
    now_ms = at("2026-01-05T09:00", "Europe/Berlin")
    assert channels(POLICY, ["shop", "none"], now_ms) == [
        ("sms-bob", "bob is on call (shop)"),
        ("mail", "bob is on call (shop)"),
    ]


def test_an_escalation_tells_who_is_on_call() -> None:
    """At the time of the step, after its own channels and no channel twice; who it is stands in
    the reason; until it is acknowledged."""
    steps = [
        {"channels": ["chat"], "on_call": ["shop"]},
        {"after_ms": 5 * MINUTE, "on_call": ["shop"]},
    ]
    rotation = {"people": ["ann", "bob"], "start": "2023-11-13T22:15", "days": 1}
    desk = Desk(
        rules(
            "chat", "a", "b", "log",
            receivers={"default": {"channels": ["log"]}},
            escalations={"grave": {"matchers": ["level=critical"], "steps": steps}},
            people={"ann": ["a", "chat"], "bob": ["b"]},
            schedules={"shop": {"rotations": [rotation]}},
        )
    )  # fmt: skip
    desk.give(note(1, level="critical"))
    told = [one for one in desk.wait(10 * MINUTE, 10 * SECOND) if one.channel != "log"]
    assert [(one.channel, one.reason) for one in told] == [
        ("chat", "escalation grave, step 1"),
        ("a", "escalation grave, step 1, ann is on call (shop)"),
        ("b", "escalation grave, step 2, bob is on call (shop)"),
    ]
    desk.give(note(2, level="critical"), acknowledge("i2"))
    told = [one for one in desk.wait(10 * MINUTE, 10 * SECOND) if one.channel != "log"]
    assert told == []
