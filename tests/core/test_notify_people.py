"""Inhibition, escalation, rate limits and recovery in flight spare people, and lose nothing."""

from faultstream.core.notify.mute import inhibitor
from faultstream.core.notify.stage import Notify
from tests.core.notifying import (
    HOUR,
    MINUTE,
    SECOND,
    T0,
    Desk,
    acknowledge,
    incident,
    note,
    rules,
    titles,
)

# The example of Alertmanager's documentation: what is critical mutes warnings of the same service.
MUTES = {
    "source_matchers": ["level=critical"],
    "target_matchers": ["level=warning"],
    "equal": ["service", "zone"],
}
FAST = {"group_by": ["..."], "group_wait_ms": 0, "group_interval_ms": SECOND}


def test_a_critical_alert_inhibits_warnings_of_its_service() -> None:
    """Those of others are told; once it is resolved, so is the one that was inhibited."""
    desk = Desk(rules(route={"group_by": ["..."]}, inhibit_rules=[MUTES]))
    desk.give(note(1, level="critical", service="a"), note(2, level="warning", service="a"))
    desk.give(note(3, level="warning", service="b"))
    assert sorted(title for _, title in titles(desk.wait(MINUTE))) == [
        "title of i1",
        "title of i3",
    ]
    assert desk.why(2) == ["suppressed: inhibited by title of i1"]
    desk.give(incident("i1", "resolved"))
    told = [title for _, title in titles(desk.wait(6 * MINUTE))]
    assert sorted(told) == ["resolved: title of i1", "title of i2"]


def test_equal_takes_a_missing_label_for_an_empty_one() -> None:
    """Both without the label are equal; one with a value and one without are not."""
    desk = Desk(rules(inhibit_rules=[MUTES]))
    desk.give(note(1, level="critical", service="a", zone=""))
    policy = rules(inhibit_rules=[MUTES]).notification.inhibit_rules
    alerts = list(desk.state.alerts.values())
    target = {"level": "warning", "service": "a"}
    assert inhibitor(policy, target, alerts) == "title of i1"
    assert inhibitor(policy, {**target, "zone": "x"}, alerts) == ""


def test_who_matches_both_sides_is_not_inhibited_by_its_like() -> None:
    """Two alerts that match source and target do not mute each other; a pure source does."""
    both = {"source_matchers": ["level=~critical|warning"], "target_matchers": ["service=a"]}
    policy = rules(inhibit_rules=[both]).notification.inhibit_rules
    desk = Desk(rules())
    desk.give(note(1, level="critical", service="a"))
    target = {"level": "warning", "service": "a"}
    assert inhibitor(policy, target, desk.state.alerts.values()) == ""
    desk.give(note(2, level="critical", service="b"))
    assert inhibitor(policy, target, desk.state.alerts.values()) == "title of i2"


def _escalating() -> Desk:
    steps = [
        {"channels": ["mail"]},
        {"after_ms": 5 * MINUTE, "channels": ["mail", "chat"]},
        {"after_ms": 15 * MINUTE, "channels": ["sms"]},
    ]
    grave = {"matchers": ["level=~critical|error"], "steps": steps}
    receivers = {"default": {"channels": ["log"]}}
    return Desk(
        rules("mail", "chat", "sms", "log", escalations={"grave": grave}, receivers=receivers)
    )


def test_escalation_climbs_until_the_last_step() -> None:
    """At once, after 5 and after 15 minutes, each with its channels; other levels not."""
    desk = _escalating()
    desk.give(note(1), note(2, level="warning"))
    told = [send for send in desk.wait(HOUR, 10 * SECOND) if send.channel != "log"]
    assert titles(told) == [(c, "title of i1") for c in ("mail", "mail", "chat", "sms")]
    assert [send.message.created_at_ms - T0 for send in told] == [
        10 * SECOND,
        5 * MINUTE,
        5 * MINUTE,
        15 * MINUTE,
    ]


def test_acknowledging_ends_it() -> None:
    """Nobody else is told, nothing is repeated, and its end still is."""
    desk = _escalating()
    desk.give(note(1))
    desk.wait(MINUTE)
    desk.give(acknowledge("i1"))
    assert desk.wait(6 * HOUR, 30 * SECOND) == []
    assert "suppressed: acknowledged" in desk.why(1)
    desk.give(incident("i1", "resolved", desk.now_ms))
    assert titles(desk.wait(6 * MINUTE)) == [("log", "resolved: title of i1")]


