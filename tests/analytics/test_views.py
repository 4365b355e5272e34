"""The views over one story: errors, a pattern, two attempts, a cure, and what was said of it."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from faultstream.analytics.client import Address
from faultstream.analytics.migrate import VIEWS
from faultstream.analytics.queries import DEMO, EXAMPLES
from faultstream.analytics.recorder import Recorder
from faultstream.core.notify.decision import NotificationDecision
from faultstream.core.notify.state import Kind
from faultstream.core.policy import TopicRole
from faultstream.core.records import (
    Affected,
    Attempt,
    Edge,
    Incident,
    Notification,
    Pattern,
    RecoveryCommand,
    RecoveryResult,
    Target,
)
from faultstream.ops import clock
from tests.analytics.kit import TOPIC, Raw, error, one, record, rows

Open = Callable[..., Recorder]
T = clock.now_ms() - 60_000


def pattern(revision: int, state: str, **more: object) -> Pattern:
    """A revision of the pattern of the story."""
    fields = {
        "pattern_id": "P", "revision": revision, "kind": "burst", "state": state,
        "environment": "production", "service": "orders", "error_type": "TimeoutError",
        "first_at_ms": T, "last_at_ms": T + 1000, "detected_at_ms": T + 500, "count": 12,
        "affected": Affected(services=("orders",), layers=("service",)),
        "edges": [Edge("db", "orders", 20, 3)], "evidence": ["e1", "e2"], "reason": "5 in 60 s",
    }  # fmt: skip
    return Pattern(**(fields | more))  # type: ignore[arg-type]


def incident(
    revision: int, state: str, at: int, *attempts: Attempt, resolved: int | None = None
) -> Incident:
    """A revision of the incident of the story."""
    return Incident(
        incident_id="I", revision=revision, state=state, severity="high",  # type: ignore[arg-type]
        environment="production", root="orders", pattern_ids=["P"], attempts=list(attempts),
        first_error_at_ms=T, opened_at_ms=T + 600, updated_at_ms=T + at, resolved_at_ms=resolved,
    )  # fmt: skip


def command(number: int, strategy: str, at: int) -> RecoveryCommand:
    """A command of the story."""
    return RecoveryCommand(
        command_id=f"C{number}", incident_id="I", attempt=number, strategy=strategy,
        parameters={"b": 1, "a": "x"}, target=Target(environment="production", service="orders"),
        issued_at_ms=T + at, expires_at_ms=T + at + 60_000,
    )  # fmt: skip


def result(number: int, strategy: str, at: int) -> RecoveryResult:
    """An executor's answer."""
    return RecoveryResult(
        result_id=f"R{number}", command_id=f"C{number}", incident_id="I", service="orders",
        environment="production", strategy=strategy, executor="app", instance="orders-1",
        status="success", started_at_ms=T + at, finished_at_ms=T + at + 100, duration_ms=100,
    )  # fmt: skip


def alive(number: int, at: int) -> RecoveryResult:
    """A sign of life, and no answer."""
    return RecoveryResult(
        result_id=f"A{number}", command_id=f"C{number}", incident_id="I", executor="app",
        environment="production", service="orders", status="in_progress", step="draining",
        started_at_ms=T + at, finished_at_ms=T + at, duration_ms=9_999, strategy="retry",
    )  # fmt: skip


def decided(decision_id: str, kind: Kind) -> NotificationDecision:
    """What became of the notification of the story."""
    return NotificationDecision(
        decision_id=decision_id, kind=kind, environment="production", reason="first",
        decided_at_ms=T + 16_200, notification_ids=["N"], channel="log", group="0 service=orders",
    )  # fmt: skip


@pytest.fixture
def story(place: Address, recorder_at: Open) -> Address:
    """All of it recorded, some of it twice, as after a crash."""
    recorder = recorder_at(place)
    first, second = (
        Attempt(command_id="C1", strategy="retry"),
        Attempt(command_id="C2", strategy="circuit_break"),
    )
    failed = Attempt(command_id="C1", strategy="retry", outcome="recurring", reason="still 4/s")
    refused = Attempt(command_id="C3", strategy="fallback", outcome="refused")
    cured = Attempt(command_id="C2", strategy="circuit_break", outcome="cured", reason="0/s")
    recorder.add("errors", TOPIC, 0, [
        error(0, event_id="e1", time=T, service="orders", count=10),
        error(1, event_id="e2", time=T + 400, service="orders", count=2),
    ])  # fmt: skip
    told: dict[TopicRole, list[Any]] = {
        "patterns": [pattern(1, "open"), pattern(2, "updated"), pattern(1, "open"),
                     pattern(3, "closed", closed_at_ms=T + 20_000)],
        "incidents": [
            incident(1, "open", 600), incident(2, "recovering", 650, first),
            incident(2, "recovering", 650, first), incident(3, "recovering", 8_000, failed, second),
            incident(5, "escalated", 8_900, failed, second),  # undone by a crash,
            incident(6, "open", 8_950, failed, second),  # this one too
            incident(4, "verifying", 9_000, failed, second),
            incident(5, "resolved", 16_000, failed, cured, refused, resolved=T + 16_000),
        ],
        "commands": [command(1, "retry", 650), command(1, "retry", 650),
                     command(2, "circuit_break", 8_000)],
        "results": [result(1, "retry", 700), alive(1, 690), result(2, "circuit_break", 8_100),
                    result(2, "circuit_break", 8_100)],
        "notifications": [Notification(
            notification_id="N", group="orders", level="error", title="recovered",
            environment="production", incident_id="I", created_at_ms=T + 16_100)],
        "notification_decisions": [decided("D1", "grouped"), decided("D2", "suppressed"),
                                   decided("D2", "sent")],
    }  # fmt: skip
    for role, records in told.items():
        raw: list[Raw] = [record(at, each) for at, each in enumerate(records)]
        assert recorder.add(role, role, 0, raw) == len(raw)
    recorder.flush()
    return place


