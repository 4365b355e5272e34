"""Prevention from end to end: a simulated fleet, real detection, real response."""

from pathlib import Path

from faultstream.cli import respond
from faultstream.core.records import Incident, Notification, Pattern, RecoveryCommand
from tests.simulate.preventing import foreseen, topology


def test_what_is_foreseen_is_met_before_it_comes(tmp_path: Path) -> None:
    """Detection foresees minutes ahead that a limit will be crossed; with prevention one command of
    little danger is sent then and nobody is called; without it there is none."""
    _, told, first, crossed_ms = foreseen(topology(tmp_path, enabled=False), tmp_path)
    assert first.confidence >= 0.8
    (closed,) = [
        one for one in told if one.pattern_id == first.pattern_id and one.state == "closed"
    ]
    assert closed.came_true
    for enabled in (False, True):
        policy = topology(tmp_path, enabled=enabled)
        given: list[respond.Given] = sorted(told, key=respond.time_of)
        out = [
            one
            for one in respond.run(policy, given)
            if not isinstance(one, Pattern) and first.detected_at_ms <= _at(one) < crossed_ms
        ]
        commands = [one for one in out if isinstance(one, RecoveryCommand)]
        if not enabled:
            assert commands == []
            continue
        command, *more = commands
        assert not [one for one in more if one.reason.startswith("predicted")]
        assert command.issued_at_ms == first.detected_at_ms
        assert command.reason.startswith(f"predicted {first.error_type}: {first.reason}")
        assert policy.strategies[command.strategy].danger == "low"
        # From then on errors that recur are of that incident, and are recovered as any other.
        until = more[0].issued_at_ms if more else crossed_ms
        out = [one for one in out if _at(one) < until]
        assert {one.level for one in out if isinstance(one, Notification)} <= {"info"}
        incidents = [one for one in out if isinstance(one, Incident)]
        assert {one.incident_id for one in incidents} == {command.incident_id}


def _at(one: RecoveryCommand | Incident | Notification) -> int:
    if isinstance(one, RecoveryCommand):
        return one.issued_at_ms
    return one.updated_at_ms if isinstance(one, Incident) else one.created_at_ms
