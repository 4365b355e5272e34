"""Configurations from Alertmanager's documentation, in our file, decide as it says they do.

The routes are those of its page on configuration and of its example file: a root for all, teams by
regular expression with a pager below for what is critical, and a route that goes on. The labels are
ours where theirs are made by Prometheus: `level` for severity, `title` for the alert's name.
"""

from typing import Any

import msgspec
import pytest

from faultstream.core.notify.dedup import Entry, needed
from faultstream.core.notify.mute import inhibitor
from faultstream.core.notify.route import tree
from faultstream.core.notify.state import Alert
from faultstream.core.policy import InhibitRulePolicy
from tests.core.notifying import HOUR, MINUTE, SECOND, Desk, note, rules, titles

EXAMPLE = {
    "group_by": ["title", "cluster", "service"],
    "group_wait_ms": 30 * SECOND,
    "group_interval_ms": 5 * MINUTE,
    "repeat_interval_ms": 3 * HOUR,
    "receiver": "team-X-mails",
    "routes": [
        {
            "matchers": ['service=~"^(foo1|foo2|baz)$"'],
            "receiver": "team-X-mails",
            "routes": [{"matchers": ['level="critical"'], "receiver": "team-X-pager"}],
        },
        {
            "matchers": ['service="files"'],
            "receiver": "team-Y-mails",
            "routes": [{"matchers": ['level="critical"'], "receiver": "team-Y-pager"}],
        },
        {
            "matchers": ['service="database"'],
            "receiver": "team-DB-pager",
            "group_by": ["title", "cluster", "database"],
            "routes": [
                {"matchers": ['owner="team-X"'], "receiver": "team-X-pager", "continue": True},
                {"matchers": ['owner="team-Y"'], "receiver": "team-Y-pager"},
            ],
        },
    ],
}
NAMES = ("team-X-mails", "team-X-pager", "team-Y-mails", "team-Y-pager", "team-DB-pager")
RECEIVERS = {name: {"channels": [name]} for name in NAMES}


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({}, ["team-X-mails"]),
        ({"service": "foo1", "level": "warning"}, ["team-X-mails"]),
        ({"service": "foo1", "level": "critical"}, ["team-X-pager"]),
        ({"service": "foo12", "level": "critical"}, ["team-X-mails"]),
        ({"service": "baz", "level": "critical"}, ["team-X-pager"]),
        ({"service": "files", "level": "info"}, ["team-Y-mails"]),
        ({"service": "files", "level": "critical"}, ["team-Y-pager"]),
        ({"service": "database", "level": "critical"}, ["team-DB-pager"]),
        ({"service": "database", "owner": "team-X"}, ["team-X-pager"]),
        ({"service": "database", "owner": "team-Y"}, ["team-Y-pager"]),
        ({"service": "other", "owner": "team-Y", "level": "critical"}, ["team-X-mails"]),
    ],
)
def test_the_example_file_routes(labels: dict[str, str], receivers: list[str]) -> None:
    """The deepest node that matches takes it; the regular expression must match all of it."""
    topology = rules(*NAMES, route=EXAMPLE, receivers=RECEIVERS)
    found = tree(topology).match(labels)
    assert [route.receiver for route in found] == receivers
    below = [route for route in tree(topology).walk() if route.path.startswith("0.2")]
    assert {route.group_by for route in below} == {("title", "cluster", "database")}


def test_continue_goes_on_to_siblings_only() -> None:
    """A child with `continue` lets later siblings have it too, but not those of its parent; and
    the parent itself does not get it again."""
    route = {
        "receiver": "root",
        "routes": [
            {
                "matchers": ["a=1"],
                "receiver": "parent",
                "routes": [
                    {"matchers": ["b=1"], "receiver": "one", "continue": True},
                    {"matchers": ["b=1"], "receiver": "two"},
                    {"matchers": ["b=1"], "receiver": "three"},
                ],
            },
            {"matchers": ["a=1"], "receiver": "later"},
        ],
    }
    found = tree(rules(route=route)).match({"a": "1", "b": "1"})
    assert [one.receiver for one in found] == ["one", "two"]
    assert [one.receiver for one in tree(rules(route=route)).match({"a": "1"})] == ["parent"]


@pytest.mark.parametrize(
    ("group_by", "groups"),
    [(["..."], 4), (["service"], 2), (["service", "zone"], 3), ([], 1), (["nothing"], 1)],
)
def test_group_by(group_by: list[str], groups: int) -> None:
    """Equal labels are one group; '...' is by all labels; none is one group for the route."""
    desk = Desk(rules(route={"group_by": group_by}))
    labels = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "x")]
    desk.give(*(note(n, service=s, zone=z) for n, (s, z) in enumerate(labels)))
    assert len(desk.wait(30 * SECOND)) == groups


def rule(**fields: Any) -> InhibitRulePolicy:
    return msgspec.convert(fields, InhibitRulePolicy)