def test_one_causal_chain(story: Address) -> None:
    """The timeline of an incident holds every link once, in order, with seconds from the start."""
    found = rows(
        story,
        "SELECT what, summary, after_s FROM incident_timeline WHERE incident_id = 'I'"
        " ORDER BY at, step",
    )
    assert [(what, after) for what, _, after in found] == [
        ("error", 0.0), ("error", 0.4), ("pattern", 0.5), ("incident", 0.6), ("incident", 0.65),
        ("command", 0.65), ("progress", 0.69), ("result", 0.8), ("command", 8.0),
        ("verification", 8.0), ("result", 8.2), ("incident", 9.0), ("incident", 16.0),
        ("verification", 16.0), ("verification", 16.0), ("notification", 16.1), ("notified", 16.2),
    ]  # fmt: skip
    said = [summary for _, summary, _ in found]
    assert said[0].endswith("(x10)")
    assert said[2] == "burst TimeoutError, 12 errors: 5 in 60 s"
    assert said[5] == 'retry {"a":"x","b":1}'
    assert said[9] == "retry recurring: still 4/s"
    assert {"circuit_break cured: 0/s", "fallback refused"} == {*said[13:15]}
    assert said[16] == "sent on log: first"


def test_success_is_what_the_stream_saw(story: Address) -> None:
    """One cure of one try is 100 %, of which Wilson's interval proves a fifth. What nobody
    attempted is no try, and a sign of life no answer."""
    found = rows(
        story,
        "SELECT strategy, tries, cured, recurring, refused, cured_ratio, surely_ratio,"
        " carried_out_p50_s FROM recovery_success ORDER BY strategy",
    )
    assert found == [
        ("circuit_break", 1, 1, 0, 0, 1.0, 0.2065, 0.1),
        ("fallback", 0, 0, 0, 1, None, None, None),
        ("retry", 1, 0, 1, 0, 0.0, 0.0, 0.1),
    ]


def test_times_to_detect_and_recover(story: Address) -> None:
    """From the first error to the incident, and to its end."""
    found = rows(story, "SELECT service, incidents, resolved, mttd_s, mttr_s FROM mttd_mttr")
    assert found == [("orders", 1, 1, 0.6, 16.0)]


def test_the_plain_names_show_each_thing_once(story: Address) -> None:
    """Whatever was sent twice, and whichever revision came last in the log."""
    assert rows(story, "SELECT revision, state FROM patterns") == [(3, "closed")]
    assert rows(story, "SELECT revision, state FROM incidents") == [(5, "resolved")]
    for view, count in (("commands", 2), ("results", 3), ("notifications", 1)):
        assert one(story, f"SELECT count() FROM {view}") == count, view
    decisions = "SELECT decision_id, kind, notification_ids FROM notification_decisions"
    assert rows(story, decisions) == [("D1", "grouped", ["N"]), ("D2", "sent", ["N"])]
    edges = rows(story, "SELECT edges.source, edges.count, affected_services FROM patterns")
    assert edges == [(["db"], [3], ["orders"])]


def test_summaries(story: Address) -> None:
    """The last hours by service, the most frequent problems, and found patterns."""
    summed = "SELECT sum(errors), sum(records) FROM error_summary WHERE service = 'orders'"
    assert rows(story, summed) == [(12, 2)]
    assert one(story, "SELECT sum(errors) FROM error_summary_over(hours = 1)") == 12
    assert one(story, "SELECT sum(errors) FROM top_errors_over(hours = 1)") == 12
    assert one(story, "SELECT sum(share_ratio) FROM top_errors") == pytest.approx(1, abs=0.001)
    history = "SELECT kind, state, detect_s, length_s, incident_id FROM pattern_history"
    assert rows(story, history) == [("burst", "closed", 0.5, 20.0, "I")]


