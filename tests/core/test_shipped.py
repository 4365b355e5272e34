"""The shipped topology is the product's table: strategies, routes, layers and rate limits."""

from typing import Any, Final

import pytest

from faultstream.core.decide import route
from faultstream.core.event import ErrorEvent
from faultstream.core.grouping import Grouper
from faultstream.core.strategy import complete
from tests.core import making
from tests.core.responding import pattern

SHIPPED: Final = making.topology()
GROUPER: Final = Grouper(SHIPPED)

STRATEGIES: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "retry": ("broadcast", "low", {"max_attempts": 3, "delay_ms": 1_000, "backoff": "exponential"}),
    "timeout_increase": ("broadcast", "low", {"from_ms": 5_000, "to_ms": 15_000}),
    "cache_clear": ("broadcast", "low", {"pattern": "*"}),
    "pool_increase": ("broadcast", "low", {"from_size": 10, "to_size": 25}),
    "resource_scale": ("exactly_one", "medium", {"factor": 1.5}),
    "circuit_break": (
        "broadcast", "low", {"failure_threshold": 5, "open_ms": 60_000, "probes": 1},
    ),
    "fallback": ("broadcast", "low", {"mode": "cached", "ttl_ms": 60_000}),
    "queue_priority": ("broadcast", "low", {"from_priority": "normal", "to_priority": "high"}),
    "request_throttle": ("broadcast", "low", {"per_minute": 100, "burst": 10}),
    "service_restart": ("exactly_one", "high", {"graceful_ms": 30_000, "health_check": True}),
}  # fmt: skip

ROUTES: Final = {
    "DatabaseError": ["pool_increase", "timeout_increase", "cache_clear"],
    "TimeoutError": ["timeout_increase", "resource_scale", "cache_clear"],
    "MemoryError": ["resource_scale", "cache_clear", "queue_priority"],
    "ConnectionError": ["retry", "circuit_break", "fallback"],
    "ValidationError": ["fallback", "request_throttle"],
    "AuthenticationError": ["retry", "request_throttle"],
    "APIError": ["retry", "timeout_increase", "fallback"],
    "ServiceUnavailable": ["retry", "circuit_break", "service_restart"],
}

LAYERS: Final = {
    "api": (20, 10, True, [1, 2, 4, 8]),
    "service": (15, 8, True, [1.5, 3, 6, 12]),
    "core": (10, 5, False, [2, 4, 8, 16]),
    "infrastructure": (5, 3, True, [3, 6, 12, 24]),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_strategies(name: str) -> None:
    """Delivery, danger and parameters; those of topology.yaml are those of the strategy itself."""
    delivery, danger, parameters = STRATEGIES[name]
    policy = SHIPPED.strategies[name]
    assert (policy.delivery, policy.danger) == (delivery, danger)
    for given in (policy.parameters, {}):
        assert complete(name, given).items() >= parameters.items()


@pytest.mark.parametrize("error_type", ROUTES)
def test_routes(error_type: str) -> None:
    """An error of the type, as it is classified, is met by these strategies first."""
    event = ErrorEvent(service="orders", error_type=error_type, event_id="e", time=making.T0)
    verdict = GROUPER.group(event).verdict
    found = route(SHIPPED, pattern(error_type=error_type, category=verdict.category))
    assert found is not None
    assert list(found.strategies)[: len(ROUTES[error_type])] == ROUTES[error_type]


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str) -> None:
    """Errors a minute, escalation threshold, whether it recovers by itself, and weights."""
    most, threshold, automatic, weights = LAYERS[name]
    layer = SHIPPED.layers[name]
    assert (layer.max_errors_per_minute, layer.escalation_threshold) == (most, threshold)
    assert layer.automatic == automatic
    severities = ("low", "medium", "high", "critical")
    assert [getattr(layer.weights, each) for each in severities] == weights


def test_rate_limits() -> None:
    """Critical 5 in 5 min, error 10 in 15 min, warning 20 in an hour."""
    limits = SHIPPED.notification.rate_limits
    found = {name: (one.count, one.per_ms) for name, one in limits.items()}
    assert found == {
        "critical": (5, 300_000),
        "error": (10, 900_000),
        "warning": (20, 3_600_000),
    }
