"""The dashboard over ClickHouse: every question of it runs."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from faultstream.analytics.client import Address
from faultstream.analytics.recorder import Recorder
from tests.analytics.kit import rows

FILE = Path(__file__).parents[2] / "docs" / "operations" / "grafana" / "errors.json"


def test_every_panel_can_be_asked(place: Address, recorder_at: Callable[..., Recorder]) -> None:
    """Grafana's own macro stands for a time filter; the rest is asked as it stands."""
    recorder_at(place)
    panels = json.loads(FILE.read_text("utf-8"))["panels"]
    for panel in panels:
        for target in panel["targets"]:
            sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 > now() - 3600", target["rawSql"])
            assert "$" not in sql
            rows(place, sql)
    assert len({panel["id"] for panel in panels}) == len(panels)
