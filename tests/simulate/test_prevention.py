"""Prevention from end to end: a simulated fleet, real detection, real response."""

from pathlib import Path

from faultstream.cli import respond
from faultstream.core.records import Incident, Notification, Pattern, RecoveryCommand
from tests.simulate.preventing import events, patterns, topology


def test_what_is_foreseen_is_met_before_it_comes(tmp_path: Path) -> None:
    """Detection foresees minutes ahead that a limit will be crossed; with prevention one command of
    little danger is sent in that time and nobody is called; without it there is none."""
    told = patterns(topology(tmp_path, enabled=False), events(tmp_path))
    foreseen = next(one for one in told if one.kind == "predicted")
    crossed = next(
        one
        for one in told
        if one.kind in {"burst", "degradation"} and one.detected_at_ms > foreseen.detected_at_ms
    )
    assert foreseen.confidence >= 0.8
    assert crossed.detected_at_ms - foreseen.detected_at_ms > 300_000
    (closed,) = [
        one for one in told if one.pattern_id == foreseen.pattern_id and one.state == "closed"
    ]
    assert closed.came_true
    for enabled in (False, True):
        policy = topology(tmp_path, enabled=enabled)
        given: list[respond.Given] = sorted(told, key=respond.time_of)
        out = [
            one
            for one in respond.run(policy, given)
            if not isinstance(one, Pattern) and _at(one) < crossed.detected_at_ms
        ]
        commands = [one for one in out if isinstance(one, RecoveryCommand)]
        if not enabled:
            assert commands == []
            continue
        (command,) = commands
        assert command.issued_at_ms == foreseen.detected_at_ms
        assert command.reason.startswith(f"predicted {foreseen.error_type}: {foreseen.reason}")
        assert policy.strategies[command.strategy].danger == "low"
        notes = [one for one in out if isinstance(one, Notification)]
        assert {one.level for one in notes} <= {"info"}
        incidents = [one for one in out if isinstance(one, Incident)]
        assert {one.incident_id for one in incidents} == {command.incident_id}


def _at(one: RecoveryCommand | Incident | Notification) -> int:
    if isinstance(one, RecoveryCommand):
        return one.issued_at_ms
    return one.updated_at_ms if isinstance(one, Incident) else one.created_at_ms
