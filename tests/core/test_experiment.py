"""Experiments are graded by their own records, in whatever order those come."""

import random
from typing import Any

import msgspec
import pytest

from faultstream.core.experiment import Check, Experiment, Run, order
from faultstream.core.records import (
    Incident,
    Notification,
    Pattern,
    Record,
    RecoveryCommand,
    RecoveryResult,
    Target,
)

ID = "exp-7"
PLAN: dict[str, Any] = {
    "name": "payments refuse",
    "service": "payments",
    "environment": "production",
    "inject": {"target": "db", "error": "ConnectionError", "duration_s": 30},
    "expect": {"strategies": ["circuit_break"], "detected_within_s": 5, "recovered_within_s": 20},
}


def experiment(**expect: Any) -> Experiment:
    """The plan, with other expectations."""
    return msgspec.convert({**PLAN, "expect": {**PLAN["expect"], **expect}}, Experiment)


def answer(run: Run, instance: str, status: Any = "success") -> RecoveryResult:
    """What an executor says of the injection."""
    return result(order(run.experiment, ID, 0, end=False).command_id, status, instance)


def result(command_id: str, status: Any, instance: str = "p1") -> RecoveryResult:
    return RecoveryResult(
        result_id=f"{command_id}/{instance}/{status}",
        command_id=command_id,
        incident_id="i",
        executor="x",
        instance=instance,
        status=status,
        started_at_ms=0,
        finished_at_ms=0,
    )


def pattern(at_ms: int, experiment_id: str = ID) -> Pattern:
    return Pattern(
        pattern_id="p", revision=1, kind="burst", state="open", environment="production",
        service="payments", first_at_ms=0, last_at_ms=0, detected_at_ms=at_ms,
        experiment_id=experiment_id,
    )  # fmt: skip


def commanded(strategy: str, experiment_id: str = ID, service: str = "payments") -> RecoveryCommand:
    return RecoveryCommand(
        command_id=f"c-{strategy}", incident_id="i", attempt=1, strategy=strategy,
        target=Target(environment="production", service=service), issued_at_ms=3_000,
        expires_at_ms=9_000, experiment_id=experiment_id,
    )  # fmt: skip


def incident(
    state: Any, revision: int, resolved_ms: int | None = None, experiment_id: str = ID
) -> Incident:
    return Incident(
        incident_id="i", revision=revision, state=state, severity="high",
        environment="production", root="payments", pattern_ids=["p"], first_error_at_ms=0,
        opened_at_ms=0, updated_at_ms=0, resolved_at_ms=resolved_ms, experiment_id=experiment_id,
    )  # fmt: skip


def notification() -> Notification:
    return Notification(
        notification_id="n", group="g", level="warning", title="t", environment="production",
        created_at_ms=0, experiment_id=ID,
    )  # fmt: skip


def told(run: Run, *records: Record) -> dict[str, Check]:
    """The checks after these records."""
    for record in records:
        run.tell(record)
    return {check.name: check for check in run.grade().checks}


def test_a_good_answer_passes_in_any_order() -> None:
    """Detected, right strategy carried out, verified in time, nothing wrong; repeats are fine."""
    records = [
        pattern(3_000),
        pattern(4_000),
        commanded("circuit_break"),
        result("c-circuit_break", "success"),
        incident("open", 1),
        incident("resolved", 3, 15_500),
        notification(),
    ]
    for seed in range(10):
        run = Run(experiment(), ID, 1_000)
        shuffled = [*records, *records]
        random.Random(seed).shuffle(shuffled)
        run.tell(answer(run, "p2"))
        told(run, *shuffled, commanded("circuit_break"), result("c-circuit_break", "success"))
        grade = run.grade()
        assert grade.passed, grade
        assert run.over
        assert [check.seconds for check in grade.checks] == [2.0, None, 14.5, None]
        assert (grade.injected, grade.strategies, grade.notifications) == (
            ["p2"], ["circuit_break"], 1,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("records", "failed", "text"),
    [
        ([], "detected", "no pattern"),
        ([pattern(7_001)], "detected", "a pattern after 6.0 s, 5 s allowed"),
        ([pattern(2_000, "other")], "detected", "no pattern"),
        ([], "right strategy", "expected circuit_break to be carried out; nothing was commanded"),
        ([commanded("circuit_break")], "right strategy",
         "expected circuit_break to be carried out; circuit_break was commanded"),
        ([], "verified recovery", "no incident"),
        ([incident("escalated", 2)], "verified recovery", "incident escalated"),
        ([incident("resolved", 2, 22_000)], "verified recovery",
         "verified after 21.0 s, 20 s allowed"),
        ([commanded("service_restart")], "no wrong commands", "service_restart: not expected"),
        ([commanded("circuit_break", service="orders")], "no wrong commands",
         "circuit_break: for orders"),
        ([commanded("retry", "")], "no wrong commands", "retry: not labelled"),
    ],
)  # fmt: skip
def test_each_failure_is_told(records: list[Record], failed: str, text: str) -> None:
    """With what was seen instead."""
    check = told(Run(experiment(), ID, 1_000), *records)[failed]
    assert (check.passed, check.text) == (False, text)


def test_forbidden_goes_before_expected() -> None:
    """Without expectations every strategy is right but the forbidden ones."""
    run = Run(experiment(strategies=[], forbidden=["retry"]), ID, 0)
    checks = told(run, commanded("fallback"), result("c-fallback", "success"), commanded("retry"))
    assert checks["right strategy"].passed
    assert checks["no wrong commands"].text == "retry: forbidden"


def test_who_refused_is_known() -> None:
    """Signs of life are no answers."""
    run = Run(experiment(), ID, 0)
    run.tell(answer(run, "p1", "in_progress"))
    assert (run.injected, run.refusals) == ([], [])
    run.tell(answer(run, "p1", "not_attempted"))
    assert run.refusals == ["p1: not_attempted, "]


def test_the_end_takes_back_the_beginning() -> None:
    """Same experiment and target; what is injected stands in the parameters."""
    begin, end = (order(experiment(), ID, 5, end=over) for over in (False, True))
    assert end.rollback_of == begin.command_id != end.command_id
    assert (begin.experiment_id, end.experiment_id, begin.target) == (ID, ID, end.target)
    assert begin.parameters == {
        "target": "db", "error": "ConnectionError", "probability": 1.0, "latency_ms": 0,
        "lose_ratio": 0.0, "duration_s": 30.0,
    }  # fmt: skip
    assert begin.expires_at_ms == 5 + 35_000
