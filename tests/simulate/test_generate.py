"""The generator: same seed, same bytes; what is planted is there, and nothing else moves."""

import hashlib
from collections import Counter

import msgspec
import pytest

from faultstream.config.errors import ConfigError
from faultstream.simulate.chance import poisson, stream, uneven
from faultstream.simulate.generate import Run
from faultstream.simulate.kinds import KINDS
from faultstream.simulate.reading import load
from faultstream.simulate.scenario import (
    Draw,
    Incident,
    IncidentKind,
    Lateness,
    Scenario,
    Service,
)
from faultstream.wire import encode_event

BUSY = load("busy-day")
SHORT = msgspec.structs.replace(BUSY, hours=6.0)


def lines(scenario: Scenario, seed: int) -> list[bytes]:
    return [encode_event(one.event) for one in Run(scenario, seed).arrivals()]


def test_same_bytes() -> None:
    """The same scenario and seed give the same bytes for ever; another seed gives others."""
    scenario = msgspec.structs.replace(BUSY, hours=0.2)
    once = lines(scenario, 7)
    assert once == lines(scenario, 7)
    assert once != lines(scenario, 8)
    digest = hashlib.sha256(b"\n".join(once)).hexdigest()
    assert digest == "532f1320e262c5f5f6a7a91a7863b0b1414f5c8782e6f51b5ab3b6eb56d443dc"


@pytest.mark.parametrize("kind", list(KINDS))
def test_kind(kind: IncidentKind) -> None:
    """Every kind shows errors where the truth says, and all of them are labelled."""
    drawn = msgspec.structs.replace(SHORT, hours=8.0, draws=(Draw(kind=kind, after="01:00"),))
    quiet = {
        name: msgspec.structs.replace(service, noise={}, rare_per_day=0.0)
        for name, service in BUSY.services.items()
    }
    drawn = msgspec.structs.replace(drawn, services=quiet, deploys_per_day=0.0)
    run = Run(drawn, 3)
    [truth] = run.truths
    arrivals = list(run.arrivals())
    assert truth.must == KINDS[kind].must
    assert len(arrivals) == truth.events > 0
    assert {one.incident for one in arrivals} == {0}
    assert {one.event.service for one in arrivals} == set(truth.services)
    assert min(one.happened_ms for one in arrivals) == truth.first_at_ms
    assert max(one.happened_ms for one in arrivals) == truth.end_at_ms
    assert truth.first_at_ms <= truth.felt_at_ms <= truth.end_at_ms
    assert len({one.event.event_id for one in arrivals}) == truth.events


def test_incident_leaves_noise() -> None:
    """One more incident changes nothing about the noise."""
    short = msgspec.structs.replace(BUSY, hours=0.5)
    incident = Incident(kind="burst", at="00:10", service="web-1", minutes=2)
    planted = msgspec.structs.replace(short, incidents=(incident,))
    plain = {one.event.event_id: one.happened_ms for one in Run(short, 1).arrivals()}
    noise = {
        one.event.event_id: one.happened_ms
        for one in Run(planted, 1).arrivals()
        if one.incident < 0
    }
    assert noise == plain


def test_arrival() -> None:
    """Events come in order of arrival, never before they happened, and clocks are off by the
    skew at most."""
    short = msgspec.structs.replace(BUSY, hours=0.5, skew_ms=900, lateness=Lateness(p99_ms=9_000))
    arrivals = list(Run(short, 1).arrivals())
    assert [one.arrived_ms for one in arrivals] == sorted(one.arrived_ms for one in arrivals)
    assert all(one.arrived_ms > one.happened_ms for one in arrivals)
    off = [int(one.event.time or 0) - one.happened_ms for one in arrivals]
    assert 800 < max(off) <= 900
    assert -900 <= min(off) < -800
    times = [int(one.event.time or 0) for one in arrivals]
    assert times != sorted(times)


def test_cascade_has_parents() -> None:
    """Errors of a cascade share a trace with the one that caused them, at a dependency."""
    incident = Incident(kind="cascade", at="01:00", service="ledger-1")
    run = Run(msgspec.structs.replace(BUSY, hours=2.0, incidents=(incident,)), 1)
    events = {one.event.event_id: one.event for one in run.arrivals() if one.incident == 0}
    children = [one for one in events.values() if one.parent_event_id]
    assert children
    for child in children:
        parent = events[child.parent_event_id]
        assert parent.trace_id == child.trace_id
        assert parent.service in run.fleet[child.service].depends_on


def test_releases() -> None:
    """A deploy changes the release from its moment on, and regression takes two."""
    incident = Incident(kind="regression", at="00:10", service="ledger-1")
    run = Run(msgspec.structs.replace(SHORT, deploys_per_day=0, incidents=(incident,)), 1)
    mine = [one for one in run.arrivals() if one.incident == 0]
    assert list(Counter(one.event.release for one in mine)) == ["1.0", "1.0.2"]


def test_no_room() -> None:
    """Asking for more incidents than there is room for is refused."""
    crowded = msgspec.structs.replace(BUSY, hours=4.0, draws=(Draw(kind="burst", times=60),))
    with pytest.raises(ConfigError, match="no room for 60 x burst"):
        Run(crowded, 1)


def test_chance() -> None:
    """Counts have the mean and the variance that they should."""
    chance = stream(1, "test")
    for mean in (0.3, 5.0, 200.0):
        drawn = [poisson(chance, mean) for _ in range(4_000)]
        assert abs(sum(drawn) / 4_000 - mean) < 0.1 * mean
    drawn = [uneven(chance, 10.0, 3.0) for _ in range(8_000)]
    middle = sum(drawn) / 8_000
    spread = sum((one - middle) ** 2 for one in drawn) / 8_000
    assert abs(middle - 10) < 0.3
    assert abs(spread - 30) < 3


@pytest.mark.parametrize("kind", list(KINDS))
def test_any_kind_anywhere(kind: IncidentKind) -> None:
    """In a fleet of one service each kind of incident can be planted, or is refused in words."""
    fleet = {"web": Service(layer="api", noise={"validation": 0.5})}
    for minutes in (None, 0.001):
        one = Incident(kind=kind, at="00:30", service="web", minutes=minutes)
        made = Scenario(version=1, name="lonely", hours=6.0, services=fleet, incidents=(one,))
        try:
            run: Run | None = Run(made, 1)
        except ConfigError as exc:
            run, refused = None, str(exc)
        if run is None:
            assert f"a {kind} at web shows no error. Take a service" in refused
        else:
            assert sum(one.incident == 0 for one in run.arrivals()) == run.truths[0].events > 0
