"""Sampling: fewer events, exact counts, by rules from the control topic."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from faultstream import wire
from faultstream.client import Reporter
from faultstream.client.outbox import Entry, Outbox
from faultstream.client.parcel import fingerprint
from faultstream.client.sampler import MAX_KINDS, MAX_RULES, Sampler
from faultstream.config.topology import load
from faultstream.core.event import MAX_COUNT, ErrorEvent
from faultstream.core.grouping import Grouper
from faultstream.core.records import Control
from faultstream.core.sampling import Sample, sampling
from faultstream.formats import native
from tests.client import topics
from tests.client.clock import Clock
from tests.until import until


class Desk:
    """A sampler with an outbox, both on one moved clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.box = Outbox(100_000, 10**9, 0, clock=self.clock)
        self.sampler = Sampler(
            "production",
            self.box,
            fingerprint=lambda entry: f"print of {entry.event.error_type}",
            clock=self.clock,
            wall_ms=self.wall_ms,
        )
        self.sent: list[ErrorEvent] = []
        self.number = 0

    def wall_ms(self) -> int:
        """The wall clock, which moves with the other."""
        return round(self.clock.now * 1_000)

    def rule(self, for_ms: int | None = 60_000, environment: str = "", **given: Any) -> None:
        """Set a rule, or take it back."""
        until_ms = None if for_ms is None else self.wall_ms() + for_ms
        self.number += 1
        control = sampling(
            Sample(**{"ratio": 0.0, **given}),
            environment=environment,
            by="",
            reason="",
            now_ms=self.wall_ms(),
            until_ms=until_ms,
        )
        self.sampler.tell(wire.decode(Control, wire.encode(control)))

    def report(self, count: int = 1, **given: Any) -> None:
        """An error comes in, and what may go goes."""
        self.number += 1
        values = {"service": "orders", "error_type": "KeyError", "count": count, **given}
        event = ErrorEvent(event_id=str(self.number), **values)
        self.box.add(self.number, Entry(event))
        self.go()

    def go(self, *, everything: bool = False) -> None:
        """One turn of the courier."""
        self.box.put_back(self.sampler.due(everything=everything), retried=False)
        chosen = self.sampler.sift(self.box.take(500))
        self.sent += [entry.event for entry in chosen]
        self.box.settle(chosen)

    @property
    def counts(self) -> list[int]:
        """Counts of what was sent."""
        return [event.count for event in self.sent]


def test_without_rules_everything_goes() -> None:
    """At once, one by one."""
    desk = Desk()
    for _ in range(5):
        desk.report()
    assert desk.counts == [1] * 5


def test_the_first_go_and_then_a_share_with_the_counts_of_all() -> None:
    """first=2, ratio 1/4: two at once, then every fourth, which counts for four."""
    desk = Desk()
    desk.rule(ratio=0.25, first=2)
    for _ in range(12):
        desk.report()
    assert desk.counts == [1, 1, 4, 4]
    desk.go(everything=True)
    assert desk.counts == [1, 1, 4, 4, 2]


def test_what_waits_goes_after_its_time() -> None:
    """Not before, and with a share of nothing only so."""
    desk = Desk()
    desk.rule(ratio=0.0, first=0, hold_ms=1_000)
    desk.report(3)
    desk.report(4)
    assert desk.sampler.next_s() == 1.0
    desk.clock.now += 0.999
    desk.go()
    assert desk.counts == []
    assert desk.box.waiting == 7
    desk.clock.now += 0.001
    desk.go()
    assert desk.counts == [7]
    assert desk.sampler.next_s() is None


def test_when_a_rule_ends_everything_goes_again() -> None:
    """By its time, or because it was taken back; an older wish changes nothing."""
    desk = Desk()
    desk.rule(first=0, for_ms=500)
    desk.report()
    assert desk.counts == []
    desk.clock.now += 0.5
    desk.report()
    assert desk.counts == [1, 1]
    desk.rule(first=0)
    desk.report()
    assert desk.counts == [1, 1]
    desk.clock.now += 0.001
    desk.rule(for_ms=None)
    desk.report()
    assert desk.counts == [1, 1, 1, 1]
    desk.clock.now -= 0.001
    desk.rule(first=0)
    desk.report()
    assert desk.counts == [1] * 4, "set at the same time or later it would be in force"


def test_rules_are_for_their_errors_only() -> None:
    """Environment, service, type, fingerprint; the most particular rule wins; urgent ones pass."""
    desk = Desk()
    desk.rule(environment="staging", first=0)
    desk.report()
    assert desk.counts == [1]
    desk.rule(environment="production", error_type="Time*", first=0)
    desk.rule(fingerprint="print of TimeoutError", ratio=1.0)
    desk.rule(service="payments", first=0)
    desk.report(error_type="TimeIsUp")
    desk.report(service="payments")
    desk.report(error_type="TimeIsUp", severity="critical")
    desk.report(error_type="TimeoutError")
    desk.report()
    assert [(event.service, event.error_type) for event in desk.sent[1:]] == [
        ("orders", "TimeIsUp"),
        ("orders", "TimeoutError"),
        ("orders", "KeyError"),
    ]


def test_a_rule_that_changes_loses_no_count() -> None:
    """What the old one held is counted under the new one, or goes."""
    desk = Desk()
    desk.rule(first=0)
    desk.report(5)
    desk.clock.now += 0.001
    desk.rule(first=0, ratio=0.5)
    desk.report(2)
    desk.go(everything=True)
    assert sum(desk.counts) == 7


