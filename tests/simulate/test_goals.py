"""Goals: what was wanted of detection, said in one line each, and in the exit code."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from faultstream.cli.simulate import command
from faultstream.simulate.goals import above, at_least, below, failed, goals, lines, none, within
from faultstream.simulate.kinds import KINDS

DOCS = Path(__file__).resolve().parents[2] / "docs" / "how-it-works" / "simulation.md"
FIGURES: dict[str, Any] = {
    "incidents": 2,
    "kinds": {"burst": {"recall": 1.0}, "cascade": {"recall": 0.5}},
    "false_ratio": 0.04,
    "detect_median_ms": 29_999,
    "critical_p95_ms": 120_000,
    "root_right_ratio": None,
    "recurring_within_10_ratio": 0.8,
}


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (at_least("a", 0.95, 0.95), True),
        (at_least("a", 0.949, 0.95), False),
        (above("a", 0.95, 0.95), False),
        (below("a", 0.05, 0.05), False),
        (below("a", 0.049, 0.05), True),
        (within("a", 29_999, 30_000), True),
        (within("a", 30_000, 30_000), False),
        (within("a", None, 30_000), None),
        (at_least("a", None, 0.9), None),
        (none("a", 0), True),
        (none("a", 1), False),
    ],
)
def test_bounds(goal: Any, met: bool | None) -> None:
    """Each bound from both sides; what could not be measured is neither met nor failed."""
    assert goal.met is met
    assert failed([goal]) is (met is False)


def test_weakest_kind_decides() -> None:
    """Recall is that of the kind that fares worst, and every goal is one line."""
    found = goals(FIGURES)
    assert found[0].name == "recall, lowest of 2 kinds (cascade)"
    assert [one.met for one in found] == [False, True, True, False, None, True]
    text = lines(found)
    assert text[0].split() == [
        "NOT", "MET", "recall,", "lowest", "of", "2", "kinds", "(cascade)", "0.500", ">=", "0.950",
    ]  # fmt: skip
    assert max(map(len, text)) <= 80


def test_ordinary_days_have_another_goal() -> None:
    """Without incidents it counts that no burst and no degradation is opened; others may be. After
    an installation nothing is known yet, so the day without its first hour is told too."""
    calm: dict[str, Any] = {"incidents": 0, "false_episodes": {"novel": 3}}
    loud: dict[str, Any] = {"incidents": 0, "false_episodes": {"burst": 1, "degradation": 1}}
    assert [one.met for one in goals({**calm, "false_in_first_hour": {}})] == [True, True]
    found = goals({**loud, "false_in_first_hour": {"burst": 1}})
    assert [(one.met, one.figure) for one in found] == [(False, 2), (False, 1)]


@pytest.mark.parametrize(("rate", "strict", "code"), [(60, True, 0), (1, True, 1), (1, False, 0)])
def test_exit_code(tmp_path: Path, rate: int, strict: bool, code: int) -> None:
    """A goal that is not met is exit code 1 with --strict only; it is said in any case."""
    scenario = tmp_path / "one.yaml"
    scenario.write_text(
        "version: 1\nname: one\nhours: 1\nservices: {web: {layer: api}}\n"
        f'incidents: [{{kind: burst, at: "00:30", per_minute: {rate}, minutes: 3}}]\n'
    )
    args = [str(scenario), "--score", "--json", *(["--strict"] if strict else [])]
    result = CliRunner().invoke(command, args)
    assert result.exit_code == code
    reached = {one["name"]: one["met"] for one in json.loads(result.stdout)["goals"]}
    assert reached["recall, lowest of 1 kinds (burst)"] is (rate == 60)


def test_kinds_are_listed_and_described() -> None:
    """`--kinds` and the docs name every kind."""
    listed = CliRunner().invoke(command, ["--kinds"]).stdout
    table = DOCS.read_text()
    for name, kind in KINDS.items():
        assert f"{name} " in listed
        assert kind.says in listed
        assert name in table
