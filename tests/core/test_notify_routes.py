"""Routing, grouping and deduplication behave as Alertmanager's documentation says."""

import pytest

from faultstream.core.notify.dedup import Entry, needed
from faultstream.core.notify.route import tree
from tests.core.notifying import HOUR, MINUTE, SECOND, T0, Desk, note, rules, silence, titles

# The example of Alertmanager's documentation, told with our labels: a root for everything, one
# child per kind of service that is told by its own team, with a child for what is grave; and a
# child that also lets later siblings have the alert.
TREE = {
    "receiver": "default",
    "group_by": ["service", "level"],
    "routes": [
        {
            "matchers": ['service=~"mysql|cassandra"'],
            "receiver": "database",
            "group_wait_ms": 10_000,
        },
        {"matchers": ['team="frontend"'], "receiver": "frontend", "group_by": ["product"]},
        {
            "matchers": ['service=~"inhouse.*"'],
            "receiver": "audit",
            "continue": True,
        },
        {
            "matchers": ['service=~"inhouse-(a|b)"'],
            "receiver": "ab",
            "routes": [{"matchers": ["level=critical"], "receiver": "ab-pager"}],
        },
    ],
}
CHANNELS = ("default", "database", "frontend", "audit", "ab", "ab-pager")
RECEIVERS = {name: {"channels": [name]} for name in CHANNELS}


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"service": "other"}, ["0"]),
        ({"service": "mysql"}, ["0.0"]),
        ({"service": "my-mysql"}, ["0"]),
        ({"service": "cassandra", "team": "frontend"}, ["0.0"]),
        ({"service": "web", "team": "frontend"}, ["0.1"]),
        ({"service": "inhouse-c"}, ["0.2"]),
        ({"service": "inhouse-a"}, ["0.2", "0.3"]),
        ({"service": "inhouse-a", "level": "critical"}, ["0.2", "0.3.0"]),
    ],
)
def test_the_first_child_that_matches_takes_it(labels: dict[str, str], found: list[str]) -> None:
    """Depth first, left to right; `continue` goes on; no child that matches means the node."""
    topology = rules(*CHANNELS, route=TREE, receivers=RECEIVERS)
    assert [route.path for route in tree(topology).match(labels)] == found


def test_children_inherit_what_they_leave_out() -> None:
    """group_by, the three lengths and the receiver come from the parent; the root has 30 s, 5 min
    and 4 h."""
    routes = {route.path: route for route in tree(rules(route=TREE)).walk()}
    root = routes["0"]
    assert (root.group_wait_ms, root.group_interval_ms) == (30 * SECOND, 5 * MINUTE)
    assert root.repeat_interval_ms == 4 * HOUR
    assert routes["0.0"].group_wait_ms == 10 * SECOND
    assert routes["0.0"].group_by == ("service", "level")
    assert routes["0.1"].group_by == ("product",)
    assert routes["0.3.0"].receiver == "ab-pager"


def test_a_group_waits_then_has_an_interval_then_repeats() -> None:
    """First after group_wait; a new alert at the next interval, not before; then nothing until
    repeat_interval is over."""
    desk = Desk(rules(route={"group_by": ["service"]}))
    desk.give(note(1, service="orders"))
    assert desk.wait(29 * SECOND) == []
    desk.give(note(2, service="orders", at_ms=desk.now_ms))
    (first,) = desk.wait(1 * SECOND)
    assert (first.reason, first.message.title) == ("first", "2 firing: service=orders")
    assert sorted(first.sources) == ["n1", "n2"]
    desk.give(note(3, service="orders", at_ms=desk.now_ms))
    assert desk.wait(5 * MINUTE - SECOND) == []
    (more,) = desk.wait(SECOND)
    assert (more.reason, more.sources) == ("new_alerts", ["n3"])
    assert desk.wait(4 * HOUR - SECOND, step_ms=30 * SECOND) == []
    (again,) = desk.wait(5 * MINUTE)
    assert again.reason == "repeat"
    assert desk.decisions[-1].kind == "repeated"


def test_group_by_splits_merges_or_takes_each() -> None:
    """By a label, by nothing, and by all labels with '...'."""
    for group_by, count in (["service"], 2), ([], 1), (["..."], 3):
        desk = Desk(rules(route={"group_by": group_by}))
        services = {1: "orders", 2: "orders", 3: "stock"}
        desk.give(*(note(n, service=service) for n, service in services.items()))
        assert len(desk.wait(30 * SECOND)) == count


def test_a_missing_label_groups_like_an_empty_one() -> None:
    """Alerts without the label are one group, with those whose label is empty."""
    desk = Desk(rules(route={"group_by": ["zone"]}))
    desk.give(note(1), note(2, zone=""), note(3, zone="a"))
    assert len(desk.wait(30 * SECOND)) == 2