def alert(name: str, **labels: str) -> Alert:
    return Alert(
        alert_id=name,
        labels=labels,
        level="error",
        title=name,
        body="",
        incident_id="",
        pattern_ids=[],
    )


SAME = rule(
    source_matchers=['level="critical"'],
    target_matchers=['level="warning"'],
    equal=["title", "cluster", "service"],
)
"""The rule of its example file: what is critical mutes warnings of the same alert."""


@pytest.mark.parametrize(
    ("target", "by"),
    [
        ({"level": "warning", "title": "t", "cluster": "c", "service": "s"}, "source"),
        ({"level": "info", "title": "t", "cluster": "c", "service": "s"}, ""),
        ({"level": "warning", "title": "t", "cluster": "other", "service": "s"}, ""),
        ({"level": "warning", "title": "t", "service": "s"}, ""),
    ],
)
def test_inhibition_by_the_example_rule(target: dict[str, str], by: str) -> None:
    """Only warnings, and only with all the equal labels."""
    source = alert("source", level="critical", title="t", cluster="c", service="s")
    assert inhibitor([SAME], target, [source]) == by


def test_labels_that_both_lack_are_equal() -> None:
    """A missing label and an empty one are the same, so the rule applies when all the equal names
    are missing from both."""
    source = alert("source", level="critical")
    assert inhibitor([SAME], {"level": "warning"}, [source]) == "source"
    assert inhibitor([SAME], {"level": "warning", "cluster": ""}, [source]) == "source"
    assert inhibitor([SAME], {"level": "warning", "cluster": "c"}, [source]) == ""


def test_no_alert_inhibits_itself() -> None:
    """What matches both sides is not inhibited by alerts for which the same is true, itself
    included, but it is by one that matches the source side alone."""
    both = rule(source_matchers=["service=~.+"], target_matchers=["level=warning"])
    mine = {"service": "s", "level": "warning"}
    twin = alert("twin", **mine)
    assert inhibitor([both], mine, [twin]) == ""
    pure = alert("pure", service="s", level="critical")
    assert inhibitor([both], mine, [twin, pure]) == "pure"


def test_what_is_inhibited_may_still_inhibit() -> None:
    """Inhibition looks at what fires, not at what is told: chains work."""
    chain = [
        {"source_matchers": ["level=critical"], "target_matchers": ["level=error"]},
        {"source_matchers": ["level=error"], "target_matchers": ["level=warning"]},
    ]
    desk = Desk(rules(inhibit_rules=chain, route={"group_by": ["..."]}))
    desk.give(note(1, level="critical"), note(2, level="error"), note(3, level="warning"))
    assert titles(desk.wait(MINUTE)) == [("mail", "title of i1")]


def test_a_group_that_changes_waits_for_its_interval_not_for_repeat() -> None:
    """group_interval goes before repeat_interval: changes are told at the next interval, the same
    again only when repeat_interval is over, at an interval."""
    route = {"group_interval_ms": 5 * MINUTE, "repeat_interval_ms": 7 * MINUTE}
    desk = Desk(rules(route={"group_by": [], **route}))
    desk.give(note(1))
    desk.wait(30 * SECOND)
    began = desk.now_ms
    (again,) = desk.wait(11 * MINUTE)
    assert (again.reason, again.message.created_at_ms - began) == ("repeat", 10 * MINUTE)
    desk.give(note(2, at_ms=desk.now_ms))
    (news,) = desk.wait(5 * MINUTE)
    assert (news.reason, news.message.created_at_ms - began) == ("new_alerts", 15 * MINUTE)


def test_back_within_the_interval_is_no_news() -> None:
    """An alert that ends and fires again between two looks is told neither way; and one that
    fires again after its end was told is news."""
    desk = Desk(rules(route={"group_by": []}))
    desk.give(note(1))
    desk.wait(30 * SECOND)
    desk.give(note(2, incident="i1", status="resolved", at_ms=desk.now_ms))
    desk.wait(SECOND)
    desk.give(note(3, incident="i1", at_ms=desk.now_ms))
    assert desk.wait(20 * MINUTE, 10 * SECOND) == []
    desk.give(note(5, incident="i1", status="resolved", at_ms=desk.now_ms))
    (over,) = desk.wait(6 * MINUTE, 10 * SECOND)
    assert over.reason == "all_resolved"
    desk.wait(SECOND)
    desk.give(note(4, incident="i1", at_ms=desk.now_ms))
    (news,) = desk.wait(6 * MINUTE, 10 * SECOND)
    assert news.reason in {"first", "new_alerts"}


def test_what_was_told_of_an_empty_group_is_nothing() -> None:
    """A log that says that nothing fires, and nothing fires: no message, also not as a repeat."""
    quiet = needed(
        Entry(0, [], ["a"]),
        set(),
        {"a"},
        send_resolved=True,
        repeat_interval_ms=1,
        now_ms=HOUR,
    )
    assert quiet is None
