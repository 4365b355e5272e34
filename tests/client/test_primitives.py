"""Retry, timeout, bulkhead, fallback, pool, rate limiter, and all of them around one function."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream.client import (
    Bulkhead,
    BulkheadFullError,
    CallNotPermittedError,
    CallTimeoutError,
    CircuitBreaker,
    Fallback,
    PoolTimeoutError,
    RateLimiter,
    RequestNotPermittedError,
    ResourcePool,
    Retry,
    Timeout,
    backoff,
    resilient,
)
from faultstream.client.held import Held
from tests.client.clock import Clock
from tests.until import until


class Flaky:
    """Fails so many times, then works."""

    def __init__(self, failures: int, error: type[BaseException] = ConnectionError) -> None:
        self.left = failures
        self.error = error
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error
        return "done"

    async def task(self) -> str:
        """The same for tasks."""
        return self()


# Retry and backoff


def test_backoffs_grow_as_they_are_called() -> None:
    """Fixed, linear, exponential and fibonacci, each with its bound; jitter stays in its share."""

    def waits(kind: backoff.Backoff) -> list[float]:
        return [kind(attempt) for attempt in range(1, 7)]

    assert waits(backoff.fixed(5)) == [5] * 6
    assert waits(backoff.linear(5, max_ms=22)) == [5, 10, 15, 20, 22, 22]
    assert waits(backoff.exponential(5, factor=2, max_ms=100)) == [5, 10, 20, 40, 80, 100]
    assert waits(backoff.fibonacci(5, max_ms=30)) == [5, 5, 10, 15, 25, 30]
    assert backoff.exponential(1)(10_000) == backoff.MAX_MS
    assert backoff.jittered(backoff.fixed(10), 0.5, lambda: 0.0)(1) == 5
    assert backoff.jittered(backoff.fixed(10), 0.5, lambda: 1.0)(1) == 15
    with pytest.raises(ValueError, match="expected one of fixed, linear, exponential, fibonacci"):
        backoff.named("cubic", 1)


def test_retry_tries_so_often_and_waits_between() -> None:
    """Attempts include the first one; the last exception comes out; waits are the backoff's."""
    waited: list[float] = []
    retry = Retry(max_attempts=3, backoff=backoff.linear(100), sleep=waited.append)
    assert retry.call(Flaky(2)) == "done"
    assert waited == [0.1, 0.2]
    worse = Flaky(3)
    with pytest.raises(ConnectionError):
        retry.call(worse)
    assert worse.calls == 3

    async def quick(_: float) -> None:
        return None

    assert asyncio.run(Retry(asleep=quick).acall(Flaky(2).task)) == "done"


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, asyncio.CancelledError])
def test_retry_leaves_alone_what_it_should(error: type[BaseException]) -> None:
    """Exceptions that are not retry_on, and those that are no errors, come out at once."""
    flaky = Flaky(1, error)
    with pytest.raises(error):
        Retry(retry_on=(OSError,), sleep=lambda _: None).call(flaky)
    assert flaky.calls == 1


# Timeout


def test_a_task_is_cancelled_at_the_limit() -> None:
    """The limit cancels and raises; the call's own TimeoutError stays its own."""
    cancelled: list[bool] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def own() -> None:
        raise TimeoutError("mine")

    with pytest.raises(CallTimeoutError, match="timeout db: 5 ms"):
        asyncio.run(Timeout(5, name="db").acall(hang))
    assert cancelled == [True]
    with pytest.raises(TimeoutError, match="mine"):
        asyncio.run(Timeout(5_000).acall(own))


def test_a_synchronous_call_is_left_at_the_limit() -> None:
    """The caller goes on; results and exceptions in time come through."""
    release = threading.Event()
    with pytest.raises(CallTimeoutError):
        Timeout(5).call(release.wait)
    release.set()
    assert Timeout(5_000).call(lambda: 7) == 7
    with pytest.raises(ConnectionError):
        Timeout(5_000).call(Flaky(1))


# Bulkhead


def test_a_bulkhead_bounds_threads_and_tasks_together() -> None:
    """At most so many at a time, whoever they are; the next one is refused, or waits its turn."""
    bulkhead = Bulkhead("db", max_concurrent_calls=2)

    async def both() -> None:
        with bulkhead.guard():
            async with bulkhead.aguard():
                assert bulkhead.available == 0
                with pytest.raises(BulkheadFullError, match="bulkhead db: 2 calls are under way"):
                    bulkhead.call(pytest.fail, "called")
                bulkhead.change(3)
                assert bulkhead.available == 1
        assert bulkhead.available == 3

    asyncio.run(both())


