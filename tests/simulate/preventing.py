"""A small simulated fleet in which a fault grows for half an hour before a limit is crossed."""

from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from faultstream.cli.detect import Run as Detection
from faultstream.config.topology import load as load_topology
from faultstream.core.event import ErrorEvent
from faultstream.core.policy import Topology
from faultstream.core.records import Pattern
from faultstream.formats.native import admit
from faultstream.simulate.generate import Run
from faultstream.simulate.reading import load
from faultstream.wire import encode_event

SEEDS: Final = range(1, 25)
LEAD_MS: Final = 60_000
QUIET_MS: Final = 300_000
CROSSED: Final = frozenset({"burst", "degradation", "critical", "high_rate"})
FLEET: Final = """\
version: 1
name: preventable
hours: 2
services:
  orders: {layer: service, noise: {deadlock: 0.7, pool: 0.7, validation: 1.0, token: 1.0}}
incidents:
  - {kind: slow_degradation, at: "01:20", service: orders, minutes: 60}
"""


def topology(folder: Path, *, enabled: bool) -> Topology:
    """The shipped topology, where an error that merely recurs is no incident; with prevention or
    without."""
    given: dict[str, Any] = yaml.safe_load(Path("topology.yaml").read_text())
    given["incidents"] = {"opened_by": ["critical", "burst", "degradation", "predicted"]}
    given["services"] = {"orders": {"layer": "service", "instances": 1}}
    if enabled:
        given["prevention"] = {"enabled": True}
    file = folder / f"prevention-{enabled}.yaml"
    file.write_text(yaml.safe_dump(given))
    return load_topology(file)


def events(folder: Path, seed: int) -> list[ErrorEvent]:
    """What the fleet reports in the order of arrival."""
    file = folder / "fleet.yaml"
    file.write_text(FLEET)
    return [
        admit(encode_event(one.event), timestamp_ms=int(one.event.time or 0))
        for one in Run(load(str(file)), seed).arrivals()
    ]


class Foreseen(NamedTuple):
    """A run of the fleet in which a limit is crossed at `crossed_ms`, LEAD_MS or more after
    `first` was told, and none in QUIET_MS before it."""

    seed: int
    told: list[Pattern]
    first: Pattern
    crossed_ms: int


def foreseen(made: Topology, folder: Path) -> Foreseen:
    """The first such run; what is foreseen at all is for other tests to judge."""
    for seed in SEEDS:
        told = list(Detection(made).patterns(events(folder, seed)))
        opened = [one for one in told if one.revision == 1]
        first = next((one for one in opened if one.kind == "predicted"), None)
        crossed = [one.detected_at_ms for one in opened if one.kind in CROSSED]
        if first is None:
            continue
        around = [at - first.detected_at_ms for at in crossed]
        later = [at for at in around if at > -QUIET_MS]
        if later and min(later) >= LEAD_MS:
            return Foreseen(seed, told, first, first.detected_at_ms + min(later))
    raise AssertionError("no run is foreseen in time")
