"""Laws of notification: nothing is lost, saves and loads change nothing, replays tell nobody twice,
and channels that often fail still deliver."""

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from faultstream.core.notify.stage import Delivered, Input, Notify, Tick
from faultstream.core.notify.state import Decision, NotifyState
from faultstream.core.records import Level
from tests.core.notifying import (
    MINUTE,
    SECOND,
    T0,
    Desk,
    acknowledge,
    incident,
    note,
    rules,
    silence,
)

LEVELS: tuple[Level, ...] = ("info", "warning", "error", "critical")
TOPOLOGY = rules(
    "mail",
    "chat",
    route={
        "group_by": ["service"],
        "group_wait_ms": 5 * SECOND,
        "group_interval_ms": 20 * SECOND,
        "routes": [
            {"matchers": ["level=critical"], "continue": True, "group_by": ["..."]},
            {"matchers": ["level=info"], "receiver": "few"},
        ],
    },
    receivers={"few": {"channels": ["chat"], "fallback": ["mail"], "send_resolved": False}},
    inhibit_rules=[
        {
            "source_matchers": ["level=critical"],
            "target_matchers": ["level=~warning|info"],
            "equal": ["service"],
        }
    ],
    escalations={
        "grave": {
            "matchers": ["level=critical"],
            "steps": [{"channels": ["mail"]}, {"after_ms": MINUTE, "channels": ["chat"]}],
        }
    },
)
INCIDENTS = st.sampled_from(["a", "b", "c"])

_inputs = st.lists(
    st.one_of(
        st.tuples(
            st.just("note"),
            st.sampled_from(LEVELS),
            INCIDENTS,
            st.sampled_from(["firing", "firing", "resolved"]),
            st.sampled_from(["orders", "stock"]),
        ),
        st.tuples(
            st.just("incident"),
            INCIDENTS,
            st.sampled_from(["recovering", "verifying", "escalated", "resolved"]),
        ),
        st.tuples(st.just("silence"), st.booleans()),
        st.tuples(st.just("ack"), INCIDENTS, st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([1, 6, 25, 70, 400])),
        st.tuples(st.just("break"), st.sampled_from(["mail", "chat"])),
        st.tuples(st.just("mend"), st.sampled_from(["mail", "chat"])),
    ),
    max_size=30,
)


def _play(desk: Desk, moves: list[tuple[object, ...]], *, saves: bool) -> set[str]:
    """Drive the desk; the ids that were given."""
    ids: set[str] = set()
    for number, move in enumerate(moves):
        match move:
            case ("note", level, about, status, service):
                made = note(
                    number,
                    level=level,  # type: ignore[arg-type]
                    incident=str(about),
                    status=str(status),
                    at_ms=desk.now_ms,
                    service=str(service),
                )
                ids.add(made.notification_id)
                desk.give(made, made)
            case ("incident", about, state):
                desk.give(incident(str(about), state, desk.now_ms))  # type: ignore[arg-type]
            case ("silence", active):
                desk.give(silence("service=orders", active=bool(active)))
            case ("ack", about, active):
                desk.give(acknowledge(str(about), active=bool(active)))
            case ("wait", seconds):
                desk.wait(int(str(seconds)) * SECOND, 5 * SECOND)
            case ("break", channel):
                desk.broken.add(str(channel))
            case ("mend", channel):
                desk.broken.discard(str(channel))
        if saves:
            desk.state = desk.notify.load(desk.notify.save(desk.state))
    return ids


@settings(max_examples=60, deadline=None)
@given(_inputs)
def test_nothing_is_lost_and_saves_change_nothing(moves: list[tuple[object, ...]]) -> None:
    """Every notification has a decision beyond `grouped`, or waits in the state; the outputs and
    the state are the same with a save and a load after every input."""
    plain, saved = Desk(TOPOLOGY), Desk(TOPOLOGY)
    ids = _play(plain, moves, saves=False)
    _play(saved, moves, saves=True)
    assert plain.decisions == saved.decisions
    assert plain.notify.save(plain.state) == saved.notify.save(saved.state)
    ended = {
        one for decision in plain.decisions if decision.kind != "grouped"
        for one in decision.notification_ids
    }  # fmt: skip
    assert ids <= ended | _waiting(plain.state)
    plain.broken = set()
    plain.wait(20 * MINUTE, 5 * SECOND)
    ended = {
        one for decision in plain.decisions if decision.kind not in {"grouped", "failed"}
        for one in decision.notification_ids
    }  # fmt: skip
    assert ids <= ended
    assert not plain.state.due


def _waiting(state: NotifyState) -> set[str]:
    news = {
        one for group in state.groups.values() for member in group.members.values()
        for one in member.news
    }  # fmt: skip
    return news | {one for send in state.due.values() for one in send.sources}


@settings(max_examples=40, deadline=None)
@given(_inputs)
def test_a_message_is_taken_once(moves: list[tuple[object, ...]]) -> None:
    """No channel takes a message id twice, whatever failed before; and a replay of all
    notifications onto the state tells nobody anything."""
    desk = Desk(TOPOLOGY)
    _play(desk, moves, saves=False)
    taken = Counter((send.channel, send.message.notification_id) for send in desk.sent)
    assert all(count == 1 for count in taken.values())
    before = desk.notify.save(desk.state)
    for number, move in enumerate(moves):
        if move[0] == "note":
            assert desk.notify.step(desk.state, note(number), desk.now_ms) == []
    assert desk.notify.save(desk.state) == before


def test_the_state_stays_within_its_bounds() -> None:
    """A storm of alerts of their own cannot grow it without end, and what is dropped is said."""
    notify = Notify(rules(route={"group_by": ["service"]}))
    state = notify.new("production")
    for number in range(6_000):
        notify.step(state, note(number, service="a"), T0)
    assert len(state.alerts) == 5_000
    outputs = notify.step(state, Tick(), T0 + 30 * SECOND)
    dropped = [one for one in outputs if isinstance(one, Decision) and one.kind == "undelivered"]
    assert len(dropped) == 1_000


def test_channels_that_fail_30_percent_deliver_more_than_99() -> None:
    """Two thousand alerts, each to mail with chat behind it, each try failing 3 in 10 times: all
    are told within their group's interval, and the counts add up."""
    dice = random.Random(20_251_122)
    receivers = {"default": {"channels": ["mail"], "fallback": ["chat"]}}
    route = {"group_by": ["..."], "group_wait_ms": 0, "group_interval_ms": MINUTE}
    notify = Notify(rules("mail", "chat", route=route, receivers=receivers, rate_limits={}))
    state, now_ms, count = notify.new("production"), T0, 2_000
    ends: Counter[str] = Counter()
    told: set[str] = set()

    def step(given: Input) -> None:
        for one in notify.step(state, given, now_ms):
            if isinstance(one, Decision):
                ends[one.kind] += len(one.notification_ids)
                told.update(one.notification_ids if one.kind == "sent" else ())

    def deliver() -> None:
        while due := notify.due(state, now_ms):
            for send in due:
                reason = "no route" if dice.random() < 0.3 else ""
                step(
                    Delivered(
                        message_id=send.message.notification_id,
                        channel=send.channel,
                        reason=reason,
                    )
                )

    for number in range(count):
        step(note(number))
    step(Tick())
    deliver()
    at_once = len(told)
    for _ in range(5):
        now_ms += MINUTE
        step(Tick())
        deliver()
    assert at_once / count > 0.88  # 1 - 0.3 x 0.3 is 0.91
    assert len(told) == count == ends["sent"]
    assert not notify.due(state, now_ms)