def test_who_waits_goes_first_come_first_served() -> None:
    """Waiting threads and tasks get permits in their order as those come back."""
    bulkhead = Bulkhead(max_concurrent_calls=1, max_wait_ms=20_000)
    order: list[str] = []
    permits = bulkhead._permits

    async def work() -> None:
        async with bulkhead.aguard():
            thread = threading.Thread(target=bulkhead.call, args=(order.append, "thread"))
            thread.start()
            await asyncio.to_thread(until, lambda: permits.waiting == 1, "the thread waits")

            async def task() -> None:
                order.append("task")

            waiting = asyncio.create_task(bulkhead.acall(task))
            await asyncio.to_thread(until, lambda: permits.waiting == 2, "the task waits")
        await waiting
        thread.join()

    asyncio.run(work())
    assert order == ["thread", "task"]
    assert bulkhead.available == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=12))
def test_cancellation_never_loses_a_permit(plan: list[tuple[int, bool]]) -> None:
    """Tasks that are cancelled before, while or after they wait leave every permit free."""
    bulkhead = Bulkhead(max_concurrent_calls=2, max_wait_ms=20_000)

    async def work(steps: int) -> None:
        for _ in range(steps):
            await asyncio.sleep(0)

    async def main() -> None:
        tasks = []
        for steps, cancel in plan:
            tasks.append(asyncio.create_task(bulkhead.acall(work, steps)))
            for _ in range(steps):
                await asyncio.sleep(0)
            if cancel:
                tasks[len(tasks) // 2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    assert bulkhead.available == 2


# Fallback


def test_fallbacks_answer_in_their_order() -> None:
    """The last good result while it is fresh, then each alternative; else the error itself."""
    clock = Clock()
    calls: list[str] = []

    def first(key: str) -> str:
        calls.append(key)
        raise LookupError

    fallback = Fallback(first, lambda key: f"default {key}", cache_ms=1_000, clock=clock)
    works = True

    @fallback
    def ask(key: str) -> str:
        if not works:
            raise OSError
        return f"real {key}"

    assert ask("a") == "real a"
    works = False
    assert ask("a") == "real a"
    assert ask("b") == "default b"
    clock.move(1.1)
    assert ask("a") == "default a"
    assert calls == ["b", "a"]
    assert fallback.answers == 3

    @Fallback(on=(LookupError,))
    def other() -> None:
        raise OSError("not mine")

    with pytest.raises(OSError, match="not mine"):
        other()


def test_a_forced_fallback_does_not_call() -> None:
    """While it is forced and has an answer the real function rests; then it is back."""
    clock = Clock()
    fallback = Fallback(lambda: "other", clock=clock)
    flaky = Flaky(0)
    fallback.force(1_000)
    assert fallback.call(flaky) == "other"

    async def task() -> str:
        return await fallback.acall(flaky.task)

    assert asyncio.run(task()) == "other"
    assert flaky.calls == 0
    clock.move(1)
    assert fallback.call(flaky) == "done"


# Pool


class Connection:
    """Something that can be unhealthy."""

    def __init__(self) -> None:
        self.healthy = True
        self.closed = False

    def close(self) -> None:
        """Close it."""
        self.closed = True


def pool_of(**changes: Any) -> ResourcePool[Connection]:
    """A pool of connections."""
    given: dict[str, Any] = {
        "size": 2,
        "max_size": 4,
        "max_wait_ms": 0,
        "close": Connection.close,
        "check": lambda connection: connection.healthy,
        "check_after_ms": 0,
        **changes,
    }
    return ResourcePool(Connection, **given)


def test_a_pool_gives_out_at_most_its_size_and_reuses() -> None:
    """Resources come back and are used again; the next one too many is told what is going on."""
    pool = pool_of(name="db")
    with pool.lease() as first, pool.lease() as second:
        assert first is not second
        with pytest.raises(PoolTimeoutError, match="pool db: all 2 in use, 0 waiting"):
            pool.lease().__enter__()
    with pool.lease() as again:
        assert again in {first, second}
    assert pool.stats() == (2, 2, 0, 0, 0)


def test_a_pool_discards_what_is_broken() -> None:
    """Unhealthy ones, and those whose lease ended by a broken connection, are closed."""
    pool = pool_of()
    with pytest.raises(ConnectionError), pool.lease() as broken:
        raise ConnectionError
    with pool.lease() as second:
        second.healthy = False
    with pytest.raises(ValueError, match="x"), pool.lease() as third:
        raise ValueError("x")
    with pool.lease() as fourth:
        assert fourth is third
    assert (broken.closed, second.closed, third.closed) == (True, True, False)
    assert pool.stats() == (2, 1, 0, 0, 2)


def test_a_pool_grows_and_shrinks() -> None:
    """A held size lasts for its time, within max_size; surplus resources go as they come back."""
    clock = Clock()
    pool = pool_of(clock=clock)
    assert pool.hold(100, 1_000) == 4
    leases = [pool.lease() for _ in range(4)]
    held = [lease.__enter__() for lease in leases]
    clock.move(1)
    for lease in leases:
        lease.__exit__(None, None, None)
    assert sum(connection.closed for connection in held) == 2
    assert pool.stats()[:3] == (2, 2, 0)
    assert pool.resize(9) == 4
    assert len(pool.drain()) == 2


def test_a_pool_whose_resources_cannot_be_made_stays_whole() -> None:
    """A create that raises gives its permit back, sync and async."""
    works = False

    def create() -> Connection:
        if not works:
            raise OSError("refused")
        return Connection()

    pool: ResourcePool[Connection] = ResourcePool(create, size=1, max_wait_ms=0)

    async def lease() -> None:
        async with pool.alease():
            pass

    for _ in range(3):
        with pytest.raises(OSError, match="refused"), pool.lease():
            pass
        with pytest.raises(OSError, match="refused"):
            asyncio.run(lease())
    works = True
    asyncio.run(lease())
    with pool.lease():
        assert pool.stats()[:3] == (1, 1, 1)


def test_a_cancelled_lease_discards_its_resource() -> None:
    """A task that is cancelled in the middle may leave half an answer behind; async close runs."""
    closed: list[Connection] = []

    async def close(connection: Connection) -> None:
        await asyncio.sleep(0)
        closed.append(connection)

    async def create() -> Connection:
        return Connection()

    pool: ResourcePool[Connection] = ResourcePool(create, close=close, size=1)

    async def main() -> None:
        async def hang() -> None:
            async with pool.alease():
                await asyncio.Event().wait()

        task = asyncio.create_task(hang())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert len(closed) == 1
    assert pool.stats()[1:3] == (0, 0)
    with pytest.raises(TypeError, match="use alease"), pool.lease():
        pass


# Rate limiter


def test_a_rate_limit_allows_a_burst_and_then_the_rate() -> None:
    """At 60 a minute with a burst of 3: three at once, then one a second."""
    clock = Clock()
    limiter = RateLimiter("api", per_minute=60, burst=3, clock=clock)
    calls = Flaky(0)
    for _ in range(3):
        limiter.call(calls)
    with pytest.raises(RequestNotPermittedError, match="rate limiter api: again in 1000 ms"):
        limiter.call(calls)
    clock.move(1)
    limiter.call(calls)
    clock.move(1e6)
    for _ in range(3):
        limiter.call(calls)
    with pytest.raises(RequestNotPermittedError):
        limiter.call(calls)
    assert calls.calls == 7
    assert RateLimiter().reserve() == 0


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 5), st.integers(1, 240))
def test_a_rate_is_never_exceeded(gaps: list[float], burst: int, per_minute: int) -> None:
    """In any stretch of time at most burst + rate x length calls pass."""
    clock = Clock()
    limiter = RateLimiter(per_minute=per_minute, burst=burst, clock=clock)
    passed: list[float] = []
    for gap in gaps:
        clock.move(gap)
        try:
            limiter.reserve()
        except RequestNotPermittedError:
            continue
        passed.append(clock.now)
    for begin in range(len(passed)):
        for end in range(begin, len(passed)):
            length = passed[end] - passed[begin]
            assert end - begin + 1 <= burst + length * per_minute / 60 + 1e-6


