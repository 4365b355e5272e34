"""Commands change primitives through a real executor, and only for a time."""

from typing import Any

import pytest

from faultstream.client import (
    BreakerState,
    CircuitBreaker,
    Executor,
    Fallback,
    Outcome,
    RateLimiter,
    RecoveryCommand,
    ResourcePool,
    Retry,
    Timeout,
    steer,
)
from faultstream.client.throttle import Rate
from faultstream.core.strategy import SCOPES, STRATEGIES, check, complete, scopable
from tests.client import topics
from tests.client.clock import Clock
from tests.client.topics import KEYS, command, signed

# As in topology.yaml.
PARAMETERS: dict[str, dict[str, Any]] = {
    "circuit_break": {"failure_threshold": 5, "open_ms": 60_000, "probes": 1},
    "pool_increase": {"from_size": 10, "to_size": 25},
    "timeout_increase": {"from_ms": 5_000, "to_ms": 15_000},
    "fallback": {"mode": "cached", "ttl_ms": 60_000},
    "retry": {"max_attempts": 5, "delay_ms": 1_000, "backoff": "exponential"},
    "request_throttle": {"per_minute": 100, "burst": 10},
    "cache_clear": {"pattern": "user:*"},
}

STEERED = tuple(name for name in STRATEGIES if scopable(name))


class Shop:
    """One primitive of each kind, steered."""

    def __init__(self, **more: Any) -> None:
        self.clock = Clock()
        clock = self.clock
        given: dict[str, Any] = {"keys": KEYS, **more}
        self.executor = Executor("orders", **given)
        self.breaker = CircuitBreaker("db", clock=clock)
        self.pool: ResourcePool[object] = ResourcePool(object, name="db", max_size=20, clock=clock)
        self.timeout = Timeout(5_000, name="db", clock=clock)
        self.fallback = Fallback(lambda: "other", cache_ms=1, clock=clock)
        self.retry = Retry(max_attempts=2, clock=clock)
        self.throttle = RateLimiter(clock=clock)
        self.cache: dict[str, int] = {"user:1": 1, "user:2": 2, "item:1": 3}
        steer(
            self.executor,
            breaker=self.breaker,
            pool=self.pool,
            timeout=self.timeout,
            fallback=self.fallback,
            retry=[self.retry],
            throttle=self.throttle,
            cache=self.cache,
        )

    def carry_out(self, order: RecoveryCommand) -> Outcome:
        """What the handler answers."""
        handler: Any = self.executor._handlers[order.strategy].handler
        outcome: Outcome = handler(order)
        return outcome

    def in_force(self) -> tuple[object, ...]:
        """Everything that commands can change."""
        return (
            self.breaker.state,
            self.pool.stats().size,
            self.timeout.limit_ms.get(),
            self.fallback.forced.get(),
            self.fallback.cache_ms.get(),
            self.retry.plan.get().max_attempts,
            self.throttle.rate.get(),
        )


LOCAL = (BreakerState.CLOSED, 10, 5_000, False, 1, 2, None)
HELD = (BreakerState.OPEN, 20, 15_000, True, 60_000, 5, Rate(100, 10))


def test_every_command_of_the_topology_is_understood() -> None:
    """Each default parameter set changes its primitive; local control is back afterwards."""
    shop = Shop()
    assert shop.in_force() == LOCAL
    for strategy, parameters in PARAMETERS.items():
        order = command(strategy, parameters={**parameters, "hold_ms": 60_000})
        assert shop.carry_out(order).status == "success", strategy
    assert shop.in_force() == HELD
    assert shop.cache == {"item:1": 3}
    shop.clock.move(60)
    shop.breaker.call(lambda: None)
    assert shop.in_force() == LOCAL


@pytest.mark.parametrize("strategy", [*STEERED])
def test_a_part_that_the_topology_names_is_all_that_changes(strategy: str) -> None:
    """An operation or dependency in a strategy's parameters reaches the client as such."""
    shop = Shop()
    for scope in SCOPES:
        given = {**PARAMETERS[strategy], scope: "elsewhere"}
        assert check(strategy, given) == []
        outcome = shop.carry_out(command(strategy, parameters=complete(strategy, given)))
        assert outcome == Outcome("not_attempted", f"nothing here has {scope} 'elsewhere'")
    assert shop.in_force() == LOCAL
    for primitive in (shop.breaker, shop.pool, shop.timeout, shop.fallback, shop.retry):
        primitive.dependency = "stripe"
    shop.throttle.dependency = "stripe"
    parameters = complete(strategy, {**PARAMETERS[strategy], "dependency": "stripe"})
    assert shop.carry_out(command(strategy, parameters=parameters)).status == "success"


