"""The corners of the primitives for tasks, and what commands take back."""

import asyncio
import threading
from typing import Any

import pytest

from faultstream.client import (
    CircuitBreaker,
    Degradation,
    Executor,
    Fallback,
    Outcome,
    PoolTimeoutError,
    RateLimiter,
    RequestNotPermittedError,
    ResourcePool,
    Retry,
    Timeout,
    steer,
)
from faultstream.client.held import Held
from faultstream.client.permits import Permits
from tests.client.clock import Clock
from tests.client.topics import KEYS, command


async def fails(key: str) -> str:
    """Always."""
    raise ConnectionError(key)


async def test_fallbacks_of_coroutine_functions() -> None:
    """Kept results, alternatives of both kinds in their order, and the error itself at last."""
    clock = Clock()

    def broken(key: str) -> str:
        raise OSError(key)

    async def other(key: str) -> str:
        await asyncio.sleep(0)
        return f"other {key}"

    fallback = Fallback(broken, other, cache_ms=1_000, clock=clock)
    assert await fallback(fails)("a") == "other a"
    good = [True]

    async def sometimes(key: str) -> str:
        if not good[0]:
            raise ConnectionError(key)
        return f"real {key}"

    call = fallback(sometimes)
    assert await call("b") == "real b"
    good[0] = False
    assert await call("b") == "real b"
    clock.move(1.1)
    assert await call("b") == "other b"
    fallback.force(5_000)
    good[0] = True
    assert await call("b") == "other b"
    assert fallback.answers == 4
    assert fallback.clear() == 1
    with pytest.raises(ConnectionError):
        await Fallback(broken)(fails)("c")
    with pytest.raises(ConnectionError):
        await Fallback(other, on=(KeyError,))(fails)("c")
    assert await Fallback(cache_ms=1_000)(sometimes)(["no", "key"]) == "real ['no', 'key']"  # type: ignore[arg-type]


async def test_a_cancelled_wait_gives_its_token_back() -> None:
    """Who waits for a rate and is cancelled has used nothing."""
    clock = Clock()
    limiter = RateLimiter(per_minute=60, max_wait_ms=5_000, clock=clock)

    async def nothing() -> int:
        return 1

    assert await limiter.acall(nothing) == 1
    waiting = asyncio.create_task(limiter.acall(nothing))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert limiter.reserve(1.0) == pytest.approx(1.0)
    with pytest.raises(RequestNotPermittedError):
        limiter.reserve(1.0)


async def test_a_permit_for_a_task_that_is_cancelled_goes_to_the_next() -> None:
    """Granted while it was being cancelled, it is handed on; a loop that is gone takes nothing."""
    permits = Permits(Held(1))
    assert permits.acquire(0)
    first = asyncio.create_task(permits.aacquire(5.0))
    second = asyncio.create_task(permits.aacquire(5.0))
    while permits.waiting < 2:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)
    permits.release()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second
    assert permits.out == 1
    permits.release()
    assert await asyncio.to_thread(permits.acquire, 1.0)
    assert not await asyncio.to_thread(permits.acquire, 0.01)
    assert not await permits.aacquire(0.01)


def test_everything_that_a_command_holds_can_be_taken_back() -> None:
    """Each kind is back under local control at once; functions as caches are told the pattern."""
    clock = Clock()
    executor = Executor("orders", keys=KEYS)
    pool: ResourcePool[object] = ResourcePool(object, size=2, clock=clock)
    timeout, retry = Timeout(100, clock=clock), Retry(max_attempts=2, clock=clock)
    throttle, fallback = RateLimiter(clock=clock), Fallback(lambda: 0, clock=clock)
    degradation, breaker = Degradation(clock=clock), CircuitBreaker(clock=clock)
    forgotten: list[str] = []
    steer(
        executor,
        breaker=breaker,
        pool=pool,
        timeout=timeout,
        retry=retry,
        throttle=throttle,
        fallback=[fallback, degradation],
        cache=forgotten.append,
    )

    def carry_out(strategy: str, parameters: dict[str, object], rollback_of: str = "") -> Outcome:
        handler = executor._handlers[strategy].handler
        given = {"hold_ms": 60_000, **parameters}
        outcome = handler(command(strategy, parameters=given, rollback_of=rollback_of))
        assert isinstance(outcome, Outcome)
        return outcome

    orders: dict[str, dict[str, object]] = {
        "circuit_break": {}, "pool_increase": {"to_size": 9}, "timeout_increase": {"to_ms": 900},
        "retry": {"max_attempts": 9}, "request_throttle": {"per_minute": 1},
        "fallback": {"level": 3},
    }  # fmt: skip

    def held() -> list[bool]:
        return [
            breaker.state.value == "open", pool.stats().size == 9, timeout.seconds == 0.9,
            retry.plan.get().max_attempts == 9, throttle.rate.get() is not None,
            fallback.forced.get(), degradation.level == 3,
        ]  # fmt: skip

    for strategy, parameters in orders.items():
        assert carry_out(strategy, parameters).status == "success"
    assert all(held())
    for strategy in orders:
        assert carry_out(strategy, {}, "c1").message == "back to local control"
    assert not any(held())
    assert carry_out("cache_clear", {"pattern": "user:*"}).message == "cleared user:*"
    assert forgotten == ["user:*"]


