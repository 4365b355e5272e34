"""notify without a broker: every record has one outcome, nobody is told twice, nothing is lost."""

from collections.abc import Mapping, Sequence

import pytest

from faultstream import wire
from faultstream.core.notify.decision import MOST_IDS, NotificationDecision, records
from faultstream.core.notify.state import Decision
from faultstream.core.policy import Topology
from faultstream.core.records import Notification
from faultstream.stream.notify import AT_ONCE, NotifyStage
from faultstream.stream.stage import Output, Source
from tests.core.notifying import T0, acknowledge, incident, note, rules, silence
from tests.stream.records import Raw

NOTES = Source("notifications", "faultstream.notifications.v1", 0)
INCIDENTS = Source("incidents", "faultstream.incidents.v1", 0)


class Worker:
    """A stage with a channel that keeps what it is told; those in `broken` give up."""

    def __init__(self, topology: Topology, rows: Mapping[bytes, bytes] | None = None) -> None:
        self.now_ms = T0
        self.told: list[tuple[str, str, str]] = []
        self.broken: dict[str, str | Exception] = {}
        self.decided: list[NotificationDecision] = []
        self.table: dict[bytes, bytes] = dict(rows or {})
        self.stage = NotifyStage(topology, self.deliver, now=lambda: self.now_ms)
        self.stage.restore(0, rows or {}, {NOTES.topic: 99, INCIDENTS.topic: 99})

    async def deliver(self, channel: str, message: Notification) -> str:
        wrong = self.broken.get(channel, "")
        if isinstance(wrong, Exception):
            raise wrong
        if not wrong:
            self.told.append((channel, message.title, message.notification_id))
        return wrong

    async def tick(self, length_ms: int = 30_000) -> None:
        self.now_ms += length_ms
        self.hear(self.stage.tick(self.now_ms).outputs)
        while True:
            assert await self.stage.settle(_ours)
            self.checkpoint()
            if not self.stage.eager():
                return

    def checkpoint(self) -> None:
        """The state is durable, and what it said is published."""
        self.write()
        self.stage.saved()
        self.hear(self.stage.settled())

    def write(self) -> None:
        for changes in self.stage.snapshot().values():
            self.table |= {key: value for key, value in changes if value is not None}

    def hear(self, outputs: Sequence[Output]) -> None:
        assert {output.role for output in outputs} <= {"notification_decisions"}
        assert {output.key for output in outputs} <= {b"production"}
        self.decided += [wire.decode(NotificationDecision, output.value) for output in outputs]

    def rows(self) -> dict[bytes, bytes]:
        self.write()
        return self.table


async def _ours() -> bool:
    return True


async def _foreign() -> bool:
    return False


def raw(offset: int, what: Notification) -> Raw:
    return Raw(offset, wire.encode(what))


async def test_tells_once() -> None:
    """Once, also when it was published twice or the worker restarts."""
    worker = Worker(rules())
    effects = worker.stage.take(NOTES, [raw(0, note(1)), raw(1, note(1))], T0)
    assert +effects.outcomes == {"tallied": 1, "duplicate": 1}
    await worker.tick()
    assert [title for _, title, _ in worker.told] == ["title of i1"]
    fresh = Worker(rules(), worker.rows())
    fresh.now_ms = worker.now_ms
    again = fresh.stage.take(NOTES, [raw(0, note(1)), raw(2, note(1))], worker.now_ms)
    assert +again.outcomes == {"duplicate": 2}
    await fresh.tick(600_000)
    assert not fresh.told


async def test_a_crash_before_the_checkpoint_repeats_the_same_message() -> None:
    """At least once: what was told without being saved is told again with the same id."""
    first, second = Worker(rules()), Worker(rules())
    for worker in (first, second):
        worker.stage.take(NOTES, [raw(0, note(1))], T0)
        await worker.tick()
    assert first.told == second.told
    assert len(first.told) == 1


async def test_what_was_due_is_delivered_after_a_restart() -> None:
    """A message that was not handed over before the end is so at once after it."""
    worker = Worker(rules())
    worker.stage.take(NOTES, [raw(0, note(1))], T0)
    worker.stage.tick(T0 + 30_000)
    assert worker.stage.eager()
    assert not await worker.stage.settle(_foreign)
    fresh = Worker(rules(), worker.rows())
    assert fresh.stage.eager()
    fresh.now_ms = T0 + 30_000
    assert await fresh.stage.settle(_ours)
    assert len(fresh.told) == 1
    assert not fresh.stage.eager()


async def test_a_broken_channel_hinders_no_other() -> None:
    """Whatever it raises; and it is told at the next look."""
    worker = Worker(rules("mail", "chat"))
    worker.broken = {"mail": OSError("no route")}
    worker.stage.take(NOTES, [raw(0, note(1))], T0)
    await worker.tick()
    assert [channel for channel, _, _ in worker.told] == ["chat"]
    worker.broken = {}
    await worker.tick(300_000)
    assert [channel for channel, _, _ in worker.told] == ["chat", "mail"]


async def test_every_decision_is_a_record_with_its_reason() -> None:
    """What waits, what is muted and by what, what a channel refused, what was told and where."""
    worker = Worker(rules("mail", "chat"))
    worker.broken = {"mail": "550 no such user"}
    worker.stage.control(silence("service=till"))
    taken = [raw(0, note(1)), raw(1, note(2, service="till"))]
    worker.hear(worker.stage.take(NOTES, taken, T0).outputs)
    await worker.tick()
    worker.broken = {}
    await worker.tick(300_000)
    told = [(one.kind, one.channel, one.notification_ids) for one in worker.decided]
    assert sorted(told) == [
        ("failed", "mail", ["n1"]), ("grouped", "", ["n1"]), ("grouped", "", ["n2"]),
        ("sent", "chat", ["n1"]), ("sent", "mail", ["n1"]), ("suppressed", "", ["n2"]),
    ]  # fmt: skip
    reasons = {one.kind: one.reason for one in worker.decided}
    assert reasons["failed"] == "550 no such user"
    assert reasons["suppressed"].startswith("silenced by ")
    assert all(one.reason for one in worker.decided)
    assert len({one.decision_id for one in worker.decided}) == len(worker.decided)
    (sent, _) = [one for one in worker.decided if one.kind == "sent"]
    assert (sent.title, sent.level) == ("title of i1", "error")