def test_resolving_ends_it() -> None:
    """What is over wakes nobody."""
    desk = _escalating()
    desk.give(note(1))
    desk.wait(MINUTE)
    desk.give(incident("i1", "resolved"))
    assert {send.channel for send in desk.wait(HOUR, 10 * SECOND)} == {"log"}


def test_past_the_limit_there_is_a_digest_with_exact_counts() -> None:
    """Five critical ones in 5 minutes, then one message that counts the rest."""
    desk = Desk(rules(route=FAST))
    for number in range(1, 13):
        desk.give(note(number, level="critical", title=f"kind {number % 2}"))
    first = desk.wait(2 * SECOND)
    assert len(first) == 5
    rest = desk.wait(6 * MINUTE)
    assert rest[0].message.title.startswith("7 more critical notifications in ")
    assert rest[0].message.body == "4 x kind 0\n3 x kind 1"
    assert len(rest) == 1
    ends = [desk.why(number)[0].split(":")[0] for number in range(1, 13)]
    assert (ends.count("sent"), ends.count("digest")) == (5, 7)


def test_a_channel_without_limits_and_levels_it_does_not_want() -> None:
    """`info` has no limit by default."""
    desk = Desk(rules(route=FAST))
    desk.give(*(note(number, level="info") for number in range(1, 31)))
    assert len(desk.wait(2 * SECOND)) == 30


def test_recovery_in_flight_is_quiet_and_its_failure_is_one_message() -> None:
    """Nobody hears of an incident while it is being recovered; when that failed, one message has
    what was tried; when it worked, nobody was disturbed."""
    desk = Desk(rules(route={"group_by": ["incident_id"]}))
    desk.give(incident("i1", "recovering"), note(1, level="info", incident="i1"))
    assert desk.wait(2 * MINUTE) == []
    assert desk.why(1) == ["suppressed: recovery is in flight"]
    failed = note(2, incident="i1", title="orders: recovery failed", at_ms=desk.now_ms)
    desk.give(incident("i1", "escalated"), failed)
    (told,) = desk.wait(5 * MINUTE)
    assert told.message.level == "error"
    assert "body of n2" in told.message.body
    quiet = Desk(rules())
    quiet.give(incident("i1", "verifying"), note(1, level="info", incident="i1"))
    quiet.wait(MINUTE)
    quiet.give(incident("i1", "resolved"))
    assert quiet.wait(HOUR, 10 * SECOND) == []


def test_flight_that_is_not_heard_of_again_ends() -> None:
    """After 15 minutes without news people are told, whatever became of the recovery."""
    desk = Desk(rules())
    desk.give(incident("i1", "recovering"), note(1, level="warning", incident="i1"))
    assert desk.wait(14 * MINUTE, 10 * SECOND) == []
    assert len(desk.wait(7 * MINUTE, 10 * SECOND)) == 1


def test_a_fallback_is_told_when_a_channel_gives_up() -> None:
    """Once, and not again at the next look."""
    receivers = {"default": {"channels": ["mail"], "fallback": ["chat", "sms"]}}
    desk = Desk(rules("mail", "chat", "sms", receivers=receivers))
    desk.broken = {"mail", "chat"}
    desk.give(note(1))
    assert titles(desk.wait(30 * SECOND)) == [("sms", "title of i1")]
    assert desk.why(1) == ["failed: no route", "failed: no route", "sent: first"]
    assert desk.wait(HOUR, 10 * SECOND) == []


def test_when_all_gave_up_it_is_told_later() -> None:
    """At the next look of its group, with all that was to be told."""
    desk = Desk(rules())
    desk.broken = {"mail"}
    desk.give(note(1))
    assert desk.wait(10 * MINUTE) == []
    desk.broken = set()
    (told,) = desk.wait(6 * MINUTE)
    assert (told.reason, told.sources) == ("first", ["n1"])


def test_late_news_of_what_is_over() -> None:
    """A notification that comes after the end of its incident is not told any more."""
    desk = Desk(rules())
    desk.give(incident("i1", "resolved"), note(1))
    assert desk.wait(HOUR, 10 * SECOND) == []
    assert desk.why(1) == ["suppressed: its incident is over already"]


def test_no_news_wants_no_tick() -> None:
    """An idle state costs nothing."""
    notify = Notify(rules())
    assert not notify.wants_tick(notify.new("production"), T0 + HOUR)
