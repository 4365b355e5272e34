"""What the tests of detection and response are made of: events, groups, topologies."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from faultstream.core.detect import Detect, ServiceState, is_withdrawn
from faultstream.core.event import ErrorEvent
from faultstream.core.group import Category, Group, Verdict
from faultstream.core.policy import Topology
from faultstream.core.records import Pattern
from faultstream.core.severity import Severity
from faultstream.core.watermark import Watermark

T0: Final = 1_700_000_000_000 - 1_700_000_000_000 % 60_000
END: Final = 1 << 53
_FILE: Final = Path(__file__).resolve().parents[2] / "topology.yaml"


def topology(**changes: Any) -> Topology:
    """The shipped topology with parts replaced: `detectors={...}`, `guards={...}` and so on."""
    raw = yaml.safe_load(_FILE.read_text())
    for name, value in changes.items():
        raw[name] = {**raw.get(name, {}), **value} if isinstance(value, dict) else value
    return msgspec.convert(raw, Topology)


def burst(service: str, at_ms: int, **changes: Any) -> Pattern:
    """An open burst of a service, of T0 + `at_ms`."""
    fields: dict[str, Any] = {
        "pattern_id": f"{service}-{at_ms}",
        "revision": 1,
        "kind": "burst",
        "state": "open",
        "environment": "production",
        "service": service,
        "layer": "service",
        "first_at_ms": T0 + at_ms,
        "last_at_ms": T0 + at_ms,
        "detected_at_ms": T0 + at_ms,
        "count": 5,
    }
    return Pattern(**{**fields, **changes})


def group(
    name: str = "a",
    *,
    severity: Severity = "high",
    category: Category = "network",
    error_type: str = "ConnectionError",
    transient: bool = True,
) -> Group:
    """A group whose fingerprint is `name`."""
    verdict = Verdict("technical", category, severity, transient, 0.9, "test", 503)
    return Group(name, name, "", error_type, verdict)


def event(
    time_ms: int,
    event_id: str = "",
    *,
    service: str = "orders",
    count: int = 1,
    experiment_id: str = "",
    layer: str = "",
    release: str = "",
) -> ErrorEvent:
    """An event at T0 + time_ms."""
    return ErrorEvent(
        service=service,
        error_type="ConnectionError",
        time=T0 + time_ms,
        event_id=event_id or f"e{time_ms}",
        count=count,
        experiment_id=experiment_id,
        layer=layer,
        release=release,
    )


Seen = tuple[ErrorEvent, Group]


class Line:
    """One service's way through detection, as the worker does it."""

    def __init__(self, made: Topology) -> None:
        self.detect = Detect(made)
        self.state: ServiceState = self.detect.new("production", "orders")
        self.mark = Watermark(made.detectors)
        self.late = 0

    def take(self, chunk: Iterable[Seen]) -> list[Pattern]:
        """Observes a chunk, then judges."""
        for one, its in chunk:
            time_ms = int(one.time or 0)
            if not self.detect.observe(self.state, one, its, one.event_id, time_ms):
                self.late += one.count
            self.mark.advance(time_ms, time_ms)
        return self.judge()

    def judge(self, watermark_ms: int | None = None) -> list[Pattern]:
        """Judges at the line's own watermark, or a given one."""
        value = self.mark.value_ms if watermark_ms is None else watermark_ms
        return self.detect.judge(self.state, value)

    def reload(self) -> None:
        """Saves the state and goes on with what was loaded."""
        self.state = self.detect.load(self.detect.save(self.state))

    def end(self, step_ms: int = 1_000, steps: int = 40) -> list[Pattern]:
        """Lets all episodes close."""
        out: list[Pattern] = []
        for step in range(steps):
            out += self.judge(self.mark.value_ms + step * step_ms)
        return out + self.judge(END)


def chunks(seen: Sequence[Seen], size: int) -> Iterator[Sequence[Seen]]:
    """`seen` in runs of `size`."""
    for start in range(0, len(seen), size):
        yield seen[start : start + size]


def run(made: Topology, seen: Sequence[Seen], size: int = 1) -> list[Pattern]:
    """Every revision for events in the order in which they arrive."""
    line = Line(made)
    out = [pattern for chunk in chunks(seen, size) for pattern in line.take(chunk)]
    return out + line.end()


def final(patterns: Iterable[Pattern]) -> list[Pattern]:
    """The last revision of each pattern that was not withdrawn, in a fixed order."""
    last = {one.pattern_id: one for one in patterns}
    kept = [one for one in last.values() if not is_withdrawn(one)]
    return sorted(kept, key=lambda one: one.pattern_id)
