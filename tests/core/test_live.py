"""How things stand: each rule from both sides, and the order of what is shown."""

import msgspec
import pytest

from faultstream.config.topology import load
from faultstream.core.report.live import (
    MINUTES,
    Facts,
    LiveIncident,
    Minute,
    OpenPattern,
    ServiceLive,
    judge,
)

NOW = 1_790_000_040_000
TOPOLOGY = load(None)
NOTHING = Facts(
    now_ms=NOW, stored_at_ms=NOW, minutes=[], layers={}, patterns=[], incidents=[], holds=[]
)
INCIDENT = LiveIncident(
    "i", "production", "orders", "high", "recovering", 0, 0, 0, None, "", [], []
)
PATTERN = OpenPattern(
    "p", "burst", "production", "orders", "api", "KeyError", "high", 5, 1.0, 0, 0, ""
)


def minute(ago: int, errors: int, service: str = "orders") -> Minute:
    return Minute(NOW - ago * 60_000 - NOW % 60_000, "production", service, errors, 0)


def one(**facts: object) -> ServiceLive:
    live = judge(msgspec.structs.replace(NOTHING, **facts), TOPOLOGY)
    (found,) = live.services
    assert (live.status, found.service) == (found.status, "orders")
    return found


@pytest.mark.parametrize(
    ("change", "status", "rule"),
    [
        ({"state": "escalated"}, "critical", "an incident waits for a person"),
        ({"severity": "fatal"}, "critical", "an incident of severity fatal is open"),
        ({}, "warning", "1 incident open"),
        ({"state": "resolved"}, "healthy", "errors below every limit"),
        ({"state": "escalated", "experiment_id": "x"}, "healthy", "errors below every limit"),
    ],
)
def test_incidents_decide_first(change: dict[str, str], status: str, rule: str) -> None:
    """One that waits or is grave is critical, another open one a warning, an ended one nothing."""
    incident = msgspec.structs.replace(INCIDENT, **change)
    found = one(incidents=[incident], minutes=[minute(0, 1)])
    assert (found.status, found.rule) == (status, rule)


def test_patterns_decide_next() -> None:
    """A grave one is critical, one that opens incidents a warning, any other nothing."""
    grave = msgspec.structs.replace(PATTERN, severity="critical")
    assert one(patterns=[PATTERN, grave]).rule == "burst: a pattern of severity critical is open"
    assert one(patterns=[PATTERN]).rule == "open pattern: burst"
    other = msgspec.structs.replace(PATTERN, kind="periodic")
    assert one(patterns=[other]).status == "healthy"


@pytest.mark.parametrize(("errors", "status"), [(20, "healthy"), (21, "warning")])
@pytest.mark.parametrize("ago", [0, 1])
def test_the_layers_limit_decides_last(errors: int, status: str, ago: int) -> None:
    """More errors in this minute or the last one than the layer allows are a warning."""
    layers = {("production", "orders"): "api"}
    assert one(minutes=[minute(ago, errors)], layers=layers).status == status
    assert one(minutes=[minute(2, errors)], layers=layers).status == "healthy"
    assert one(minutes=[minute(ago, errors)]).status == "healthy"


def test_rates_are_by_minute_and_bounded() -> None:
    """MINUTES of them, the oldest first; what is older is left out."""
    live = judge(
        msgspec.structs.replace(
            NOTHING,
            minutes=[minute(MINUTES, 9), minute(MINUTES - 1, 2), minute(0, 3), minute(0, 4, "b")],
        ),
        TOPOLOGY,
    )
    assert (live.rates[0], live.rates[-1], sum(live.rates)) == (2, 7, 9)
    assert [(found.service, found.errors_hour) for found in live.services] == [
        ("b", 4),
        ("orders", 5),
    ]


def test_the_worst_is_first() -> None:
    """Services by how bad it is, then by errors; the whole is as its worst service."""
    bad = msgspec.structs.replace(INCIDENT, service="till", state="escalated")
    live = judge(
        msgspec.structs.replace(
            NOTHING, incidents=[INCIDENT, bad], minutes=[minute(0, 500, "search")]
        ),
        TOPOLOGY,
    )
    assert [found.service for found in live.services] == ["till", "orders", "search"]
    assert (live.status, live.rule) == ("critical", "1 critical, 1 warning of 3 services")


def test_nothing_is_healthy() -> None:
    """Before the first error nothing is wrong, and that is said."""
    live = judge(NOTHING, TOPOLOGY)
    assert (live.status, live.rule) == ("healthy", "no service has told of an error yet")
    assert live.rates == [0] * MINUTES