def test_availability_counts_what_overlaps_once(place: Address, recorder_at: Open) -> None:
    """Down from the first error of a critical incident to its end, or till now."""
    recorder = recorder_at(place)
    now = clock.now_ms()
    spans = [(600, 500), (590, 580), (550, 400), (300, 200), (40_000, 3_590), (60, None)]
    made = [
        msgspec.structs.replace(
            incident(1, "recovering" if end is None else "resolved", 0),
            incident_id=f"I{n}",
            severity="critical",
            first_error_at_ms=now - begin * 1000,
            opened_at_ms=now - begin * 1000,
            updated_at_ms=now - (end or 0) * 1000,
            resolved_at_ms=None if end is None else now - end * 1000,
        )
        for n, (begin, end) in enumerate(spans)
    ]
    other = {"incident_id": "F", "false_alarm": True}
    made += [msgspec.structs.replace(made[0], **other)]
    made += [msgspec.structs.replace(made[0], incident_id="X", experiment_id="x", root="cart")]
    made += [msgspec.structs.replace(made[0], incident_id="M", severity="medium", root="cart")]
    recorder.add("incidents", "incidents", 0, [record(n, one) for n, one in enumerate(made)])
    recorder.flush()
    ((service, outages, down_s, ratio),) = rows(
        place, "SELECT service, outages, down_s, available_ratio FROM availability_over(hours = 1)"
    )
    assert (service, outages) == ("orders", 6)
    assert down_s == pytest.approx(200 + 100 + 10 + 60, abs=15)
    assert ratio == pytest.approx(1 - down_s / 3600, abs=1e-5)


def test_false_alarms_by_what_opened_them(place: Address, recorder_at: Open) -> None:
    """As far as people said so; what is open is not judged, experiments and their cures and times
    are in no sum."""
    recorder = recorder_at(place)
    tried = Attempt(command_id="C1", strategy="retry", outcome="cured")
    over = msgspec.structs.replace(incident(1, "resolved", 0, resolved=T + 900), pattern_ids=["P"])
    changes: list[dict[str, Any]] = [
        {"false_alarm": True, "state": "closed"}, {}, {"attempts": [tried]},
        {"state": "recovering"}, {"pattern_ids": ["N"], "false_alarm": True},
        {"experiment_id": "x", "false_alarm": True, "attempts": [tried]},
    ]  # fmt: skip
    made = [
        msgspec.structs.replace(over, incident_id=f"I{n}", **change)
        for n, change in enumerate(changes)
    ]
    recorder.add("incidents", "incidents", 0, [record(n, one) for n, one in enumerate(made)])
    kinds = [pattern(1, "open"), pattern(1, "open", pattern_id="N", kind="novel")]
    recorder.add("patterns", "patterns", 0, [record(n, one) for n, one in enumerate(kinds)])
    recorder.flush()
    told = "SELECT kind, incidents, false_alarms, false_ratio FROM false_positives ORDER BY kind"
    assert rows(place, told) == [("burst", 3, 1, 0.3333), ("novel", 1, 1, 1.0)]
    assert rows(place, "SELECT tries, cured FROM recovery_success") == [(1, 1)]
    assert rows(place, "SELECT sum(incidents) FROM mttd_mttr") == [(5,)]


def test_what_came_back_and_how_errors_spread(place: Address, recorder_at: Open) -> None:
    """A regression with its release; an edge between services with how often and how fast."""
    recorder = recorder_at(place)
    recorder.add("errors", TOPIC, 0, [
        error(0, event_id="e1", time=T, service="orders", release="2.0"),
    ])  # fmt: skip
    back = msgspec.structs.replace(
        pattern(1, "open"), pattern_id="R", kind="regression", evidence=["e1"], edges=[]
    )
    spread = [
        msgspec.structs.replace(
            pattern(1, "open"), pattern_id=f"C{n}", kind="cascade",
            edges=[Edge(source="db", target="orders", lag_ms=lag, count=2)],
        )
        for n, lag in enumerate((100, 300, 500))
    ]  # fmt: skip
    told = [record(n, one) for n, one in enumerate([back, *spread])]
    recorder.add("patterns", "patterns", 0, told)
    recorder.flush()
    assert rows(place, "SELECT service, release FROM regressions") == [("orders", "2.0")]
    edges = "SELECT source, target, cascades, errors, lag_p50_s FROM cascade_edges"
    assert rows(place, edges) == [("db", "orders", 3, 6, 0.3)]


def test_every_view_and_ready_question_answers(story: Address, recorder_at: Open) -> None:
    """With data and on an empty database; parameterised views with their parameter."""
    empty = recorder_at(story, "another")
    assert empty.positions() == {}
    for view in VIEWS:
        rows(story, f"SELECT * FROM {view}" + ("(hours = 3)" if view.endswith("_over") else ""))
    for query in EXAMPLES:
        answer = rows(story, query.sql)
        assert answer or query.name in {"refused", "availability"}, query.name
    assert {query.name for query in DEMO} <= {query.name for query in EXAMPLES}
