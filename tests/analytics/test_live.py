"""The facts of the live page, read from real tables."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from faultstream.analytics import reliability
from faultstream.analytics.client import Address, Connection
from faultstream.analytics.live import facts
from faultstream.analytics.recorder import Recorder
from faultstream.analytics.summary import summary
from faultstream.config.topology import load
from faultstream.core.policy import TopicRole
from faultstream.core.records import (
    Attempt,
    Incident,
    Pattern,
    Record,
    RecoveryCommand,
    RecoveryResult,
    Target,
)
from faultstream.core.report.live import judge
from faultstream.ops.clock import now_ms
from tests.analytics.kit import Raw, record


def command(name: str, strategy: str, now: int, **more: Any) -> RecoveryCommand:
    fields: dict[str, Any] = {
        "command_id": name, "incident_id": "i1", "attempt": 1, "strategy": strategy,
        "target": Target(environment="production", service="orders"), "issued_at_ms": now - 5_000,
        "expires_at_ms": now + 600_000,
    }  # fmt: skip
    return RecoveryCommand(**(fields | more))


def result(name: str, number: int, now: int, status: str = "success") -> RecoveryResult:
    return RecoveryResult(
        result_id=f"{name}-{number}",
        command_id=name,
        incident_id="i1",
        environment="production",
        executor="e",
        instance=f"orders-{number}",
        status=status,  # type: ignore[arg-type]
        started_at_ms=now - 4_000,
        finished_at_ms=now - 3_000,
    )


def test_facts(place: Address, recorder_at: Callable[..., Recorder]) -> None:
    """Errors by minute with their weight, open patterns as their latest revision says, incidents
    with their course, and what carried-out commands hold: not what has run out, was taken back,
    failed, or was only tried. Experiments are in no sum; an incident of one says so."""
    now = now_ms()
    event = {"service": "orders", "error_type": "KeyError", "layer": "api", "time": now - 1_000}
    events = [Raw(n, json.dumps({**event, "count": n + 1}).encode()) for n in range(3)]
    events.append(Raw(3, json.dumps({**event, "count": 90, "experiment_id": "x"}).encode()))
    seen: dict[str, Any] = {
        "environment": "production", "service": "orders", "layer": "api", "error_type": "KeyError",
        "first_at_ms": now - 9_000, "last_at_ms": now - 1_000, "detected_at_ms": now - 8_000,
    }  # fmt: skip
    patterns = [
        Pattern(pattern_id="p1", revision=1, kind="burst", state="open", count=5, **seen),
        Pattern(pattern_id="p1", revision=2, kind="burst", state="updated", count=9, **seen),
        Pattern(pattern_id="p2", revision=1, kind="novel", state="open", **seen),
        Pattern(pattern_id="p2", revision=2, kind="novel", state="closed", **seen),
        Pattern(pattern_id="p3", revision=1, kind="burst", state="open", experiment_id="x", **seen),
    ]
    common: dict[str, Any] = {
        "incident_id": "i1", "severity": "high", "environment": "production", "root": "orders",
        "pattern_ids": ["p1"], "first_error_at_ms": now - 9_000, "opened_at_ms": now - 8_000,
    }  # fmt: skip
    tried = [
        Attempt(command_id="c0", strategy="retry", outcome="recurring"),
        Attempt(command_id="c1", strategy="circuit_break", outcome="done", reason="why"),
    ]
    incidents = [
        Incident(revision=1, state="open", updated_at_ms=now - 8_000, **common),
        Incident(revision=2, state="recovering", updated_at_ms=now - 5_000, reason="a", **common),
        Incident(
            revision=3, state="verifying", updated_at_ms=now - 3_000, attempts=tried, **common
        ),
    ]
    planned = common | {"incident_id": "i2", "experiment_id": "x", "opened_at_ms": now - 9_000}
    incidents.append(Incident(revision=1, state="open", updated_at_ms=now - 8_000, **planned))
    hold = {"open_ms": 600_000}
    commands = [
        command("c1", "circuit_break", now, parameters={**hold, "dependency": "db"}),
        command("c2", "circuit_break", now, parameters={"open_ms": 1_000}),
        command("c3", "circuit_break", now, parameters=hold),
        command("c3-back", "circuit_break", now, rollback_of="c3"),
        command("c4", "timeout_increase", now, parameters={"ttl_ms": 600_000}),
        command("c5", "timeout_increase", now, parameters={"ttl_ms": 600_000}, dry_run=True),
        command("c6", "fallback", now, parameters={"ttl_ms": 1}),
    ]
    results = [result("c1", 1, now), result("c1", 2, now), result("c4", 1, now, "failed")]
    results += [result(name, 1, now) for name in ("c2", "c3", "c5", "c6")]
    recorder = recorder_at(place)
    recorder.add("errors", "errors", 0, events)
    kinds: dict[TopicRole, Sequence[Record]] = {
        "patterns": patterns, "incidents": incidents, "commands": commands, "results": results,
    }  # fmt: skip
    for role, records in kinds.items():
        recorder.add(role, role, 0, [record(at, one) for at, one in enumerate(records)])
    recorder.flush()
    connection = Connection(place)
    try:
        found = facts(connection)
        told = summary(connection, 1)
        known = connection.rows("SELECT strategy, tries, cured FROM recovery_success", {})
        judged = reliability.facts(connection, now - 3_600_000, now + 60_000, "")
    finally:
        connection.close()
    assert sum(minute.errors for minute in found.minutes) == 6
    assert found.layers == {("production", "orders"): "api"}
    assert [(one.pattern_id, one.count) for one in found.patterns] == [("p1", 9)]
    incident, planned_one = found.incidents
    assert (incident.experiment_id, planned_one.experiment_id) == ("", "x")
    assert [step.state for step in incident.steps] == ["open", "recovering", "verifying"]
    assert [(each.strategy, each.outcome, each.reason) for each in incident.tries] == [
        ("retry", "recurring", ""),
        ("circuit_break", "done", "why"),
    ]
    held = {one.command_id: one for one in found.holds}
    assert set(held) == {"c1", "c6"}
    assert (held["c1"].dependency, held["c1"].instances) == ("db", 2)
    assert held["c1"].until_at_ms == now + 597_000
    assert held["c6"].until_at_ms == now + 600_000
    assert judge(found, load(None)).services[0].rule == "1 incident open"
    assert (told["errors"], told["incidents"]["open"]) == (6, 1)
    assert [told[name][0]["errors"] for name in ("by_service", "by_category", "top")] == [6] * 3
    assert [each.errors for each in judged.services] == [6]
    assert (judged.errors, judged.incidents) == (6, 1)
    assert told["strategies"] == [{"strategy": "retry", "tries": 1, "cured": 0}]
    assert known == [("retry", 1, 0), ("circuit_break", 0, 0)]
