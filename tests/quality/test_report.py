"""The report: its sections over small data, what is skipped, text and JSON."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from faultstream.cli.quality import command
from faultstream.config.topology import load
from faultstream.quality import patterns
from faultstream.quality.data import Absent, Data
from faultstream.quality.report import SECTIONS, measured
from faultstream.quality.section import Section, Task
from tests.quality import making

NEED_DATA = [name for name in SECTIONS if name not in {"patterns", "prediction", "cost"}]
SMALL = """\
version: 1
name: small
hours: 0.5
services:
  web: {layer: api, noise: {validation: 0.5}}
incidents:
  - {kind: burst, at: "00:10", service: web, minutes: 3, per_minute: 60}
"""


@pytest.fixture(scope="module")
def sections(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Section]:
    """All that is measured on the small data."""
    told: list[str] = []
    task = Task(
        data=Data(making.folder(tmp_path_factory.mktemp("data"))),
        topology=load(None),
        tell=told.append,
    )
    found = dict(measured(task, NEED_DATA))
    assert {words.partition(":")[0] for words in told} == set(NEED_DATA)
    return found


def test_classification(sections: dict[str, Section]) -> None:
    """What is known is right, what nobody knows is a miss with its reason."""
    found = sections["classification"].figures
    assert found["runs"]["ours"]["strict"] == pytest.approx(2 / 3)
    assert found["confusion"]["network"] == {"network": 1}
    (miss,) = found["misses"]["ours"]
    assert (miss["type"], miss["expected"]) == ("made.up.by.this.Test", "business")
    assert miss["rule"]


def test_grouping(sections: dict[str, Section]) -> None:
    """Logs and stacks are scored; a group that is ours exactly is not among the worst."""
    found = sections["grouping"].figures
    assert found["logs"]["fga"] == found["stacks"]["app"]["fga"] == 1.0
    assert found["worst_groups"] == []


def test_faults(sections: dict[str, Section]) -> None:
    """A database and what needs it: root, pair and reach are told."""
    found = sections["cascades"].figures
    assert (found["root_first_ratio"], found["pairs_f1"], found["misses"]) == (1.0, 1.0, [])
    found = sections["incidents"].figures
    assert (found["roots_right"], found["jaccard"], found["weak"]) == (1, 1.0, [])


def test_series(sections: dict[str, Section]) -> None:
    """A spike in a steady series is found, and nothing where nothing is."""
    found = sections["series"].figures
    assert found["windows_hit"] == {"realAWSCloudwatch": 1, "realTraffic": 1}
    assert found["detections_without_anomaly"] == 0


def test_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted burst is found; recall, times and what is false are figures."""
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    monkeypatch.setattr(patterns, "ZOO", str(path))
    monkeypatch.setattr(patterns, "DAY", str(path))
    found = patterns.measure(Task(data=Data(None), topology=load(None), seeds=range(1, 3)))
    zoo = found.figures[str(path)]
    assert (zoo["incidents"], zoo["recall"]) == (1, 1.0)
    assert found.figures["missed"] == []


def test_data_that_is_not_there(tmp_path: Path) -> None:
    """What cannot be measured says which file it needs, and how to give a folder."""
    with pytest.raises(Absent, match="--data or FAULTSTREAM_QUALITY_DATA"):
        Data(None).path("logs")
    with pytest.raises(Absent, match="logs is not there"):
        Data(tmp_path).path("logs")


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder of data is set."""
    monkeypatch.delenv("FAULTSTREAM_QUALITY_DATA", raising=False)


@pytest.mark.usefixtures("nowhere")
def test_skipped_sections_are_said() -> None:
    """Without data the text says what was skipped and why, and so does the JSON."""
    told = CliRunner().invoke(command, ["--only", "logs"])
    assert told.exit_code == 2
    assert "'logs' is none of classification, grouping" in told.output
    told = CliRunner().invoke(command, ["--only", "grouping,series"])
    assert told.exit_code == 0
    assert told.output.count("skipped: needs real data: give its folder by --data or") == 2
    told = CliRunner().invoke(command, ["--only", "series", "--json"])
    assert list(json.loads(told.output)["sections"]["series"]) == ["skipped"]


def test_text_fits_and_json_has_all(tmp_path: Path) -> None:
    """The text fits 80 columns; the JSON holds every figure; both from one folder."""
    making.folder(tmp_path)
    options = ["--data", str(tmp_path), "--only", ",".join(NEED_DATA)]
    text = CliRunner().invoke(command, options)
    assert text.exit_code == 0
    assert max(map(len, text.output.splitlines())) <= 80
    for words in ("misses", "reliability", "expected (row)", "log messages", "root 1st", "Jaccard"):
        assert words in text.output
    told = CliRunner().invoke(command, [*options, "--json"])
    made = json.loads(told.output)
    assert set(made["sections"]) == set(NEED_DATA) == set(made["goals"])
    for goals in made["goals"].values():
        for one in goals:
            assert one["name"] in text.output
    assert CliRunner().invoke(command, [*options, "--strict"]).exit_code == 1


def test_cost_is_a_ratio() -> None:
    """The cost of the hot path is told beside that of orjson.loads of the same events."""
    told = CliRunner().invoke(command, ["--only", "cost", "--json"])
    found = json.loads(told.output)["sections"]["cost"]
    assert found["ratio"] == pytest.approx(found["hot_path_us"] / found["loads_us"])
    assert found["loads_us"] > 0
