"""Rollback stack, degradation, adaptive timeout, operations from a configuration."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

from faultstream.client import (
    AdaptiveTimeout,
    CallTimeoutError,
    Degradation,
    Executor,
    RollbackStack,
    operations,
    steer,
)
from tests.client.clock import Clock
from tests.client.topics import KEYS, command


def carry_out(executor: Executor, strategy: str, **changes: Any) -> Any:
    """What the handler of a strategy answers."""
    handler: Any = executor._handlers[strategy].handler
    return handler(command(strategy, **changes))


# Rollback


def broken() -> None:
    raise OSError("disk")


def test_steps_are_taken_back_last_first() -> None:
    """All of them, though one cannot be; the exception goes on with a note about that one."""
    done: list[str] = []
    stack = RollbackStack()
    with pytest.raises(ValueError, match="whole") as caught, stack:  # noqa: PT012 - the block is it
        stack.push(lambda: done.append("a"), "a")
        stack.push(broken, "b")
        stack.push(lambda: done.append("c"), "c")
        raise ValueError("whole")
    assert done == stack.undone == ["c", "a"]
    assert [(name, repr(why)) for name, why in stack.failed] == [("b", "OSError('disk')")]
    assert caught.value.__notes__ == ["b could not be taken back: OSError: disk"]
    stack.rollback()
    assert done == ["c", "a"]


def test_what_is_finished_or_committed_stays() -> None:
    """Nothing is undone without an exception, nor what was committed before one."""
    done: list[str] = []
    with RollbackStack() as stack:
        stack.push(lambda: done.append("a"))
    with pytest.raises(KeyError), RollbackStack() as stack:  # noqa: PT012 - the block is it
        stack.push(lambda: done.append("b"))
        stack.commit()
        stack.push(lambda: done.append("c"))
        raise KeyError
    assert done == ["c"]


async def test_cancellation_rolls_back() -> None:
    """Asynchronous and plain undos run when a task is cancelled."""
    done: list[str] = []
    ready = asyncio.Event()

    async def undo() -> None:
        await asyncio.sleep(0)
        done.append("async")

    async def work() -> None:
        async with RollbackStack() as stack:
            stack.push(lambda: done.append("plain"))
            stack.push(undo)
            ready.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await ready.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["async", "plain"]


async def test_a_cancelled_rollback_takes_the_rest_back() -> None:
    """The undo that waits is given up; the others are called before the cancellation goes on."""
    taken: list[str] = []
    waiting = asyncio.Event()

    async def slow() -> None:
        waiting.set()
        await asyncio.Event().wait()

    async def last() -> None:
        await asyncio.sleep(0)
        taken.append("last")

    stack = RollbackStack()

    async def work() -> None:
        async with stack:
            stack.push(lambda: taken.append("first"), "first")
            stack.push(last, "last")
            stack.push(slow, "slow")
            raise KeyError("broken")

    task = asyncio.create_task(work())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert taken == ["last", "first"]
    assert (stack.undone, [name for name, _ in stack.failed]) == (["last", "first"], ["slow"])


def test_a_rollback_in_a_coroutine_that_is_closed_does_what_needs_no_waiting() -> None:
    """Nothing can be awaited then."""
    taken: list[str] = []

    class Forever:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def slow() -> None:
        await Forever()

    stack = RollbackStack()

    async def work() -> None:
        async with stack:
            stack.push(lambda: taken.append("first"), "first")
            stack.push(slow, "slow")
            stack.push(slow, "slower")
            raise KeyError("broken")

    coroutine = work()
    coroutine.send(None)
    coroutine.close()
    assert taken == ["first"]
    assert [name for name, _ in stack.failed] == ["slower", "slow"]


def test_an_interrupted_rollback_takes_the_rest_back() -> None:
    """KeyboardInterrupt in an undo is raised when all of it is done."""
    taken: list[str] = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    stack = RollbackStack()
    stack.push(lambda: taken.append("first"))
    stack.push(interrupted)
    with pytest.raises(KeyboardInterrupt):
        stack.rollback()
    assert taken == ["first"]


def test_an_asynchronous_undo_needs_async_with() -> None:
    """It is told as failed, not lost."""

    async def undo() -> None:
        raise AssertionError("never")

    stack = RollbackStack()
    stack.push(undo, "u")
    stack.rollback()
    assert [name for name, _ in stack.failed] == ["u"]


# Degradation


async def test_features_go_level_by_level() -> None:
    """Each works up to its level; above it the other answer is given, sync and async."""
    degradation = Degradation()

    @degradation.up_to(0, lambda _user: ["bestsellers"])
    def recommend(user: str) -> list[str]:
        return [f"for {user}"]

    @degradation.up_to(2)
    async def search(text: str) -> str:
        return text

    seen = []
    for level in range(4):
        degradation.set(level)
        seen.append((recommend("ada"), await search("x")))
    assert seen == [
        (["for ada"], "x"), (["bestsellers"], "x"), (["bestsellers"], "x"), (["bestsellers"], None)
    ]  # fmt: skip
    with pytest.raises(ValueError, match="level: expected a whole number from 0 to 3, got 4"):
        degradation.set(4)


def test_commands_raise_the_level_for_a_time() -> None:
    """Strategy fallback with a level; never below the application's own; then local again."""
    clock = Clock()
    degradation = Degradation("shop", clock=clock)
    executor = Executor("orders", keys=KEYS)
    steer(executor, fallback=degradation)
    outcome = carry_out(executor, "fallback", parameters={"level": 2, "hold_ms": 1_000})
    assert (outcome.message, degradation.level) == ("shop: level 2", 2)
    degradation.set(3)
    assert degradation.level == 3
    degradation.set(0)
    clock.move(1.1)
    assert degradation.level == 0
    wrong = carry_out(executor, "fallback", parameters={"level": 9, "hold_ms": 1_000})
    assert wrong.status == "not_attempted"
    carry_out(executor, "fallback", parameters={"level": 1, "hold_ms": 1_000})
    carry_out(executor, "fallback", rollback_of="earlier")
    assert degradation.level == 0