# Held values and composition


def test_a_hold_ends_by_itself() -> None:
    """What is held is in force until its time; then, and when let go, the local value is."""
    clock = Clock()
    held = Held(1, clock)
    held.hold(5, 1_000)
    assert (held.get(), held.left_ms) == (5, 1_000)
    held.local = 2
    clock.move(0.999)
    assert held.get() == 5
    clock.move(0.001)
    assert (held.get(), held.left_ms) == (2, 0)
    held.hold(5, 1_000)
    held.let_go()
    assert held.get() == 2


def test_the_order_is_fixed() -> None:
    """Each attempt of the retry is seen by the breaker; the fallback answers at the very end."""
    breaker = CircuitBreaker(minimum_calls=3, window_size=3)
    make: Callable[[], Any] = lambda: resilient(  # noqa: E731
        fallback=Fallback(lambda: "fallback"),
        retry=Retry(max_attempts=10, sleep=lambda _: None),
        breaker=breaker,
        timeout=Timeout(5_000),
        bulkhead=Bulkhead(),
    )
    flaky = Flaky(100)
    assert make()(flaky)() == "fallback"
    assert flaky.calls == 3, "the open breaker ends the retries"
    with pytest.raises(CallNotPermittedError):
        resilient(retry=Retry(), breaker=breaker)(flaky)()
