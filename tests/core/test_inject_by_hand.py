"""Faults on purpose: only when a person asks, only where switched on, and always labelled."""

from typing import Any

import pytest

from faultstream.core.controls import Trigger
from tests.core.responding import Desk, topology

FAULT = {"target": "db", "error": "TimeoutError"}


def desk(routes: tuple[str, ...] = ("fallback",), **inject: Any) -> Desk:
    """Faults may be injected, unless told otherwise."""
    strategies = {"inject": {"danger": "high", "parameters": FAULT, **inject}}
    return Desk(
        topology(strategies=strategies, routes=[{"name": "all", "strategies": list(routes)}])
    )


def asks(here: Desk, **more: Any) -> None:
    """A person wants a fault in orders."""
    here.wishes(Trigger(service="orders", strategy="inject", **more))


def test_a_person_may_inject() -> None:
    """The command has their name, the parameters, and an experiment of its own."""
    here = desk()
    asks(here, strategy_parameters={"probability": 0.2})
    (command,) = here.commands
    assert (command.strategy, command.approved_by) == ("inject", "ann")
    assert (command.parameters["target"], command.parameters["probability"]) == ("db", 0.2)
    assert command.experiment_id


def test_the_shipped_topology_has_it_switched_off() -> None:
    """A trigger is answered with the reason, and nothing is commanded."""
    here = Desk()
    asks(here)
    assert here.commands == []
    assert "inject: switched off in the topology" in here.last.reason


def test_no_route_ever_injects() -> None:
    """Even if one names it, it is passed over, and nobody is asked to approve it."""
    here = desk(("inject", "fallback"))
    here.opens()
    (command,) = here.commands
    assert command.strategy == "fallback"
    assert "inject: only by hand" in command.reason
    alone = desk(("inject",))
    alone.opens()
    assert (alone.commands, alone.at) == ([], "escalated")
    assert "waits for approval" not in alone.last.reason


@pytest.mark.parametrize("parameters", [{"probability": 2}, {"error": ""}, {"scope": "x"}])
def test_wrong_parameters_are_refused(parameters: dict[str, Any]) -> None:
    """As for every strategy."""
    here = desk()
    asks(here, strategy_parameters=parameters)
    assert here.commands == []
    assert "its parameters are wrong" in here.last.reason


def test_what_is_switched_off_is_passed_over() -> None:
    """Any strategy may be; a workflow that needs one is not begun."""
    strategies = {
        "retry": {"enabled": False},
        "both": {"steps": [{"id": "a", "strategy": "cache_clear"},
                           {"id": "b", "strategy": "retry", "needs": ["a"]}]},
    }  # fmt: skip
    routes = [{"name": "all", "strategies": ["both", "retry", "fallback"]}]
    here = Desk(topology(strategies=strategies, routes=routes))
    here.opens()
    assert [one.strategy for one in here.commands] == ["fallback"]
    assert here.commands[0].reason.count("switched off in the topology") == 2
