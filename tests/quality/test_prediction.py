"""The scores of predictions, by hand and over a small simulated service."""

from pathlib import Path

import pytest

from faultstream.config.topology import load
from faultstream.quality import prediction
from faultstream.quality.data import Data
from faultstream.quality.prediction import Answer, figures
from faultstream.quality.section import Task

SMALL = """\
version: 1
name: small
hours: 2.5
services:
  web: {layer: api, noise: {validation: 12.0}}
incidents:
  - {kind: burst, at: "01:40", service: web, minutes: 3, per_minute: 300}
"""


def test_figures() -> None:
    """Brier scores are mean squares; only probabilities above the bar are sure."""
    found = figures(
        [
            Answer("a", 0, probability=0.9, average=0.5, came=True),
            Answer("a", 1, probability=0.8, average=0.5, came=False),
            Answer("a", 2, probability=0.1, average=0.5, came=False),
            Answer("a", 3, probability=0.0, average=0.5, came=False),
        ]
    )
    assert found["brier"] == pytest.approx((0.01 + 0.64 + 0.01) / 4)
    assert found["brier_base_rate"] == pytest.approx(0.25 * 0.75)
    assert found["brier_moving_average"] == pytest.approx(0.25)
    assert (found["sure"], found["sure_came_true"]) == (1, 1.0)


def test_answers_and_outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first hour each minute is an answer; those half an hour before the burst came
    true, and no others."""
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    monkeypatch.setattr(prediction, "SCENARIO", str(path))
    made = prediction.measure(Task(data=Data(None), topology=load(None))).figures
    assert 20 <= made["answers"] <= 60
    came = made["base_rate"] * made["answers"]
    assert 25 <= came <= 31
    assert sum(one["count"] for one in made["reliability"]) == made["answers"]
