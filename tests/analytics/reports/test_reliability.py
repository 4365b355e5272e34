"""The reliability report of what the pipeline recorded, and of made facts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from click.testing import CliRunner, Result

from faultstream.analytics.client import Connection
from faultstream.analytics.reliability import facts
from faultstream.cli import main
from faultstream.core.report.reliability import (
    Again,
    Errors,
    Outage,
    Reliability,
    Strategy,
    Waiting,
    advice,
    downtimes,
    goals,
    report,
)
from tests.analytics.reports.test_reports import ask, is_golden
from tests.core.making import T0

__all__ = ["ask"]
HOUR: Final = 3_600_000
NOTHING: Final = Reliability(
    environment="", begin_ms=T0, end_ms=T0 + HOUR, services=[], outages=[], incidents=0, open=0,
    false_alarms=0, detect_ms=[], recover_ms=[], recoverable=0, cured=0, errors=0, otherwise=0,
    unknown=0, unknown_type="", recurring=0, found=0, strategies=[], again=[], waiting=[],
    dead_letters=0, undelivered=0,
)  # fmt: skip


def having(**changes: Any) -> Reliability:
    """Facts with these parts."""
    return msgspec.structs.replace(NOTHING, **changes)


def test_recorded(stored: Connection) -> None:
    """Every goal is measured on what was recorded, and what to do follows from it."""
    found = facts(stored, T0, T0 + 24 * HOUR, "production")
    assert is_golden("reliability.md", report(found, 0.999))
    elsewhere = facts(stored, T0, T0 + 24 * HOUR, "staging")
    assert (elsewhere.incidents, elsewhere.errors, elsewhere.services) == (0, 0, [])
    earlier = facts(stored, T0 - 24 * HOUR, T0, "")
    assert (earlier.incidents, earlier.errors) == (0, 0)


def test_nothing_to_measure() -> None:
    """Without errors and incidents no goal is met or missed, and nothing is advised."""
    judged = goals(NOTHING, 0.999)
    assert {one.met for one in judged} == {None}
    assert list(advice(NOTHING, judged)) == []
    assert "No error was stored." in report(NOTHING, 0.999)


def test_bounds_of_goals() -> None:
    """A goal that is just missed is missed, and the next better figure meets it."""
    for change, name, met in (
        ({"detect_ms": [120_000]}, "time to detect, critical, mean", False),
        ({"detect_ms": [119_000, 120_000]}, "time to detect, critical, mean", True),
        ({"recover_ms": [300_000]}, "time to recover, automatic, mean", False),
        ({"recover_ms": [200_000, 399_000]}, "time to recover, automatic, mean", True),
        ({"recoverable": 5, "cured": 4}, "recovered", False),
        ({"recoverable": 6, "cured": 5}, "recovered", True),
        ({"incidents": 20, "false_alarms": 1}, "false alarms, as far as told", False),
        ({"incidents": 21, "false_alarms": 1}, "false alarms, as far as told", True),
        ({"incidents": 21, "open": 1, "false_alarms": 1}, "false alarms, as far as told", False),
        ({"errors": 100, "otherwise": 5}, "categorised right, as far as told", False),
        ({"errors": 100, "otherwise": 4}, "categorised right, as far as told", True),
        ({"recurring": 10, "found": 8}, "recurring faults found", False),
        ({"recurring": 10, "found": 9}, "recurring faults found", True),
    ):
        made = {one.name: one for one in goals(having(**change), 0.999)}
        assert made[name].met is met, (change, made[name])


def test_downtime_counts_once() -> None:
    """What overlaps counts once, and only as far as it lies in the report's time."""
    outages = [
        Outage("p", "a", T0 - 5_000, T0 + 1_000),
        Outage("p", "a", T0 + 500, T0 + 3_000),
        Outage("p", "a", T0 + 600, T0 + 700),
        Outage("p", "a", T0 + HOUR - 1_000, T0 + 2 * HOUR),
        Outage("p", "b", T0 - 5_000, T0 - 1_000),
    ]
    made = having(outages=outages)
    assert downtimes(made) == {("p", "a"): 4_000}
    assert goals(made, 1 - 4_000 / HOUR)[0].met
    assert not goals(made, 1 - 3_999 / HOUR)[0].met


def test_advice() -> None:
    """Each thing that stands out is told with what to do; a single try proves nothing."""
    made = having(
        services=[Errors("p", "a", 61, 30), Errors("p", "b", 60, 30), Errors("p", "new", 99, 0)],
        errors=100,
        unknown=6,
        unknown_type="OddError",
        strategies=[
            Strategy("retry", 3, 0, 0, 0), Strategy("fallback", 2, 0, 0, 0),
            Strategy("failover", 4, 3, 1, 0), Strategy("cache_clear", 3, 0, 0, 1),
        ],
        again=[Again("a", "psycopg.OperationalError", 3)],
        waiting=[Waiting("0190b0c45d1e", "a", "high", T0, "nobody answered")],
        dead_letters=1,
        undelivered=2,
    )  # fmt: skip
    found = list(advice(made, goals(made, 0.999)))
    for part in (
        "a has waited for a person for 60 min: nobody answered. `faultstream show 0190b0c4`",
        "`psycopg.OperationalError` of a made 3 incidents",
        "Nobody answered 1 command",
        "`retry` cured nothing in 3 tries",
        "`failover` made things worse 1 time:",
        "a had 61 errors, after 30",
        "6 % of the errors are of types that nothing knows, most of them `OddError`",
        "1 record refused",
        "2 messages reached nobody",
    ):
        assert any(part in one for one in found), (part, found)
    assert len(found) == 9


def test_command(ask: Callable[..., Result], tmp_path: Path) -> None:
    """As text and JSON, up to a day that is given; --strict answers with the exit code."""
    of = ("report", "--since", "7d", "--until", "2023-11-16")
    assert "| goal |" in ask(*of).output
    content = json.loads(ask(*of, "--json").output)
    assert {one["met"] for one in content["goals"]} <= {True, False, None}
    file = tmp_path / "r" / "report.html"
    assert ask(*of, "-o", str(file)).output == ""
    assert "<td>false alarms, as far as told</td>" in file.read_text()
    missed = any(one["met"] is False for one in content["goals"])
    assert ask(*of, "--strict").exit_code == int(missed)
    assert ask("report", "--until", "yesterday").exit_code == 2


def test_nothing_recorded(tmp_path: Path) -> None:
    """Where nothing was recorded it says so, as its neighbours do."""
    answer = CliRunner().invoke(main, ["report", "--data", str(tmp_path)])
    assert answer.exit_code != 0
    assert answer.output