def test_without_a_hold_the_expiry_of_the_command_ends_it() -> None:
    """The change lasts as long as the command would have been valid."""
    shop = Shop(clock_ms=lambda: 1_000_000)
    order = command(
        "timeout_increase", parameters={"to_ms": 9_000}, issued_at_ms=0, expires_at_ms=1_003_000
    )
    assert shop.carry_out(order).details == {"hold_ms": 3_000, "done": {"db": "9000 ms"}}
    shop.clock.move(2.9)
    assert shop.timeout.seconds == 9
    shop.clock.move(0.2)
    assert shop.timeout.seconds == 5


def test_a_strategy_with_a_time_to_live_lasts_as_long() -> None:
    """ttl_ms outlives the command; hold_ms goes before it; in fallback it means something else."""
    shop = Shop()
    parameters = {**PARAMETERS["timeout_increase"], "ttl_ms": 300_000}
    shop.carry_out(command("timeout_increase", parameters=parameters))
    assert shop.timeout.limit_ms.left_ms == 300_000
    shop.carry_out(command("timeout_increase", parameters={**parameters, "hold_ms": 1_000}))
    assert shop.timeout.limit_ms.left_ms == 1_000
    shop.carry_out(command("fallback", parameters={"ttl_ms": 300_000}))
    assert 0 < shop.fallback.forced.left_ms <= 60_000


def test_a_rollback_takes_a_change_back() -> None:
    """A command with rollback_of returns to local control at once; a breaker is probed first."""
    shop = Shop()
    for strategy, parameters in PARAMETERS.items():
        shop.carry_out(command(strategy, parameters={**parameters, "hold_ms": 60_000}))
    for strategy in PARAMETERS:
        shop.carry_out(command(strategy, rollback_of="earlier"))
    assert shop.in_force() == (BreakerState.HALF_OPEN, *LOCAL[1:])


@pytest.mark.parametrize(
    ("strategy", "parameters", "message"),
    [
        ("pool_increase", {}, "parameters: KeyError: 'to_size'"),
        ("pool_increase", {"to_size": "many"}, "parameters: ValueError"),
        ("pool_increase", {"to_size": 5, "name": "other"}, "nothing here has name 'other'"),
        ("retry", {"operation": "other"}, "nothing here has operation 'other'"),
        ("retry", {"dependency": "stripe"}, "nothing here has dependency 'stripe'"),
        ("retry", {"backoff": "cubic"}, "parameters: ValueError: backoff: expected one of"),
        ("request_throttle", {"per_minute": 0}, "per_minute must be above 0"),
        ("timeout_increase", {"to_ms": 1, "hold_ms": 10**9}, "hold_ms: expected 1 to 3600000"),
    ],
)
def test_bad_parameters_change_nothing(
    strategy: str, parameters: dict[str, Any], message: str
) -> None:
    """What cannot be done is not_attempted, with the reason."""
    shop = Shop()
    outcome = shop.carry_out(command(strategy, parameters={"hold_ms": 1_000, **parameters}))
    assert outcome.status == "not_attempted"
    assert message in outcome.message
    assert shop.in_force() == LOCAL


def test_commands_never_loosen() -> None:
    """A smaller pool, a shorter timeout, a higher rate: the local value stays."""
    shop = Shop()
    shop.throttle.rate.local = Rate(50, 5)
    for strategy, parameters in (
        ("pool_increase", {"to_size": 1}),
        ("timeout_increase", {"to_ms": 1}),
        ("request_throttle", {"per_minute": 100, "burst": 10}),
    ):
        shop.carry_out(command(strategy, parameters={**parameters, "hold_ms": 1_000}))
    assert shop.in_force() == (*LOCAL[:6], Rate(50, 5))


def test_a_disabled_breaker_is_left_alone() -> None:
    """Somebody switched it off; the answer says that nothing was attempted."""
    shop = Shop()
    shop.breaker.disable()
    outcome = shop.carry_out(command("circuit_break", parameters=PARAMETERS["circuit_break"]))
    assert (outcome.status, outcome.message) == (
        "not_attempted", "db: left alone, it is disabled"
    )  # fmt: skip


def test_a_published_command_opens_the_breaker(embedded_broker: str, prefix: str) -> None:
    """From the topic to the primitive and back to the result, over a broker."""
    names = {"commands_topic": f"{prefix}.commands", "results_topic": f"{prefix}.results"}
    topics.create(embedded_broker, *names.values())
    shop = Shop(brokers=embedded_broker, instance="orders-1", **names)
    with shop.executor:
        order = command("circuit_break", parameters=PARAMETERS["circuit_break"])
        topics.publish(embedded_broker, names["commands_topic"], signed(order))
        result = topics.results(embedded_broker, names["results_topic"], 1)[0]
    assert (result.status, result.message) == ("success", "db: open for 60000 ms")
    assert shop.breaker.state is BreakerState.OPEN