async def test_what_a_crash_undoes_was_never_told() -> None:
    """Nothing is published of a state that was not written, so nothing has to be replaced."""
    lost = Worker(rules())
    lost.hear(lost.stage.take(NOTES, [raw(0, note(1)), raw(1, note(2))], T0).outputs)
    lost.hear(lost.stage.tick(T0 + 30_000).outputs)
    assert await lost.stage.settle(_ours)
    lost.hear(lost.stage.settled())
    assert lost.told
    assert not lost.decided


async def test_decisions_of_a_written_state_are_told_after_a_crash() -> None:
    """It ended between the write and the publication: whoever reads the state publishes them, and
    the next ones have ids of their own."""
    worker = Worker(rules())
    worker.stage.take(NOTES, [raw(0, note(1))], T0)
    fresh, again = Worker(rules(), worker.rows()), Worker(rules(), worker.rows())
    for one in (fresh, again):
        one.hear(one.stage.settled())
    assert [one.kind for one in fresh.decided] == ["grouped"]
    assert fresh.decided == again.decided
    fresh.stage.take(NOTES, [raw(1, note(2))], T0)
    await fresh.tick()
    third = Worker(rules(), fresh.rows())
    third.hear(third.stage.settled())
    assert third.decided == fresh.decided[1:]  # those of the latest write, with the same ids
    assert len({one.decision_id for one in fresh.decided}) == len(fresh.decided) > 1


async def test_a_write_that_failed_tells_nothing_until_it_is_done() -> None:
    """What was decided meanwhile waits for its own write."""
    worker = Worker(rules())
    worker.stage.take(NOTES, [raw(0, note(1))], T0)
    worker.write()  # not done yet
    worker.hear(worker.stage.settled())
    assert not worker.decided
    worker.stage.take(NOTES, [raw(1, note(2))], T0)
    worker.stage.saved()
    worker.hear(worker.stage.settled())
    assert [one.notification_ids for one in worker.decided] == [["n1"]]
    worker.checkpoint()
    assert [one.notification_ids for one in worker.decided] == [["n1"], ["n2"]]


async def test_a_crash_repeats_no_more_than_goes_out_at_once() -> None:
    """Between two checkpoints the oldest AT_ONCE are delivered; the others follow after it."""
    route = {"receiver": "default", "group_by": ["..."], "group_wait_ms": 0}
    worker = Worker(rules(route=route, rate_limits={}))
    many = [raw(number, note(number)) for number in range(AT_ONCE + 3)]
    worker.stage.take(NOTES, many, T0)
    worker.stage.tick(T0)
    assert await worker.stage.settle(_ours)
    assert len(worker.told) == AT_ONCE
    assert worker.stage.eager()
    worker.checkpoint()
    assert await worker.stage.settle(_ours)
    assert len(worker.told) == AT_ONCE + 3
    assert not worker.stage.eager()


def test_very_many_decisions_do_not_fill_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound they are published at once, in their order."""
    monkeypatch.setattr("faultstream.stream.decided.MAX_HELD", 10)
    worker = Worker(rules())
    many = [raw(number, note(number)) for number in range(23)]
    worker.hear(worker.stage.take(NOTES, many, T0).outputs)
    assert 10 <= len(worker.decided) < 23
    worker.checkpoint()
    told = [one for each in worker.decided for one in each.notification_ids]
    assert told == [f"n{number}" for number in range(23)]


def test_a_decision_about_very_many_fits_a_topic() -> None:
    """It becomes several records with ids of their own, and no notification is left out."""
    ids = tuple(f"n{number}" for number in range(2 * MOST_IDS + 1))
    decision = Decision(kind="sent", reason="r" * 9_999, notification_ids=ids, decision_id="d")
    made = records("production", decision)
    assert [len(one.notification_ids) for one in made] == [MOST_IDS, MOST_IDS, 1]
    assert [each for one in made for each in one.notification_ids] == list(ids)
    assert len({one.decision_id for one in made}) == 3
    assert max(len(wire.encode(one)) for one in made) < 100_000


async def test_controls_hold_for_environments_that_come_later() -> None:
    """A silence that stood on the topic mutes an environment that is seen for the first time."""
    worker = Worker(rules())
    worker.stage.control(silence("service=orders"))
    worker.stage.control(acknowledge("i9"))
    worker.stage.take(NOTES, [raw(0, note(1, service="orders"))], T0)
    await worker.tick()
    assert not worker.told


async def test_incidents_are_heard_and_bad_records_refused() -> None:
    """Recovery in flight keeps it quiet below error; what is no record is a dead letter."""
    worker = Worker(rules())
    flying = Raw(0, wire.encode(incident("i1", "recovering")))
    effects = worker.stage.take(INCIDENTS, [flying, Raw(1, b"[]")], T0)
    assert effects.outcomes["tallied"] == 1
    assert [refusal.stage for refusal in effects.refusals] == ["decode"]
    worker.stage.take(NOTES, [raw(0, note(1, level="warning")), raw(1, note(2))], T0)
    await worker.tick()
    assert [title for _, title, _ in worker.told] == ["title of i2"]
