"""Recorded errors come back as the events that they were."""

from collections.abc import Callable

import msgspec
from click.testing import CliRunner

from faultstream.analytics.client import Address, Connection
from faultstream.analytics.recorded import events
from faultstream.analytics.recorder import Recorder
from faultstream.cli.events import command
from faultstream.formats.native import admit
from faultstream.ops import clock
from tests.analytics.kit import TOPIC, error

T = clock.now_ms() - 3_600_000
FULL = {
    "event_id": "full", "service": "till", "environment": "production", "layer": "api",
    "host": "h", "instance": "i", "release": "1.2", "operation": "pay", "component": "c",
    "function": "f", "error_type": "shop.Refused", "message": 'no "money"\n\u00fc', "count": 7,
    "handled": False, "recoverable": True, "retry_count": 0, "max_retries": 3, "http_status": 502,
    "request_id": "r", "user_id": "u", "session_id": "s", "trace_id": "0" * 32, "span_id": "a" * 16,
    "parent_event_id": "p", "correlation_id": "k", "experiment_id": "x",
    "tags": {"a": "1", "b": "2"}, "bases": ["shop.Error"],
    "causes": [{"error_type": "OSError", "message": "[Errno 28]"}],
    "frames": [{"module": "m", "function": "g", "file": "/m.py", "line": 3, "in_app": True}],
}  # fmt: skip


def address(place: Address) -> str:
    return f"http://{place.username}:{place.password}@{place.host}:{place.port}/{place.database}"


def test_every_field_comes_back(place: Address, recorder_at: Callable[..., Recorder]) -> None:
    """All that the table keeps of an event, in order of time, each event once; equal events are
    grouped and judged alike."""
    recorder = recorder_at(place)
    raw = [
        error(0, time=T + 9_000, event_id="b", service="till"),
        error(1, time=T, **FULL),
        error(2, time=T + 9_000, event_id="b", service="till"),
        error(3, time=T + 60_000, event_id="c", service="web"),
    ]
    recorder.add("errors", TOPIC, 0, raw)
    recorder.flush()
    connection = Connection(place)
    lines = list(events(connection, T - 1, T + 61_000))
    assert [admit(one, timestamp_ms=0).event_id for one in lines] == ["full", "b", "c"]
    known = _plain(admit(raw[1].value or b"", timestamp_ms=0))
    assert _plain(admit(lines[0], timestamp_ms=0)) == known
    web = events(connection, T, T + 61_000, service="web", environment="production")
    assert len(list(web)) == 1
    assert list(events(connection, T + 1, T + 9_000)) == []
    connection.close()


def test_command(place: Address, recorder_at: Callable[..., Recorder]) -> None:
    """The command writes them; none, or more than wanted, is exit code 1."""
    recorder = recorder_at(place)
    recorder.add("errors", TOPIC, 0, [error(n, time=T + n, service="till") for n in range(3)])
    recorder.flush()
    runner = CliRunner()
    where = ["--clickhouse", address(place)]
    told = runner.invoke(command, where)
    assert (told.exit_code, told.stdout.count("\n"), told.stderr) == (0, 3, "3 events\n")
    told = runner.invoke(command, [*where, "--most", "2"])
    assert (told.exit_code, told.stdout.count("\n")) == (1, 2)
    assert "more than 2" in told.stderr
    assert runner.invoke(command, [*where, "--most", "3"]).exit_code == 0
    assert runner.invoke(command, [*where, "--service", "nobody"]).exit_code == 1
    assert runner.invoke(command, [*where, "--since", "1h", "--until", "2h"]).exit_code == 2


def _plain(event: object) -> object:
    return msgspec.to_builtins(event)
