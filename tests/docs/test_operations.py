"""Dashboards and alert rules: all that they name exists."""

import json
import re
from pathlib import Path

import pytest
import yaml

from faultstream.ops.metrics import METRICS

ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "docs" / "operations"
SOURCE = "\n".join(file.read_text("utf-8") for file in (ROOT / "pipeline").rglob("*.py"))
RULES = yaml.safe_load((OPERATIONS / "prometheus" / "alerts.yml").read_text("utf-8"))
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def expressions() -> list[str]:
    board = json.loads((OPERATIONS / "grafana" / "pipeline.json").read_text("utf-8"))
    found = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    return found + [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def known() -> dict[str, set[str]]:
    """Every name that Prometheus sees, with the labels that it may have."""
    names: dict[str, set[str]] = {"up": {"job", "instance"}}
    for metric in METRICS:
        (family,) = metric.describe()
        for suffix in SUFFIXES[family.type]:
            names[family.name + suffix] = {*metric._labelnames, "le"}
    return names


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_label_and_value_exists(expression: str) -> None:
    """Metrics by their full names, labels that they have, values that the code gives."""
    names = known()
    used = set(re.findall(r"\b(?:faultstream_\w+|up)\b(?!:)", expression)) - {"faultstream"}
    assert used, expression
    assert used <= set(names), used - set(names)
    labels: set[str] = set().union(*(names[name] for name in used))
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        assert set(grouped.split(", ")) <= labels
    for label, values in re.findall(r'(\w+)=~?"([^"]+)"', expression):
        assert label in labels
        for value in values.split("|"):
            assert label in {"job", "status"} or f'"{value}"' in SOURCE, value


def test_every_metric_is_shown() -> None:
    """What is measured stands on the dashboard, or in a rule."""
    shown = "\n".join(expressions())
    hidden = {"faultstream_checkpoint_seconds", "faultstream_notification_decisions"}
    for metric in METRICS:
        (family,) = metric.describe()
        assert family.name in shown or family.name in hidden, family.name


def test_every_rule_says_what_to_do() -> None:
    """A severity, a summary, and a place in the docs that exists."""
    advice = (OPERATIONS / "alerts.md").read_text("utf-8")
    headings = re.findall(r"^### (\w+)$", advice, re.MULTILINE)
    rules = [rule for group in RULES["groups"] for rule in group["rules"]]
    assert [rule["alert"] for rule in rules] == headings
    for rule in rules:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]
        wanted = f"docs/operations/alerts.md#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook_url"] == wanted
