"""What calls return counts too, the other side may ask to wait, and every outcome is counted."""

import asyncio
from typing import Any

import pytest

from faultstream.client import (
    BreakerState,
    Bulkhead,
    BulkheadFullError,
    CallTimeoutError,
    CircuitBreaker,
    Degradation,
    Executor,
    Fallback,
    FaultError,
    RateLimiter,
    RequestNotPermittedError,
    ResourcePool,
    Retry,
    Timeout,
    backoff,
    in_force,
    operations,
    steer,
)
from faultstream.client import metrics as client_metrics
from faultstream.client.retry import Again
from tests.client.clock import Clock
from tests.client.topics import KEYS, command


class Answer:
    """Of a server."""

    def __init__(self, status: int) -> None:
        self.status = status


def bad(answer: Any) -> bool:
    """Whether the server could not."""
    return bool(answer.status >= 500)


class BusyError(Exception):
    """The other side says when."""

    def __init__(self, after_ms: Any) -> None:
        super().__init__("busy")
        self.after_ms = after_ms


def served(*statuses: int) -> Any:
    """A function that answers with these, one a call."""
    left = [Answer(status) for status in statuses]
    return lambda: left.pop(0)


async def test_a_bad_answer_is_a_failure_for_the_breaker() -> None:
    """`record_result` decides, sync and async; the answer is returned all the same."""
    breaker = CircuitBreaker(record_result=bad, window_size=4, minimum_calls=4, clock=Clock())
    serve = served(200, 503, 500, 503)
    assert [breaker.call(serve).status for _ in range(2)] == [200, 503]

    async def aserve() -> Answer:
        return Answer(serve().status)

    assert [(await breaker.acall(aserve)).status for _ in range(2)] == [500, 503]
    assert breaker.metrics()[:3] == (BreakerState.OPEN, 4, 3)


