"""`faultstream shadow`: a candidate beside the current topology."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from faultstream.cli.shadow import command

TOPOLOGY = Path(__file__).parents[2] / "topology.yaml"
EVENTS = "".join(
    json.dumps(
        {
            "service": "orders",
            "error_type": "acme.Zork",
            "message": "xyz",
            "category": "network",
            "time": f"2026-11-22T10:00:{n:02}Z",
            "event_id": f"e{n}",
        }
    )
    + "\n"
    for n in range(20)
)


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    """The shipped topology, in which nothing bursts and the network is critical."""
    raw: dict[str, Any] = yaml.safe_load(TOPOLOGY.read_text())
    raw["severities"]["network"] = "critical"
    raw.setdefault("detectors", {})["burst"] = {"enabled": False}
    path = tmp_path / "candidate.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def shadow(*options: str | Path, events: str = EVENTS) -> Any:
    """The command's result over the events."""
    given = ["--topology", str(TOPOLOGY), *map(str, options)]
    return CliRunner().invoke(command, given, input=events)


def test_no_difference() -> None:
    """A topology beside itself differs in nothing, and the exit code is 0."""
    told = shadow(TOPOLOGY)
    assert told.exit_code == 0
    assert told.output.count(": no differences") == 5


def test_differences_are_told(candidate: Path) -> None:
    """Verdicts, patterns and commands that differ are told, with the exit code 1."""
    told = shadow(candidate)
    assert told.exit_code == 1
    assert "now severity high; then severity critical; 20 times, as in e0" in told.output
    assert "burst of orders, acme.Zork at 2026-11-22T10:00:00.000Z\n" in told.output
    found = json.loads(shadow(candidate, "--json").output)
    assert found["events"] == 20
    kinds = {one["what"] for one in found["differences"]["patterns"]}
    assert "critical of orders, acme.Zork" in kinds
    assert found["differences"]["groups"] == []


def test_differences_that_are_meant(candidate: Path) -> None:
    """Accepted kinds of difference do not count for the exit code."""
    kinds = ("verdicts", "patterns", "incidents", "commands")
    every = [word for kind in kinds for word in ("--accept", kind)]
    assert shadow(candidate, *every).exit_code == 0
    assert shadow(candidate, "--accept", "patterns").exit_code == 1


def test_bad_lines_and_bad_topologies(tmp_path: Path) -> None:
    """Bad lines give exit code 1 though nothing differs; a topology that is none gives 2."""
    told = shadow(TOPOLOGY, events=EVENTS + "no JSON\n")
    assert told.exit_code == 1
    assert "line 21: decode" in told.output
    (tmp_path / "bad.yaml").write_text("version: 9\n")
    assert shadow(tmp_path / "bad.yaml").exit_code != 0