# Adaptive timeout


def test_the_limit_follows_the_calls() -> None:
    """max_ms until enough is known, then factor x quantile, within the bounds."""
    timeout = AdaptiveTimeout(min_ms=50, max_ms=5_000, minimum_calls=10, window_size=20)
    for _ in range(9):
        timeout.took(100)
    assert timeout.seconds == 5
    timeout.took(100)
    assert timeout.seconds == 0.2
    for _ in range(20):
        timeout.took(1)
    assert timeout.seconds == 0.05
    timeout.took(60_000)
    assert timeout.seconds == 5
    timeout.limit_ms.hold(9_000, 1_000)
    assert timeout.seconds == 9


async def test_it_learns_from_its_own_calls() -> None:
    """Calls that go through it are measured; those that time out count as the limit."""
    clock = Clock()
    timeout = AdaptiveTimeout(min_ms=1, max_ms=2, minimum_calls=1, window_size=1, clock=clock)

    @timeout
    async def work(forever: bool) -> None:
        clock.move(0.0005)
        if forever:
            await asyncio.Event().wait()

    await work(False)
    assert timeout.limit_ms.get() == 1
    with pytest.raises(CallTimeoutError):
        await work(True)
    assert timeout.limit_ms.get() == 2
    assert timeout.call(lambda: 7) == 7


@pytest.mark.parametrize(
    "options",
    [{"min_ms": 0}, {"min_ms": 9, "max_ms": 8}, {"quantile": 0}, {"factor": 0.5},
     {"minimum_calls": 101}],
)  # fmt: skip
def test_bounds_that_cannot_be_met_are_refused(options: dict[str, Any]) -> None:
    """ValueError at once."""
    with pytest.raises(ValueError, match=r"expected|quantile"):
        AdaptiveTimeout(**options)


# Operations


CONFIG: dict[str, dict[str, Any]] = {
    "charge": {
        "fallback": {"use": ["queued"], "value": "never", "cache_ms": 1_000},
        "retry": {"max_attempts": 2, "backoff": "fixed", "delay_ms": 0},
        "breaker": {"window_size": 4, "minimum_calls": 4},
        "timeout": {"adaptive": True, "max_ms": 2_000},
        "bulkhead": {"max_concurrent_calls": 3},
        "throttle": {"per_minute": 6_000, "burst": 50},
    },
    "search": {"timeout": {"ms": 500}, "fallback": {"value": None}},
}


async def test_operations_come_from_a_configuration() -> None:
    """Retries, breaker and fallback work together as configured, in their fixed order."""
    made = operations(CONFIG, functions={"queued": lambda order: f"{order} queued"})
    calls = 0

    @made["charge"]
    async def charge(order: int) -> str:
        nonlocal calls
        calls += 1
        raise ConnectionError

    assert [await charge(7) for _ in range(5)] == ["7 queued"] * 5
    assert calls == 4, "two attempts twice, then the breaker is open"

    @made["search"]
    def search() -> str:
        raise OSError

    assert search() is None


def test_commands_steer_configured_operations() -> None:
    """A command's `name` is the operation's."""
    made = operations(CONFIG, functions={"queued": str})
    executor = Executor("orders", keys=KEYS)
    made.steer(executor)
    outcome = carry_out(
        executor, "timeout_increase",
        parameters={"name": "search", "to_ms": 900, "hold_ms": 60_000},
    )  # fmt: skip
    search, charge = made["search"].timeout, made["charge"].timeout
    assert outcome.message == "search: 900 ms"
    assert search is not None
    assert charge is not None
    assert (search.seconds, charge.seconds) == (0.9, 2)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"retries": {}}, "charge.retries: expected one of fallback, retry, throttle"),
        ({"retry": 3}, "charge.retry: expected settings, got 3"),
        (
            {"retry": {"max_attempts": 0}},
            "charge.retry.max_attempts: expected a whole number of at least 1",
        ),
        ({"retry": {"backoff": "cubic"}}, "charge.retry.backoff: expected one of"),
        ({"breaker": {"windw": 1}}, "charge.breaker.windw: expected one of failure_ratio, "),
        ({"timeout": {}}, "charge.timeout.ms: is missing"),
        ({"fallback": {"use": ["x"]}}, "charge.fallback.use: no function is called 'x'"),
    ],
)
def test_wrong_configurations_are_refused_by_path(parts: dict[str, Any], message: str) -> None:
    """The message says where and what."""
    with pytest.raises(ValueError, match="charge") as caught:
        operations({"charge": parts})
    assert str(caught.value).startswith(message)