def test_an_old_alert_does_not_wait() -> None:
    """One that is older than group_wait when it comes is told at once, not after the wait."""
    desk = Desk(rules())
    desk.give(note(1, at_ms=T0 - 30 * SECOND))
    assert titles(desk.wait(SECOND)) == [("mail", "title of i1")]


def test_all_resolved_is_told_at_the_next_interval() -> None:
    """With what resolved it; afterwards the group is gone."""
    desk = Desk(rules())
    desk.give(note(1))
    desk.wait(30 * SECOND)
    desk.give(note(2, incident="i1", status="resolved", at_ms=desk.now_ms))
    (over,) = desk.wait(5 * MINUTE)
    assert (over.reason, over.message.title) == ("all_resolved", "resolved: title of i1")
    assert (over.message.body, over.message.status) == ("body of n2", "resolved")
    desk.wait(5 * MINUTE)
    assert not desk.state.groups
    assert not desk.state.alerts


def test_what_resolves_before_it_is_told_is_never_told() -> None:
    """And the notification ends suppressed, with that reason."""
    desk = Desk(rules())
    desk.give(note(1), note(2, incident="i1", status="resolved"))
    assert desk.wait(HOUR, step_ms=10 * SECOND) == []
    assert desk.why(1) == ["suppressed: resolved before anybody was told"]
    assert desk.why(2) == ["suppressed: resolved before anybody was told"]


def test_send_resolved_off() -> None:
    """Nobody is told that it is over."""
    receivers = {"default": {"channels": ["mail"], "send_resolved": False}}
    desk = Desk(rules(receivers=receivers))
    desk.give(note(1))
    assert len(desk.wait(30 * SECOND)) == 1
    desk.give(note(2, incident="i1", status="resolved", at_ms=desk.now_ms))
    assert desk.wait(HOUR, step_ms=10 * SECOND) == []
    assert desk.why(2) == ["suppressed: send_resolved is off"]


@pytest.mark.parametrize(
    ("entry", "firing", "resolved", "reason"),
    [
        (None, {"a"}, set(), "first"),
        (None, set(), {"a"}, None),
        (Entry(0, ["a"], []), {"a"}, set(), None),
        (Entry(0, ["a"], []), {"a", "b"}, set(), "new_alerts"),
        (Entry(0, ["a", "b"], []), {"a"}, set(), None),
        (Entry(0, ["a", "b"], []), {"a"}, {"b"}, "new_resolved"),
        (Entry(0, ["a"], []), set(), {"a"}, "all_resolved"),
        (Entry(0, [], ["a"]), set(), {"a"}, None),
        (Entry(0, [], ["a"]), {"a"}, set(), "new_alerts"),
        (Entry(-1, ["a"], []), {"a"}, set(), "repeat"),
    ],
)
def test_the_table_of_decisions(
    entry: Entry | None, firing: set[str], resolved: set[str], reason: str | None
) -> None:
    """Every case of the log against what fires, at 99 ms after 0 with a repeat of 100 ms."""
    found = needed(entry, firing, resolved, send_resolved=True, repeat_interval_ms=100, now_ms=99)
    assert found == reason


def test_no_news_of_resolved_ones_when_they_are_not_wanted() -> None:
    """Without send_resolved one of two that is over is no news."""
    entry = Entry(0, ["a", "b"], [])
    assert (
        needed(entry, {"a"}, {"b"}, send_resolved=False, repeat_interval_ms=100, now_ms=1) is None
    )


def test_a_silence_mutes_until_it_ends() -> None:
    """While it holds nobody is told, and why is said once; after it the alert is news."""
    desk = Desk(rules())
    desk.give(silence('service="orders"', until_ms=T0 + HOUR), note(1, service="orders"))
    desk.give(note(2, service="stock"))
    assert titles(desk.wait(HOUR - SECOND, step_ms=SECOND * 29)) == [("mail", "title of i2")]
    assert desk.why(1) == ["suppressed: silenced by ann (silence/s)"]
    (late,) = desk.wait(6 * MINUTE)
    assert late.message.title.startswith("2 firing")


def test_a_silence_is_taken_back() -> None:
    """From then on it mutes nothing."""
    desk = Desk(rules())
    desk.give(silence("service=orders"), silence("service=orders", active=False))
    desk.give(note(1, service="orders"))
    assert len(desk.wait(30 * SECOND)) == 1


@pytest.mark.parametrize("bad", [["service"], ["a=~("], [], [3], "service=x"])
def test_a_silence_that_cannot_be_used_mutes_nobody(bad: object) -> None:
    """One wrong matcher, or none at all, must not silence everything."""
    desk = Desk(rules())
    control = silence()
    control.parameters = {"matchers": bad}
    desk.give(control, note(1))
    assert len(desk.wait(30 * SECOND)) == 1
