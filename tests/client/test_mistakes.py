"""Common mistakes are refused where they are made, with what was expected and the way out."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from faultstream.client import (
    AdaptiveTimeout,
    Bulkhead,
    CircuitBreaker,
    Degradation,
    Executor,
    Fallback,
    Operation,
    RateLimiter,
    Reporter,
    ResourcePool,
    Retry,
    RollbackStack,
    Timeout,
    backoff,
    describe,
    operations,
    resilient,
    steer,
    with_recovery,
)
from tests.client.topics import KEYS

Any_: Any = None
THING: Any = "x"


def work() -> None:
    """A function."""


async def awork() -> int:
    """A coroutine function."""
    return 1


def items() -> Iterator[int]:
    """A generator."""
    yield 1


async def aitems() -> AsyncIterator[int]:
    """An asynchronous generator."""
    yield 1


class Later:
    """An object whose call is asynchronous."""

    async def __call__(self) -> int:
        """One."""
        return 1


def primitives() -> list[Any]:
    """One of each that decorates."""
    return [
        CircuitBreaker(), Retry(), Timeout(1_000), AdaptiveTimeout(), Bulkhead(), RateLimiter(),
        Fallback(lambda: 0),
    ]  # fmt: skip


@pytest.mark.parametrize("primitive", primitives(), ids=lambda one: type(one).__name__)
def test_what_cannot_be_decorated_is_refused_at_once(primitive: Any) -> None:
    """Generators, because calling them does nothing yet; and what is no function."""
    for function in (items, aitems):
        with pytest.raises(TypeError, match=f"cannot decorate the generator {function.__name__}"):
            primitive(function)
    with pytest.raises(TypeError, match="expected a function to decorate, got 3"):
        primitive(3)


@pytest.mark.parametrize("primitive", primitives(), ids=lambda one: type(one).__name__)
async def test_a_coroutine_function_is_called_by_acall(primitive: Any) -> None:
    """`call` refuses it; objects that are called asynchronously are decorated as such."""
    with pytest.raises(TypeError, match="awork is a coroutine function: use acall"):
        primitive.call(awork)
    assert await primitive(awork)() == await primitive.acall(awork) == 1
    wrapped = primitive(Later())
    assert await wrapped() == 1


def test_an_asynchronous_alternative_needs_an_asynchronous_function() -> None:
    """Else its answer would be a coroutine that nobody awaits."""
    with pytest.raises(TypeError, match="awork is asynchronous, the function is not"):
        Fallback(awork)(work)
    with pytest.raises(ZeroDivisionError):
        Fallback(awork).call(lambda: 1 // 0)


@pytest.mark.parametrize("kind", [CircuitBreaker, Retry, Timeout, Bulkhead, RateLimiter])
def test_a_class_is_no_decorator(kind: Callable[[Any], object]) -> None:
    """It would take the function for its name."""
    with pytest.raises(TypeError, match=r"decorate with an object of it, as in @\w+\(\.\.\.\)"):
        kind(work)


def reporter(**changes: Any) -> Reporter:
    """One with something wrong."""
    return Reporter("orders", **changes)


def executor(**changes: Any) -> Executor:
    """One with something wrong."""
    return Executor("orders", **{"keys": KEYS, **changes})


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: CircuitBreaker(open_ms=-1), ValueError, "open_ms: expected a number of at least"),
        (lambda: CircuitBreaker(slow_ms=Any_), TypeError, "slow_ms: expected a number of at least"),
        (lambda: CircuitBreaker(slow_ms=float("nan")), ValueError, "slow_ms: expected a number of"),
        (lambda: CircuitBreaker(open_backoff=0.5), ValueError, "open_backoff: expected a number"),
        (lambda: CircuitBreaker(window=Any_), ValueError, "window: expected count or time, got"),
        (lambda: CircuitBreaker(Any_), TypeError, "CircuitBreaker: name: expected text, got None"),
        (lambda: Retry(max_attempts=0), ValueError, "max_attempts: expected a whole number of at"),
        (lambda: Retry(backoff=500), TypeError, "backoff: expected a function, got 500"),  # type: ignore[arg-type]
        (lambda: Timeout("2s"), TypeError, "ms: expected a number of at least 1, got '2s'"),  # type: ignore[arg-type]
        (lambda: Timeout(0), ValueError, "ms: expected a number of at least 1, got 0"),
        (lambda: AdaptiveTimeout(min_ms=9, max_ms=5), ValueError, "min_ms: expected a number from"),
        (lambda: Bulkhead(max_wait_ms=-1), ValueError, "max_wait_ms: expected a number of"),
        (lambda: Bulkhead(max_concurrent_calls=True), TypeError, "max_concurrent_calls: expected"),
        (lambda: RateLimiter(per_minute=0), ValueError, "per_minute: expected a number above 0"),
        (lambda: Fallback("none"), TypeError, "alternatives: expected a function, got 'none'; a"),  # type: ignore[arg-type]
        (lambda: ResourcePool(3), TypeError, "create: expected a function, got 3"),  # type: ignore[arg-type]
        (lambda: ResourcePool(work, size=0), ValueError, "size: expected a whole number from 1 to"),
        (lambda: Degradation(Any_), TypeError, "Degradation: name: expected text, got None"),
        (lambda: backoff.exponential(-1), ValueError, "delay_ms: expected a number of at least 0"),
        (lambda: backoff.jittered(backoff.fixed(1), 2), ValueError, "ratio: expected a number"),
        (lambda: Reporter(Any_), TypeError, "service: expected a name, got None"),
        (lambda: reporter(release=1.4), TypeError, "release: expected text, got 1.4"),
        (lambda: reporter(environment=""), ValueError, "environment: expected text, got nothing"),
        (lambda: reporter(topic="a b"), ValueError, "topic: expected at most 249 letters, digits"),
        (lambda: reporter(kafka="ssl"), TypeError, "kafka: expected settings by name, got 'ssl'"),
        (lambda: reporter(spool=5), TypeError, "spool: expected a path, got 5"),
        (lambda: reporter(tags=["a"]), TypeError, "tags: expected a mapping, got ['a']"),
        (lambda: reporter(before_send=5), TypeError, "before_send: expected a function, got 5"),
        (lambda: reporter(ignore="Gone"), TypeError, "ignore: expected a function, got 'Gone'; cl"),
        (lambda: reporter().flush("1"), TypeError, "timeout_s: expected a number of at least 0"),  # type: ignore[arg-type]
        (lambda: reporter().install(5), TypeError, "loop: expected an event loop, got 5"),  # type: ignore[arg-type]
        (lambda: describe(THING), TypeError, "describe: expected a class of exceptions, got 'x'"),
        (lambda: describe(OSError, read=THING), TypeError, "read: expected a function, got"),
        (lambda: CircuitBreaker(on_change=THING), TypeError, "on_change: expected a function"),
        (lambda: ResourcePool(work, broken=THING), TypeError, "broken: expected classes of ex"),
        (lambda: with_recovery(work), TypeError, "reporter: expected a Reporter, got <function"),  # type: ignore[arg-type]
        (lambda: with_recovery(reporter(), 5), TypeError, "actions: expected a function, got 5"),  # type: ignore[arg-type]
        (lambda: with_recovery(reporter(), on=5), TypeError, "on: expected classes of exceptions"),  # type: ignore[arg-type]
        (lambda: RollbackStack().push(5), TypeError, "undo: expected a function, got 5"),  # type: ignore[arg-type]
        (lambda: Degradation().set(4), ValueError, "level: expected a whole number from 0 to 3, g"),
        (lambda: Degradation().up_to(work), TypeError, "level: expected a whole number from 0 to"),  # type: ignore[arg-type]
        (lambda: resilient(breaker=Retry()), TypeError, "breaker: expected a CircuitBreaker, got"),  # type: ignore[arg-type]
        (lambda: Operation("a", retry=5), TypeError, "retry: expected a Retry, got 5"),  # type: ignore[arg-type]
        (lambda: operations([1]), ValueError, "operations: expected operations by name, got [1]"),  # type: ignore[arg-type]
        (lambda: operations({"a": 5}), ValueError, "a: expected its primitives, got 5"),  # type: ignore[dict-item]
        (lambda: executor(journal=5), TypeError, "journal: expected a path, got 5"),
        (lambda: executor(instance=5), TypeError, "instance: expected text, got 5"),
        (lambda: executor(results_topic=""), ValueError, "results_topic: expected text, got noth"),
        (lambda: steer(Any_), TypeError, "steer: expected an Executor, got None"),
        (lambda: steer(executor(), cache=5), TypeError, "the handler of cache_clear: expected a"),  # type: ignore[arg-type]
        (lambda: reporter(fold_ms=-1), ValueError, "fold_ms: expected a number of at least 0"),
        (lambda: reporter(brokers="kafka:x"), ValueError, "brokers: expected host:port"),
        (lambda: reporter(brokers="kafka:99999"), ValueError, "brokers: expected host:port"),
        (lambda: reporter(brokers=["kafka:9092"]), TypeError, "brokers: expected host:port"),
        (lambda: executor(keys={"k1": "0" * 16}), TypeError, "keys: expected bytes by key id"),
        (lambda: executor(keys=b"0" * 16), TypeError, "keys: expected bytes by key id, got bytes"),
        (lambda: executor(concurrency=0), ValueError, "concurrency: expected a whole number of at"),
        (lambda: steer(executor(), breaker=Retry()), TypeError, "steer, circuit_break: expected"),  # type: ignore[arg-type]
        (lambda: executor().handles(Any_), TypeError, "handles: expected the name of a strategy"),
        (lambda: executor().handles("x", delivery=3), ValueError, "delivery: expected broadcast"),  # type: ignore[arg-type]
        (lambda: executor().handles("x")(work), TypeError, "the handler of x: is called with the"),  # type: ignore[type-var]
        (lambda: executor().handles("x")(3), TypeError, "the handler of x: expected a function"),  # type: ignore[type-var]
    ],
)  # fmt: skip
def test_wrong_arguments_are_told(
    make: Callable[[], object], error: type[Exception], said: str
) -> None:
    """By name, with the bounds and what came."""
    with pytest.raises(error, match="^" + re.escape(said)):
        make()


def test_a_group_of_exceptions_is_what_is_in_it() -> None:
    """Recorded or tried again if one member is, ignored if all are; as task groups raise them."""
    breaker = CircuitBreaker(record=OSError, ignore=LookupError)

    def fail(*errors: Exception) -> None:
        raise ExceptionGroup("some", [ExceptionGroup("inner", errors)])

    for errors, seen in (
        ((KeyError(), OSError()), (1, 1)),
        ((KeyError(), IndexError()), (1, 1)),
        ((ValueError(), TypeError()), (2, 1)),
    ):
        with pytest.raises(ExceptionGroup):
            breaker.call(fail, *errors)
        assert breaker.metrics()[1:3] == seen


@pytest.mark.parametrize("given", [OSError, [OSError], {OSError}, (OSError,)])
def test_one_class_of_exceptions_or_several(given: Any) -> None:
    """A single class would else be called with the exception, and be true for all of them."""
    tries: list[int] = []

    def fail(error: type[Exception]) -> None:
        tries.append(1)
        raise error

    retry = Retry(max_attempts=2, backoff=backoff.fixed(0), retry_on=given, sleep=lambda _: None)
    for error, many in ((ConnectionError, 2), (ValueError, 1)):
        tries.clear()
        with pytest.raises(error):
            retry.call(fail, error)
        assert len(tries) == many
    breaker = CircuitBreaker(record=given, ignore=LookupError)
    for wrong in (ConnectionError, ValueError, KeyError):
        with pytest.raises(wrong):
            breaker.call(fail, wrong)
    assert breaker.metrics()[1:3] == (2, 1)
    with pytest.raises(TypeError, match="retry_on: expected classes of exceptions, got 'OSError'"):
        Retry(retry_on=("OSError",))  # type: ignore[arg-type]
