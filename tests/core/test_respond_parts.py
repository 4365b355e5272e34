"""The parts of response alone: strategies' parameters, routes, correlation, controls."""

from typing import Any

import pytest

from faultstream.core.correlate import correlate, dependencies
from faultstream.core.decide import layer_of, route
from faultstream.core.records import Control, Incident, RecoveryCommand
from faultstream.core.respond import EnvironmentState, Respond, Tick
from faultstream.core.strategy import BY_HAND, STRATEGIES, check, complete
from tests.core import making
from tests.core.making import T0
from tests.core.responding import pattern, topology

TOPOLOGY = topology()


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name not in BY_HAND])
def test_defaults_are_valid(name: str) -> None:
    """Every built-in strategy of recovery can be commanded without any parameter given."""
    assert check(name, {}) == []
    assert complete(name, {}) == complete(name, complete(name, {}))


@pytest.mark.parametrize(
    ("name", "parameters", "problem"),
    [
        ("retry", {"max_attempts": 0}, "Expected `int` >= 1 - at `$.max_attempts`"),
        ("retry", {"tries": 3}, "Object contains unknown field `tries`"),
        ("pool_increase", {"from_size": 10, "to_size": 10}, "to_size must be more than"),
        ("timeout_increase", {"from_ms": 9_000, "to_ms": 5_000}, "to_ms must be more than"),
        ("fallback", {"mode": "alternative"}, "mode alternative needs an endpoint"),
        ("fallback", {"mode": "reduced"}, "mode reduced needs a level"),
        ("retry", {"operation": ""}, "Expected `str` of length >= 1 - at `$.operation`"),
        ("cache_clear", {"operation": "a"}, "Object contains unknown field `operation`"),
        ("circuit_break", {"hold_ms": 3_600_001}, "Expected `int` <= 3600000 - at `$.hold_ms`"),
        ("inject", {}, "Object missing required field `target`"),
        ("inject", {"target": "db"}, "nothing to inject"),
        ("fallback", {"mode": "reduced", "level": 4}, "Expected `int` <= 3 - at `$.level`"),
    ],
)
def test_bad_parameters(name: str, parameters: dict[str, Any], problem: str) -> None:
    """Parameters out of bounds are named."""
    (found,) = check(name, parameters)
    assert problem in found


def test_every_built_in_strategy_is_in_the_shipped_topology() -> None:
    """Each with a prior, and on some route, so that learning may come to it."""
    shipped = making.topology()
    assert set(shipped.strategies) == set(STRATEGIES)
    routed = {name for one in shipped.routes for name in one.strategies}
    assert routed == set(STRATEGIES) - BY_HAND


@pytest.mark.parametrize(
    ("name", "prior"),
    list(zip(STRATEGIES, (75, 65, 80, 85, 80, 90, 95, 70, 65, 88), strict=False)),
)
def test_priors(name: str, prior: int) -> None:
    """The success rates that are believed before anything was seen."""
    assert making.topology().strategies[name].prior == prior / 100


def test_own_strategies_carry_anything() -> None:
    """A strategy that is not built in may have any parameters; they are passed on."""
    assert check("warm_cache", {"zone": "eu"}) == []
    assert complete("warm_cache", {"zone": "eu"}) == {"zone": "eu"}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"category": "database"}, "database"),
        (
            {"category": "code", "error_type": "java.lang.ServiceUnavailableException"},
            "unavailable",
        ),
        ({"category": "code", "error_type": "stripe.APIError"}, "api"),
        ({"category": "code", "error_type": "APIErrorish"}, "release"),
        ({"category": ""}, "rest"),
    ],
)
def test_first_route_wins(changes: dict[str, Any], name: str) -> None:
    """Routes are asked in order, by category and by type with or without module."""
    found = route(TOPOLOGY, pattern(**changes))
    assert found is not None
    assert found.name == name


def test_layers() -> None:
    """No layer means `service`; an unknown one has no policy."""
    assert layer_of(TOPOLOGY, "") is TOPOLOGY.layers["service"]
    assert layer_of(TOPOLOGY, "mainframe") is None


def test_dependencies() -> None:
    """Dependencies are followed with their distance, circles end."""
    assert dependencies(TOPOLOGY, "gateway") == {"orders": 1, "ledger": 2}
    circle = making.topology(
        services={
            "a": {"layer": "api", "depends_on": ["b"]},
            "b": {"layer": "api", "depends_on": ["a"]},
        }
    )
    assert dependencies(circle, "a") == {"b": 1}


