"""`faultstream detect` and `faultstream respond` on files."""

import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from faultstream.cli import detect, respond

T0 = 1_700_000_000_000


def lines(count: int = 120) -> list[str]:
    """Errors of two services over a minute, some without an id, some equal."""
    chance = random.Random(7)
    made = []
    for n in range(count):
        one = {
            "service": chance.choice(["orders", "payments"]),
            "error_type": chance.choice(["ConnectionError", "ValueError", "OperationalError"]),
            "message": f"call {n % 5} failed",
            "time": T0 + chance.randrange(0, 60_000, 500),
        }
        if n % 3 == 0:
            one["event_id"] = f"id-{n}"
        made.append(json.dumps(one))
    return made


def ran(command: str, text: str, *options: str) -> Result:
    """The command on standard input."""
    kind = {"detect": detect.command, "respond": respond.command}[command]
    return CliRunner().invoke(kind, list(options), input=text)


def test_final_in_any_order() -> None:
    """Any order of the lines gives the same bytes, with --final and without."""
    given = lines()
    for options in ((), ("--final",)):
        expected = ran("detect", "\n".join(given), *options)
        assert expected.exit_code == 0
        assert expected.stdout
        for seed in range(3):
            shuffled = random.Random(seed).sample(given, len(given))
            assert ran("detect", "\n".join(shuffled), *options).stdout == expected.stdout


def test_final_is_the_last_of_each() -> None:
    """--final has each pattern of the full output once, closed."""
    text = "\n".join(lines())
    full = [json.loads(one) for one in ran("detect", text).stdout.splitlines()]
    last = [json.loads(one) for one in ran("detect", text, "--final").stdout.splitlines()]
    assert len(last) < len(full)
    assert {one["pattern_id"] for one in last} == {one["pattern_id"] for one in full}
    assert {one["state"] for one in last} == {"closed"}


def test_as_it_comes_tells_late_events() -> None:
    """In arrival order, events later than allowed are counted on standard error."""
    given = [
        json.dumps({"service": "orders", "error_type": "E", "time": T0 + at})
        for at in (0, 100_000, 1_000)
    ]
    done = ran("detect", "\n".join(given), "--as-it-comes")
    assert "1 late events were not used" in done.stderr
    assert done.exit_code == 0


def test_bad_lines() -> None:
    """Bad lines are told with their number, the rest is used, the exit code is 1."""
    text = "\n".join(["{", '{"service": "orders"}', "", *lines(30)])
    done = ran("detect", text, "--final")
    assert done.exit_code == 1
    assert "line 1: decode: " in done.stderr
    assert "line 2: validate: " in done.stderr
    assert "2 bad lines" in done.stderr
    assert done.stdout.count("\n") > 0


def test_files(tmp_path: Path) -> None:
    """A path in and a path out do the same as standard input and output."""
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(lines()))
    done = CliRunner().invoke(detect.command, [str(source), "-o", str(target)])
    assert done.exit_code == 0
    assert target.read_text() == ran("detect", source.read_text()).stdout


def test_respond_on_detected() -> None:
    """What detect writes, respond reads; every line has a type, ids are never told twice."""
    patterns = ran("detect", "\n".join(lines())).stdout
    done = ran("respond", patterns)
    assert done.exit_code == 0
    told = [json.loads(one) for one in done.stdout.splitlines()]
    assert {one["type"] for one in told} == {"incident", "command", "notification"}
    ids = [one["command_id"] for one in told if one["type"] == "command"]
    assert ids
    assert len(ids) == len(set(ids))
    assert ran("respond", patterns).stdout == done.stdout


def test_respond_heeds_results() -> None:
    """A result that says failed is followed by the next strategy."""
    patterns = ran("detect", "\n".join(lines())).stdout
    command = next(
        one
        for one in map(json.loads, ran("respond", patterns).stdout.splitlines())
        if one["type"] == "command"
    )
    result = {
        "result_id": "r",
        "command_id": command["command_id"],
        "incident_id": command["incident_id"],
        "environment": "production",
        "executor": "x",
        "status": "failed",
        "started_at": command["issued_at"],
        "finished_at": command["issued_at"],
    }
    done = ran("respond", patterns + json.dumps(result) + "\n")
    told = [json.loads(one) for one in done.stdout.splitlines()]
    outcomes = [
        attempt.get("outcome")
        for one in told
        if one["type"] == "incident"
        for attempt in one.get("attempts", [])
    ]
    assert "failed" in outcomes


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[]", "line 1: decode: expected a JSON object, got list"),
        ("{}", "line 1: validate: expected a pattern_id, a result_id or a control_id"),
        ('{"pattern_id": "p"}', "line 1: validate: Object missing required field"),
    ],
)
def test_respond_refuses(line: str, reason: str) -> None:
    """What is no pattern, result or control is told with its line, and the exit code is 1."""
    done = ran("respond", line)
    assert done.exit_code == 1
    assert reason in done.stderr