def test_a_judge_that_raises_costs_no_permit() -> None:
    """Its exception goes on; the probe of a breaker that is half open is free again."""
    clock = Clock()
    breaker = CircuitBreaker(record_result=lambda _: bool(1 // 0), half_open_calls=1, clock=clock)
    breaker.open_for(1_000)
    clock.now += 2
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            breaker.call(lambda: 1)
    assert breaker.state is BreakerState.HALF_OPEN


async def test_a_bad_answer_is_asked_for_again() -> None:
    """As often as after an exception; the last answer is returned, however bad."""
    told: list[Again] = []
    retry = Retry(
        "stock", max_attempts=3, backoff=backoff.fixed(5), retry_on_result=bad,
        on_retry=told.append, sleep=lambda _: None,
    )  # fmt: skip
    assert retry.call(served(503, 200)).status == 200
    assert retry.call(served(503, 502, 500, 200)).status == 500
    serve = served(503, 204)

    async def aserve() -> Answer:
        return Answer(serve().status)

    assert (await retry.acall(aserve)).status == 204
    assert [(one.name, one.attempt, one.wait_ms, one.exception) for one in told] == [
        ("stock", attempt, 5, None) for attempt in (1, 1, 2, 1)
    ]
    assert retry.counts == {
        "successful_without_retry": 0, "successful_with_retry": 2,
        "failed_without_retry": 0, "failed_with_retry": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "waited"),
    [(2_000, 2.0), (20, 0.1), (None, 0.1), (-5, 0.1), ("soon", 0.1), (10**9, 60.0)],
)
def test_the_other_side_says_when_to_come_back(asked: Any, waited: float) -> None:
    """The longer of what it asks for and the backoff, within a bound; nonsense is left out."""
    slept: list[float] = []
    retry = Retry(
        max_attempts=2,
        backoff=backoff.fixed(100),
        asked_ms=lambda exc: exc.after_ms if isinstance(exc, BusyError) else None,
        sleep=slept.append,
    )

    def busy() -> None:
        raise BusyError(asked)

    with pytest.raises(BusyError):
        retry.call(busy)
    assert slept == [waited]


def test_what_cannot_be_mended_is_not_tried_again() -> None:
    """A FaultError that says it is not recoverable ends the attempts; others do not."""
    tries: list[bool] = []

    def fail(*, recoverable: bool) -> None:
        tries.append(recoverable)
        raise FaultError("x", recoverable=recoverable)

    retry = Retry(max_attempts=2, backoff=backoff.fixed(0), sleep=lambda _: None)
    for recoverable in (False, True):
        with pytest.raises(FaultError):
            retry.call(fail, recoverable=recoverable)
    assert tries == [False, True, True]
    assert retry.counts["failed_without_retry"] == retry.counts["failed_with_retry"] == 1


def test_a_listener_that_raises_changes_nothing() -> None:
    """It is logged, and the call goes on."""
    retry = Retry(backoff=backoff.fixed(0), on_retry=lambda _: 1 // 0, sleep=lambda _: None,
                  retry_on_result=bad)  # fmt: skip
    assert retry.call(served(500, 200)).status == 200


async def test_every_refusal_is_counted() -> None:
    """By primitive and outcome, in `in_force` and as counters for Prometheus."""
    clock = Clock()
    bulkhead = Bulkhead("counted", max_concurrent_calls=1)
    throttle = RateLimiter("counted", per_minute=1, clock=clock)
    timeout = Timeout(1, name="counted")
    fallback = Fallback(lambda: 0, name="counted")
    breaker = CircuitBreaker("counted", clock=clock)
    retry = Retry("counted")
    with bulkhead.guard(), pytest.raises(BulkheadFullError):
        bulkhead.call(int)
    assert throttle.call(int) == 0
    with pytest.raises(RequestNotPermittedError):
        throttle.call(int)

    async def never() -> None:
        await asyncio.Event().wait()

    with pytest.raises(CallTimeoutError):
        await timeout.acall(never)
    assert fallback.call(lambda: 1 // 0) == retry.call(int) == 0
    breaker.force_open()
    with pytest.raises(RuntimeError):
        breaker.call(int)
    found = {one.kind: dict(one.counts) for one in in_force() if one.name == "counted"}
    assert found.pop("retry")["successful_without_retry"] == 1
    assert found == {
        "bulkhead": {"refused": 1},
        "throttle": {"refused": 1},
        "timeout": {"exceeded": 1},
        "fallback": {"answered": 1},
        "breaker": {"not_permitted": 1},
    }
    line = 'faultstream_client_calls_total{kind="bulkhead",name="counted",dependency="",outcome="refused"} 1'  # noqa: E501
    assert line in client_metrics.text()


def test_a_command_widens_a_bulkhead_for_a_time() -> None:
    """`pool_increase` is for bulkheads as for pools, within what the application allows."""
    clock = Clock()
    bulkhead = Bulkhead("charge", max_concurrent_calls=2, max_held_calls=5, clock=clock)
    pool: ResourcePool[object] = ResourcePool(object, name="db", size=1, clock=clock)
    executor = Executor("orders", keys=KEYS)
    steer(executor, pool=[pool, bulkhead])
    handler: Any = executor._handlers["pool_increase"].handler
    order = command("pool_increase", parameters={"to_size": 9, "ttl_ms": 60_000})
    assert handler(order).message == "db: size 9; charge: size 5"
    assert (pool.stats().size, bulkhead.available) == (9, 5)
    handler(command("pool_increase", rollback_of="x", parameters={"name": "charge"}))
    assert (pool.stats().size, bulkhead.available) == (9, 2)
    handler(order)
    clock.now += 61
    assert (pool.stats().size, bulkhead.available) == (1, 2)
    wide = Bulkhead("wide", max_concurrent_calls=200)
    assert wide.hold(300, 1_000) == 200


def test_operations_steer_their_bulkheads_beside_a_pool() -> None:
    """One call for all that the operations have, a pool and a cache."""
    made = operations({"charge": {"bulkhead": {"max_concurrent_calls": 2}, "retry": {}}})
    executor = Executor("orders", keys=KEYS)
    pool: ResourcePool[object] = ResourcePool(object)
    made.steer(executor, pool=pool, cache={})
    assert {"pool_increase", "retry", "cache_clear"} <= executor._handlers.keys()


def test_a_file_names_exceptions_and_functions() -> None:
    """Of Python, of a module, of the application; a name that is none is told with its path."""
    made = operations(
        {
            "charge": {
                "retry": {"retry_on": ["ConnectionError", "busy"], "retry_on_result": "bad",
                          "max_attempts": 2, "backoff": "fixed", "delay_ms": 0},
                "breaker": {"record": "json.decoder.JSONDecodeError", "record_result": "bad"},
            }
        },
        functions={"busy": BusyError, "bad": bad},
    )  # fmt: skip
    retry, breaker = made["charge"].retry, made["charge"].breaker
    assert retry is not None
    assert breaker is not None
    assert retry.call(served(500, 200)).status == 200
    for error, many in ((ConnectionResetError, 2), (BusyError, 2), (KeyError, 1)):
        tries: list[int] = []

        def fail(kind: Any = error, tries: list[int] = tries) -> None:
            tries.append(1)
            raise kind("x")

        with pytest.raises(error):
            retry.call(fail)
        assert len(tries) == many
    breaker.call(served(500))
    assert breaker.metrics().failed == 1
    for settings, said in (
        ({"retry": {"retry_on": ["no.such.Error"]}}, "retry.retry_on: no class of exceptions is"),
        ({"retry": {"retry_on": "len"}}, "retry.retry_on: expected classes of exceptions, got"),
        ({"breaker": {"record_result": "bat"}}, "breaker.record_result: no function is called"),
        ({"retry": {"clock": 5}}, "retry.clock: expected one of max_attempts"),
    ):
        with pytest.raises(ValueError, match=rf"^charge\.{said}"):
            operations({"charge": settings}, functions={"bad": bad})


def test_reduced_functionality_is_for_what_has_levels() -> None:
    """A command with that mode lowers a Degradation and leaves a Fallback alone."""
    clock = Clock()
    fallback, degradation = Fallback(lambda: 0, clock=clock), Degradation(clock=clock)
    executor = Executor("orders", keys=KEYS)
    steer(executor, fallback=[fallback, degradation])
    handler: Any = executor._handlers["fallback"].handler
    handler(command("fallback", parameters={"mode": "reduced", "level": 2}))
    assert (fallback.forced.get(), degradation.level) == (False, 2)
    alone = Executor("orders", keys=KEYS)
    steer(alone, fallback=fallback)
    handler = alone._handlers["fallback"].handler
    answer = handler(command("fallback", parameters={"mode": "reduced", "level": 2}))
    assert (answer.status, answer.message) == ("not_attempted", "nothing here has mode 'reduced'")
