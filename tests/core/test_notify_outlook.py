"""Who would be told of an alert: what the outlook says is what notification does."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from faultstream.core.notify.outlook import outlook
from faultstream.core.notify.turn import Rules
from faultstream.core.policy import Topology
from faultstream.core.records import Level
from tests.core.notifying import MINUTE, Desk, note, rules

ROUTE: dict[str, Any] = {
    "group_by": ["service"],
    "group_wait_ms": 0,
    "inhibit_in_flight": False,
    "routes": [
        {"matchers": ["service=a"], "receiver": "audit", "continue": True},
        {"matchers": ["level=critical"], "receiver": "pager"},
        {"matchers": ["level=warning"], "mute_time_intervals": ["always"]},
    ],
}


def _topology() -> Topology:
    return rules(
        "mail", "sms", "log", "chat",
        route=ROUTE,
        receivers={
            "default": {"channels": ["mail"], "fallback": ["chat"]},
            "pager": {"channels": ["sms", "mail"]},
            "audit": {"channels": ["log"]},
        },
        time_intervals={"always": [{}]},
        escalations={"critical": {
            "matchers": ["level=critical"],
            "steps": [{"channels": ["chat"]}, {"after_ms": MINUTE, "on_call": ["shop"]}],
        }},
        people={"ann": ["sms"]},
        schedules={"shop": {"rotations": [{"people": ["ann"], "start": "2020-01-01T00:00"}]}},
        inhibit_rules=[
            {"source_matchers": ["level=critical"], "target_matchers": ["level=error"]},
        ],
    )  # fmt: skip


def test_the_outlook_names_routes_channels_and_steps() -> None:
    """With what is muted by the clock, who is on call, and which rules may inhibit it."""
    made = Rules(_topology())
    found = outlook(made, {"level": "critical", "service": "a"}, 1_790_000_000_000)
    assert [(one.route.receiver, one.channels) for one in found.taken] == [
        ("audit", ("log",)), ("pager", ("sms", "mail")),
    ]  # fmt: skip
    (ladder,) = found.ladders
    assert [(one.after_ms, one.channels) for one in ladder.rungs] == [
        (0, {"chat": ""}), (MINUTE, {"sms": "ann is on call (shop)"}),
    ]  # fmt: skip
    assert found.inhibited_by == ()
    muted = outlook(made, {"level": "warning"}, 0).taken[0]
    assert (muted.closed, muted.fallback) == ("muted at this time (always)", ("chat",))
    assert len(outlook(made, {"level": "error"}, 0).inhibited_by) == 1


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["info", "warning", "error", "critical"]), st.sampled_from(["a", "b"])
)  # fmt: skip
def test_the_outlook_is_what_happens(level: Level, service: str) -> None:
    """A lone alert goes to just those channels that the outlook names."""
    topology = _topology()
    desk = Desk(topology)
    sent = desk.give(note(1, level=level, service=service)) + desk.wait(2 * MINUTE)
    found = outlook(Rules(topology), {"level": level, "service": service}, desk.now_ms)
    foreseen = {name for one in found.taken if not one.closed for name in one.channels}
    foreseen |= {name for one in found.ladders for rung in one.rungs for name in rung.channels}
    assert {one.channel for one in sent} == foreseen
