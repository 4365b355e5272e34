"""The scorer: what counts as found, as false, and how long it took."""

import msgspec
import pytest
from click.testing import CliRunner

from faultstream import wire
from faultstream.cli.simulate import command
from faultstream.config.topology import load as load_topology
from faultstream.core.records import Pattern
from faultstream.simulate.figures import figures, percentile
from faultstream.simulate.fleet import told
from faultstream.simulate.generate import Run
from faultstream.simulate.reading import load
from faultstream.simulate.replay import Replay, Told
from faultstream.simulate.report import text
from faultstream.simulate.scenario import Incident
from faultstream.simulate.score import Watch, play, score

SMALL = """\
version: 1
name: small
hours: 1
services:
  web: {layer: api, noise: {validation: 0.5}}
  pay: {layer: service, noise: {declined: 0.5}}
incidents:
  - {kind: burst, at: "00:30", service: web, minutes: 3, per_minute: 60}
"""


def run() -> Run:
    incident = Incident(kind="burst", at="00:30", service="web-1", minutes=3, per_minute=60)
    short = msgspec.structs.replace(load("busy-day"), hours=1.0, incidents=(incident,))
    return Run(short, 1)


def pattern(made: Run, **fields: object) -> Pattern:
    plain: dict[str, object] = {
        "pattern_id": "p", "revision": 1, "kind": "burst", "state": "open", "count": 5,
        "environment": "production", "service": "web-1",
        "first_at_ms": made.truths[0].first_at_ms, "last_at_ms": made.truths[0].end_at_ms,
        "detected_at_ms": made.truths[0].first_at_ms,
    }  # fmt: skip
    return Pattern(**{**plain, **fields})  # type: ignore[arg-type]


def watched(made: Run) -> Watch:
    watch = Watch()
    for _ in watch.over(made.arrivals()):
        pass
    return watch


def test_found() -> None:
    """A pattern of the service while the incident lasts finds it, at the moment it was told."""
    made = run()
    at = made.truths[0].felt_at_ms + 4_000
    tally = score(made, watched(made), [Told(at, pattern(made))])
    [hit] = tally.hits
    assert (hit.found, hit.missing, hit.after_ms) == (("burst",), (), 4_000)
    assert not tally.wrong
    assert figures(tally)["recall"] == 1.0


@pytest.mark.parametrize(
    ("field", "value"), [("service", "pay"), ("first_at_ms", 1 << 41), ("last_at_ms", 1_000)]
)
def test_false(field: str, value: object) -> None:
    """The same pattern elsewhere, after or before is false, and the incident stays missed."""
    made = run()
    tally = score(made, watched(made), [Told(1 << 41, pattern(made, **{field: value}))])
    assert [one.kind for one in tally.wrong] == ["burst"]
    assert tally.hits[0].missing == ("burst",)
    assert figures(tally)["false_ratio"] == 1.0


def test_fingerprint_needs_evidence() -> None:
    """A pattern of one fingerprint belongs to the incident whose errors are its evidence."""
    made = run()
    watch = watched(made)
    event_id = next(iter(watch.incident))
    other = pattern(made, kind="novel", fingerprint="f", evidence=["unknown"])
    mine = pattern(made, kind="novel", fingerprint="f", evidence=[event_id], pattern_id="q")
    tally = score(made, watch, [Told(0, other), Told(0, mine)])
    assert len(tally.wrong) == 1
    assert tally.hits[0].found == ("novel",)


def test_ordinary_is_apart() -> None:
    """A recurring error without an incident is counted apart from false ones."""
    made = run()
    ordinary = pattern(made, kind="recurring", fingerprint="f", evidence=["unknown"])
    found = figures(score(made, watched(made), [Told(0, ordinary)]))
    assert (found["ordinary_recurring"], found["false_episodes"]) == (1, {})


def test_withdrawn() -> None:
    """What was taken back is neither found nor false."""
    made = run()
    taken = pattern(made, state="closed", count=0, revision=2, closed_at_ms=1)
    tally = score(made, watched(made), [Told(0, pattern(made)), Told(1, taken)])
    assert (tally.withdrawn, tally.wrong, tally.hits[0].found) == (1, [], ())


def test_percentile() -> None:
    """The smallest value with that share at or below it."""
    assert percentile([], 0.5) is None
    assert percentile([4, 1, 3, 2], 0.5) == 2
    assert percentile([4, 1, 3, 2], 0.51) == 3
    assert percentile([4, 1, 3, 2], 1.0) == 4


def test_replay_takes_everything() -> None:
    """Every event is read, and a second replay says the same at the same times."""
    made = run()
    topology = told(load_topology(None), made.fleet.values())
    first, again = Replay(topology, 4), Replay(topology, 4)
    assert list(first.patterns(made.arrivals())) == list(again.patterns(made.arrivals()))
    assert first.events == sum(1 for _ in made.arrivals())


def test_play_finds_burst() -> None:
    """The whole way: a plain burst is found within a minute, and the report says so."""
    made = run()
    tally = play(made, told(load_topology(None), made.fleet.values()))
    [hit] = tally.hits
    assert hit.after_ms is not None
    assert hit.after_ms < 60_000
    assert "burst                      1/1  100.0%" in text("small", tally)


def test_command() -> None:
    """The command writes events and truth, scores as text and JSON, and seeds may be a range."""
    runner = CliRunner()
    with runner.isolated_filesystem():
        with open("small.yaml", "w") as file:  # noqa: PTH123 (a bare name in this folder)
            file.write(SMALL)
        result = runner.invoke(command, ["small.yaml", "--seeds", "1..2", "--out", "x"])
        assert result.exit_code == 0, result.output
        with open("x/2/events.jsonl", "rb") as file2:  # noqa: PTH123
            events = [wire.loads(line) for line in file2]
        with open("x/2/truth.jsonl", "rb") as file3:  # noqa: PTH123
            [truth] = [wire.loads(line) for line in file3]
        assert truth["kind"] == "burst"
        assert truth["root"] == "web"
        assert sum(one["service"] == "web" for one in events) > truth["events"]
        result = runner.invoke(command, ["small.yaml", "--score", "--json"])
        assert wire.loads(result.output)["recall"] == 1.0
        one = runner.invoke(command, ["small.yaml", "--score", "--seeds", "1..2"])
        two = runner.invoke(command, ["small.yaml", "--score", "--seeds", "1..2", "--jobs", "2"])
        assert one.stdout == two.stdout
        assert "seed 2: 1 of 1 found" in two.stderr


def test_command_refuses() -> None:
    """Nothing to do, no such scenario and no such range are usage errors."""
    runner = CliRunner()
    assert runner.invoke(command, ["zoo"]).exit_code == 2
    assert "neither a seed" in runner.invoke(command, ["zoo", "--seeds", "x", "--score"]).output
    assert runner.invoke(command, ["zoo", "--seeds", "5..1", "--score"]).exit_code == 2