async def test_an_asynchronous_pool_replaces_what_is_broken() -> None:
    """A check that says no or raises, an error of the broken kind and a cancelled lease: each time
    the resource is closed, and the next lease gets another one."""
    closed: list[int] = []
    made = iter(range(100))
    verdicts: dict[int, Any] = {0: False, 1: ValueError("no answer")}
    clock = Clock()

    async def create() -> int:
        return next(made)

    async def close(one: int) -> None:
        closed.append(one)
        raise OSError("away already")

    async def check(one: int) -> bool:
        verdict = verdicts.get(one, True)
        if isinstance(verdict, Exception):
            raise verdict
        return bool(verdict)

    pool: ResourcePool[int] = ResourcePool(
        create, close=close, check=check, check_after_ms=1_000, size=1, max_wait_ms=0, clock=clock,
        broken=(ConnectionError,),
    )  # fmt: skip

    async def lease(error: type[BaseException] | None = None) -> int:
        async with pool.alease() as one:
            if error is not None:
                raise error
            with pytest.raises(PoolTimeoutError, match="all 1 in use"):
                await pool.alease().__aenter__()
        return one

    assert await lease() == 0
    clock.move(2)
    assert await lease() == 1
    clock.move(2)
    assert await lease() == 2
    with pytest.raises(ValueError, match=r"^$"):
        await lease(ValueError)
    assert await lease() == 2
    with pytest.raises(ConnectionError):
        await lease(ConnectionError)
    assert await lease() == 3
    with pytest.raises(asyncio.CancelledError):
        await lease(asyncio.CancelledError)
    assert await lease() == 4
    assert closed == [0, 1, 2, 3]
    assert pool.stats().discarded == 4


async def test_what_is_cancelled_amid_a_check_or_a_close_leaks_nothing() -> None:
    """The resource that was being checked is closed, and so are all that were to be closed."""
    made, closed = iter(range(10)), list[int]()
    stuck = asyncio.Event()
    amid = ""

    async def check(_: int) -> bool:
        if amid == "check":
            stuck.set()
            await asyncio.Event().wait()
        return True

    async def close(number: int) -> None:
        if amid == "close" and not stuck.is_set():
            stuck.set()
            await asyncio.Event().wait()
        closed.append(number)

    pool: ResourcePool[int] = ResourcePool(
        lambda: next(made), size=3, check=check, check_after_ms=0, close=close
    )

    async def use() -> None:
        async with pool.alease():
            pass

    async def cancelled() -> None:
        task = asyncio.create_task(use())
        await stuck.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    await use()
    amid = "check"
    await cancelled()
    assert (closed, pool.stats().open, pool.stats().discarded) == ([0], 0, 1)
    amid = ""
    stuck.clear()
    async with pool.alease(), pool.alease(), pool.alease():
        pass
    assert pool.stats().open == 3
    amid = "close"
    pool.resize(1)
    await cancelled()
    assert pool.stats().open == 1
    assert len(closed) == 2, "the one whose closing was cancelled is not closed twice"
    async with pool.alease():
        assert pool.stats().leased == 1


def test_an_interrupted_lease_is_not_given_out_again() -> None:
    """KeyboardInterrupt in the middle of an answer: the next one would read the rest of it."""
    made, closed = iter(range(10)), list[int]()
    pool: ResourcePool[int] = ResourcePool(lambda: next(made), size=1, close=closed.append)
    with pytest.raises(KeyboardInterrupt), pool.lease():
        raise KeyboardInterrupt
    assert closed == [0]
    with pytest.raises(KeyError), pool.lease():
        raise KeyError
    with pool.lease() as one:
        assert one == 1
    assert closed == [0]


@pytest.mark.parametrize("granted", [False, True])
def test_an_interrupt_while_waiting_loses_no_permit(
    monkeypatch: pytest.MonkeyPatch, granted: bool
) -> None:
    """Also when the permit was granted just then."""
    permits = Permits(Held(1))
    assert permits.acquire(0)

    class Interrupted(threading.Event):
        """Ctrl-C comes while somebody waits."""

        def wait(self, timeout: float | None = None) -> bool:
            if granted:
                permits.release()
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("faultstream.client.permits.threading.Event", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            permits.acquire(5.0)
    assert (permits.waiting, permits.out) == (0, 0 if granted else 1)