def test_counts_stay_within_their_bound() -> None:
    """Two large ones are not added beyond what an event may stand for."""
    desk = Desk()
    desk.rule(first=0, ratio=0.0)
    desk.report(MAX_COUNT - 1)
    desk.report(2)
    desk.go(everything=True)
    assert sorted(desk.counts) == [2, MAX_COUNT - 1]


def test_memory_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """More rules are left out, more kinds are not sampled."""
    desk = Desk()
    for number in range(MAX_RULES + 1):
        desk.rule(service=f"s{number}", first=0)
    assert len(desk.sampler.rules) == MAX_RULES
    assert "left out" in caplog.text
    desk = Desk()
    desk.rule(first=0)
    for number in range(MAX_KINDS + 1):
        desk.report(error_type=f"E{number}")
    assert desk.counts == [1]


def test_wrong_rules_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """With the reason; other kinds of controls are not looked at."""
    desk = Desk()
    control = Control(
        control_id="c",
        kind="sample",
        subject="x",
        set_at_ms=1,
        until_at_ms=10**15,
        parameters={"ratio": 2},
    )
    desk.sampler.tell(control)
    desk.sampler.tell(structs.replace(control, kind="pause"))
    assert desk.sampler.rules == []
    assert caplog.text.count("ratio") == 1


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("report"), st.integers(1, 50), st.sampled_from("ABC")),
            st.tuples(st.just("rule"), st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.integers(0, 3)),
            st.tuples(st.just("end"), st.just(0), st.just(0)),
            st.tuples(st.just("wait"), st.integers(1, 5_000), st.just(0)),
        ),
        max_size=60,
    )
)
def test_counts_are_exact_whatever_happens(steps: list[tuple[str, float, Any]]) -> None:
    """Sent and waiting are all that was reported, at every moment, and nothing waits at the end."""
    desk = Desk()
    total = 0
    for step, number, more in steps:
        desk.clock.now += 0.001
        if step == "report":
            total += int(number)
            desk.report(int(number), error_type=more)
        elif step == "rule":
            desk.rule(ratio=number, first=more, for_ms=10_000)
        elif step == "end":
            desk.rule(for_ms=None)
        else:
            desk.clock.now += number / 1_000
            desk.go()
        assert sum(desk.counts) + desk.box.waiting == total
        assert desk.box.sent + desk.box.waiting == desk.box.reported == total
    desk.go(everything=True)
    assert sum(desk.counts) == total


def test_the_client_knows_the_fingerprint_of_the_pipeline() -> None:
    """Of what stays after scrubbing, as detect computes it."""
    made = ErrorEvent(
        service="orders", error_type="KeyError", message="no key 17 for a@b.de password=hunter2"
    )
    ours = fingerprint(Entry(made), emails=True)
    admitted = native.admit(wire.encode_event(made), timestamp_ms=0)
    assert Grouper(load()).group(admitted).fingerprint == ours


def test_rates_come_from_the_topic_and_counts_arrive(embedded_broker: str, prefix: str) -> None:
    """A rule that is set while errors flow takes hold within moments; every error is counted."""
    errors, control = f"{prefix}.errors", f"{prefix}.control"
    topics.create(embedded_broker, errors, control, partitions=1)
    with Reporter(
        "orders", brokers=embedded_broker, topic=errors, control_topic=control, fold_ms=0
    ) as reporter:
        reporter.report("Begin")
        assert reporter.flush(20)
        now = reporter_now()
        record = sampling(
            Sample(service="orders", error_type="Flood", ratio=0.01, first=1),
            environment="production",
            by="",
            reason="",
            now_ms=now,
            until_ms=now + 60_000,
        )
        topics.publish(embedded_broker, control, (wire.encode(record), []))
        until(reporter.sampling, "the rule is in force")
        for number in range(500):
            reporter.report("Flood", f"number {number}")
        until(lambda: reporter.stats().waiting <= 99, "what was not sampled was counted")
        assert reporter.flush(20)
        stats = reporter.stats()
    assert (stats.reported, stats.sent, stats.waiting) == (501, 501, 0)
    found = topics.events(embedded_broker, errors, 501)
    counts = [event.get("count", 1) for event in found if event["error_type"] == "Flood"]
    assert counts[0] == 1
    assert len(counts) <= 8
    assert sum(counts) == 500


def reporter_now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def test_drops_are_told_once_contact_is_back(embedded_broker: str, prefix: str) -> None:
    """One event with the reasons, itself no error of the application and in no count of it."""
    topics.create(embedded_broker, prefix, partitions=1)
    with Reporter(
        "orders", brokers=embedded_broker, topic=prefix, max_records=2, fold_ms=0
    ) as reporter:
        for number in range(5):
            reporter.report("Flood", f"number {number}")
        assert reporter.flush(20)
        stats = reporter.stats()
    dropped = stats.dropped["full"]
    assert stats.reported == stats.sent + dropped == 5
    records = topics.read(embedded_broker, prefix, lambda found: len(found) > stats.sent)
    events = [wire.loads(record.value or b"") for record in records]
    [told] = [event for event in events if event["error_type"] == "faultstream.ErrorsDropped"]
    assert told["tags"] == {"full": str(dropped)}
    assert told["message"] == f"errors that could not be reported: full {dropped}"