@pytest.mark.parametrize(
    ("changes", "joins"),
    [
        ({}, True),
        ({"fingerprint": "g"}, True),
        ({"fingerprint": "g", "category": "validation"}, False),
        ({"fingerprint": "", "category": ""}, True),
        ({"service": "gateway", "fingerprint": "g"}, True),
        ({"service": "ledger", "fingerprint": "g"}, False),
        ({"experiment_id": "x"}, False),
    ],
)
def test_correlation(changes: dict[str, Any], joins: bool) -> None:
    """What joins an open incident of orders, and what does not."""
    respond = Respond(TOPOLOGY)
    state = respond.new("production")
    respond.step(state, pattern(), T0)
    assert (correlate(TOPOLOGY, state, pattern(2, **changes)) is not None) is joins


def commands(out: list[Any]) -> list[RecoveryCommand]:
    """The commands among outputs."""
    return [one for one in out if isinstance(one, RecoveryCommand)]


def approve(state: EnvironmentState) -> Control:
    """A person agrees to the first open incident's proposal."""
    return Control(
        control_id="c", kind="approve", subject=next(iter(state.cases)), by="ann", set_at_ms=T0
    )


def test_approval() -> None:
    """A manual layer waits; approval issues the command with the person's name; pauses win."""
    respond = Respond(TOPOLOGY)
    state = respond.new("production")
    out = respond.step(state, pattern(service="ledger", layer="core"), T0)
    assert commands(out) == []
    pause = Control(control_id="p", kind="pause", subject="pause/*", set_at_ms=T0)
    respond.step(state, pause, T0)
    assert commands(respond.step(state, approve(state), T0)) == []
    resume = Control(control_id="p", kind="pause", subject="pause/*", active=False, set_at_ms=T0)
    made = commands(respond.step(state, resume, T0 + 1))
    made += commands(respond.step(state, Tick(T0 + 2_000), T0 + 2_000))
    assert [(one.strategy, one.approved_by) for one in made] == [("retry", "ann")]


def test_pause_of_another_environment() -> None:
    """A pause of staging does not hold production."""
    respond = Respond(TOPOLOGY)
    state = respond.new("production")
    pause = Control(
        control_id="p",
        kind="pause",
        subject="pause/staging",
        environment="staging",
        set_at_ms=T0,
    )
    respond.step(state, pause, T0)
    assert len(commands(respond.step(state, pattern(), T0))) == 1


def test_pause_runs_out() -> None:
    """A pause with an end holds until then and not longer."""
    respond = Respond(TOPOLOGY)
    state = respond.new("production")
    pause = Control(
        control_id="p", kind="pause", subject="pause/*", set_at_ms=T0, until_at_ms=T0 + 5_000
    )
    respond.step(state, pause, T0)
    assert commands(respond.step(state, pattern(), T0)) == []
    assert commands(respond.step(state, Tick(T0 + 4_999), T0 + 4_999)) == []
    made = [
        one
        for at in (5_000, 6_000, 7_000)
        for one in commands(respond.step(state, Tick(T0 + at), T0 + at))
    ]
    assert len(made) == 1


def test_stale_patterns_command_nothing() -> None:
    """An error older than a command would live is no reason for one."""
    respond = Respond(TOPOLOGY)
    limit = TOPOLOGY.guards.command_ttl_ms + TOPOLOGY.detectors.allowed_lateness_ms
    for late, count in ((limit, 1), (limit + 1, 0)):
        state = respond.new("production")
        assert len(commands(respond.step(state, pattern(), T0 + late))) == count


def test_times_for_sql() -> None:
    """An incident carries the first error's time, its own opening and its resolution."""
    respond = Respond(TOPOLOGY)
    state = respond.new("production")
    respond.step(state, pattern(), T0 + 50)
    closed = pattern(revision=2, state="closed", rate=0.0, closed_at_ms=T0 + 15_000)
    out = respond.step(state, closed, T0 + 25_000)
    (incident,) = [one for one in out if isinstance(one, Incident)]
    assert incident.first_error_at_ms == T0
    assert incident.opened_at_ms == T0 + 50
    assert incident.resolved_at_ms == T0 + 25_000
