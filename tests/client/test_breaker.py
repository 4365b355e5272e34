"""The circuit breaker against resilience4j's documented cases and a naive model."""

import asyncio
import contextlib
import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream.client import BreakerState, CallNotPermittedError, CircuitBreaker
from faultstream.client.window import FAILED, SLOW, CountWindow, TimeWindow
from tests.client.clock import Clock

S = BreakerState


class Bench:
    """A breaker on a moved clock."""

    def __init__(self, **changes: Any) -> None:
        self.clock = Clock()
        self.changes: list[tuple[S, S]] = []
        given: dict[str, Any] = {
            "window_size": 4,
            "minimum_calls": 4,
            "half_open_calls": 2,
            "slow_ms": 1_000,
            "clock": self.clock,
            "on_change": lambda old, new: self.changes.append((old, new)),
            **changes,
        }
        self.breaker = CircuitBreaker("db", **given)

    def state(self) -> S:
        """The state now."""
        return self.breaker.state

    def calls(self, outcomes: str) -> None:
        """`.` works, `x` fails, `s` is slow, `i` is ignored by what the test configured."""
        for outcome in outcomes:
            expected = (OSError, LookupError, CallNotPermittedError)
            with contextlib.suppress(*expected), self.breaker.guard():
                if outcome == "x":
                    raise OSError
                if outcome == "i":
                    raise LookupError
                if outcome == "s":
                    self.clock.move(1.5)

    def open(self) -> None:
        """Fail until it is open."""
        self.calls("xxxx")
        assert self.state() is S.OPEN


def test_it_opens_at_the_ratio_and_not_before() -> None:
    """Below the minimum of calls nothing trips; at it the share decides, from both sides."""
    bench = Bench()
    bench.calls("xxx")
    assert bench.state() is S.CLOSED
    bench.calls("x")
    assert bench.state() is S.OPEN
    below = Bench()
    below.calls("...x" * 5)
    assert below.state() is S.CLOSED
    at = Bench()
    at.calls("..xx")
    assert at.state() is S.OPEN


def test_an_open_breaker_calls_nothing_and_says_when_to_come_back() -> None:
    """Rejected calls are counted, and the exception carries the time that is left."""
    bench = Bench(open_ms=60_000)
    bench.open()
    bench.clock.move(20)
    with pytest.raises(CallNotPermittedError, match="circuit breaker db is open") as caught:
        bench.breaker.call(pytest.fail, "called")
    assert caught.value.retry_after_ms == 40_000
    assert bench.breaker.metrics().not_permitted == 1


def test_half_open_lets_a_few_calls_decide() -> None:
    """After the wait so many calls pass; their failures open it again, their success closes it."""
    bench = Bench(open_ms=10_000, open_backoff=2.0)
    bench.open()
    bench.clock.move(10)
    permits = [bench.breaker.acquire(), bench.breaker.acquire()]
    assert bench.breaker.try_acquire() is None
    bench.breaker.succeed(permits[0], 0)
    bench.breaker.fail(permits[1], 0, OSError())
    assert bench.state() is S.OPEN
    bench.clock.move(10)
    assert bench.breaker.try_acquire() is None, "the second time in a row takes twice as long"
    bench.clock.move(10)
    bench.calls("..")
    assert bench.changes == [
        (S.CLOSED, S.OPEN), (S.OPEN, S.HALF_OPEN), (S.HALF_OPEN, S.OPEN), (S.OPEN, S.HALF_OPEN),
        (S.HALF_OPEN, S.CLOSED),
    ]  # fmt: skip
    bench.open()
    bench.clock.move(10)
    assert bench.breaker.try_acquire() is not None, "closing resets the wait"


def test_slow_calls_are_as_bad_as_failed_ones() -> None:
    """Calls that work but take too long open the breaker by their own ratio."""
    bench = Bench(slow_ratio=0.5)
    bench.calls("..ss")
    assert bench.state() is S.OPEN
    assert Bench().breaker.metrics().slow_ratio == 0


def test_ignored_calls_count_as_nothing_and_give_their_permit_back() -> None:
    """Ignored goes before recorded; what is neither counts as success; cancellation as nothing."""
    bench = Bench(ignore=(LookupError,), record=(OSError, LookupError))
    bench.calls("iiii")
    assert bench.breaker.metrics().calls == 0
    with pytest.raises(ValueError, match="x"), bench.breaker.guard():
        raise ValueError("x")
    assert bench.breaker.metrics()[1:3] == (1, 0)
    bench.open()
    bench.clock.move(60)
    bench.calls("iiiiii")
    with pytest.raises(asyncio.CancelledError), bench.breaker.guard():
        raise asyncio.CancelledError
    assert bench.state() is S.HALF_OPEN
    bench.calls("..")
    assert bench.state() is S.CLOSED


def test_half_open_does_not_wait_for_lost_results() -> None:
    """Permits that never come back open it again after max_half_open_ms; 0 waits for ever."""
    bench = Bench(open_ms=1_000, max_half_open_ms=5_000)
    bench.open()
    bench.clock.move(1)
    assert [bench.breaker.try_acquire() is None for _ in range(3)] == [False, False, True]
    bench.clock.move(5)
    assert bench.state() is S.OPEN
    forever = Bench(open_ms=1_000, max_half_open_ms=0)
    forever.open()
    forever.clock.move(1)
    forever.breaker.acquire()
    forever.clock.move(1e6)
    assert forever.state() is S.HALF_OPEN


def test_results_of_an_earlier_state_do_not_count() -> None:
    """A call that began before the breaker opened neither closes it nor takes a permit."""
    bench = Bench(open_ms=1_000)
    late = bench.breaker.acquire()
    bench.open()
    bench.clock.move(1)
    probe = bench.breaker.acquire()
    bench.breaker.fail(late, 0, OSError())
    bench.breaker.succeed(late, 0)
    assert bench.state() is S.HALF_OPEN
    bench.breaker.succeed(probe, 0)
    assert bench.breaker.metrics().calls == 1


def test_forced_states_stay_until_they_are_ended() -> None:
    """DISABLED and METRICS_ONLY let all pass, FORCED_OPEN nothing, whatever happens."""
    bench = Bench()
    bench.breaker.metrics_only()
    bench.calls("xxxxxxxx")
    assert bench.breaker.metrics()[:3] == (S.METRICS_ONLY, 4, 4)
    bench.breaker.disable()
    bench.calls("xxxxxxxx")
    assert bench.breaker.metrics()[:3] == (S.DISABLED, 0, 0)
    assert not bench.breaker.open_for(1_000)
    bench.breaker.force_open()
    bench.clock.move(1e6)
    assert bench.breaker.try_acquire() is None
    bench.breaker.close()
    bench.calls(".")
    assert bench.state() is S.CLOSED


def test_commands_only_make_it_stricter() -> None:
    """A longer opening stays, probes only shrink, and afterwards the breaker decides by itself."""
    bench = Bench(open_ms=60_000)
    bench.open()
    bench.breaker.open_for(1_000)
    bench.clock.move(30)
    assert bench.breaker.try_acquire() is None
    bench.breaker.open_for(60_000, probes=1)
    bench.clock.move(59)
    assert bench.breaker.try_acquire() is None
    bench.clock.move(1)
    assert [bench.breaker.try_acquire() is None for _ in range(2)] == [False, True]
    bench.breaker.close()
    bench.breaker.tighten(2, 10_000)
    bench.calls("xx")
    assert bench.state() is S.OPEN
    bench.breaker.close()
    bench.breaker.tighten(2, 10_000)
    bench.clock.move(10)
    bench.calls("xx")
    assert bench.state() is S.CLOSED


def test_it_decorates_functions_and_coroutine_functions() -> None:
    """Both raise through and are counted; an async context manager works too."""
    bench = Bench()

    @bench.breaker
    def plain(x: int) -> int:
        return 1 // x

    @bench.breaker
    async def task(x: int) -> int:
        return 1 // x

    async def guarded() -> None:
        async with bench.breaker.guard():
            pass

    assert plain(1) == asyncio.run(task(1)) == 1
    with pytest.raises(ZeroDivisionError):
        plain(0)
    asyncio.run(guarded())
    assert bench.breaker.metrics()[1:3] == (4, 1)


def test_a_cancelled_task_gives_its_permit_back() -> None:
    """Cancelling every probe of a half-open breaker leaves all permits free."""
    bench = Bench(open_ms=1_000)
    bench.open()
    bench.clock.move(1)

    async def probe() -> None:
        async def hang() -> None:
            await asyncio.Event().wait()

        tasks = [asyncio.create_task(bench.breaker.acall(hang)) for _ in range(2)]
        await asyncio.sleep(0)
        assert bench.breaker.try_acquire() is None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(probe())
    bench.calls("..")
    assert bench.state() is S.CLOSED


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"failure_ratio": 0}, "failure_ratio: expected a number above 0 and at most 1, got 0"),
        ({"slow_ratio": 1.1}, "slow_ratio: expected a number above 0 and at most 1, got 1.1"),
        ({"minimum_calls": 0}, "minimum_calls: expected a whole number of at least 1, got 0"),
    ],
)
def test_bounds_are_checked(changes: dict[str, float], text: str) -> None:
    """Ratios and sizes outside of their bounds are refused."""
    with pytest.raises(ValueError, match=text):
        Bench(**changes)


OUTCOMES = st.lists(st.tuples(st.integers(0, 3), st.floats(0, 3)), max_size=60)


@given(OUTCOMES, st.integers(1, 8))
def test_windows_agree_with_recounting(steps: list[tuple[int, float]], size: int) -> None:
    """Both windows give what recounting all calls gives, at every moment."""
    count, timed, now = CountWindow(size), TimeWindow(size), 100.0
    seen: list[tuple[int, float]] = []
    for outcome, gap in steps:
        now += gap
        seen.append((outcome, now))
        recent = [o for o, at in seen if int(at) > int(now) - size]
        for window, kept in ((count, [o for o, _ in seen[-size:]]), (timed, recent)):
            failed = sum(bool(o & FAILED) for o in kept)
            slow = sum(bool(o & SLOW) for o in kept)
            assert window.record(outcome, now) == (len(kept), failed, slow)


class Model:
    """The breaker in the most obvious way: a list of results and no concurrency."""

    def __init__(self, minimum: int) -> None:
        self.minimum = minimum
        self.state, self.results, self.until = "closed", "", 0.0

    def call(self, outcome: str, now: float) -> bool:
        """Whether the call is let through; its outcome is taken in."""
        if self.state == "open":
            if now < self.until:
                return False
            self.state, self.results, self.until = "half_open", "", now + 60
        elif self.state == "half_open" and now >= self.until:
            self.state, self.until = "open", now + 5
            return False
        if outcome == "i":
            return True
        size = 4 if self.state == "closed" else 2
        self.results = (self.results + outcome)[-size:]
        if len(self.results) >= min(size, self.minimum):
            if self.results.count("x") * 2 >= len(self.results):
                self.state, self.until = "open", now + 5
            elif self.state == "half_open":
                self.state, self.results = "closed", ""
        return True


STEPS = st.lists(st.tuples(st.sampled_from("..xi"), st.sampled_from([0, 0, 1, 5, 61])), max_size=80)


@given(STEPS, st.integers(1, 4))
def test_any_history_agrees_with_the_model(steps: list[tuple[str, int]], minimum: int) -> None:
    """Whatever happens in whatever order, permission and state are those of the model."""
    bench = Bench(
        open_ms=5_000, ignore=(LookupError,), max_half_open_ms=60_000, minimum_calls=minimum
    )
    model = Model(minimum)
    for outcome, gap in steps:
        bench.clock.move(gap)
        refused = bench.breaker.metrics().not_permitted
        bench.calls(outcome)
        passed = bench.breaker.metrics().not_permitted == refused
        assert passed == model.call(outcome, bench.clock.now)
        assert bench.breaker.state.value == model.state


def test_no_call_of_many_threads_is_lost_from_the_counts() -> None:
    """Good ones take no lock while bad ones do; the window holds all of them in the end."""
    breaker = CircuitBreaker("db", window_size=10**6, minimum_calls=10**6)

    @breaker
    def work(number: int) -> None:
        if number % 7 == 0:
            raise OSError

    def many() -> None:
        for number in range(7_000):
            with contextlib.suppress(OSError):
                work(number)
            if number % 1_000 == 0:
                breaker.metrics()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=many) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert breaker.metrics()[1:3] == (28_000, 4_000)


def test_a_call_that_outlives_its_period_counts_nowhere() -> None:
    """Also one that began without a lock, while the breaker opened and closed again."""
    bench = Bench()
    inside = bench.breaker(bench.breaker.close)
    with bench.breaker.guard():
        inside()
    assert bench.breaker.metrics().calls == 0
    bench.calls("...x")
    assert bench.breaker.metrics()[1:3] == (4, 1)


def test_a_good_call_can_open_it_when_it_completes_the_minimum() -> None:
    """Two of four failed, and only the fourth call says so; one that began before counts too."""
    bench = Bench()
    bench.calls(".")
    with bench.breaker.guard():
        bench.calls("xx")
        assert bench.state() is S.CLOSED
    assert bench.state() is S.OPEN


def test_on_change_may_use_the_breaker_and_is_told_in_order() -> None:
    """It is called without the lock, so that it may wait for a thread that uses the breaker."""
    told: list[tuple[S, S]] = []

    def tell(before: S, after: S) -> None:
        told.append((before, after))
        if after is S.OPEN:
            other = threading.Thread(target=breaker.close)
            other.start()
            other.join(30)
            assert not other.is_alive()

    breaker = CircuitBreaker("db", on_change=tell)
    breaker.force_open()
    breaker.open_for(1_000)
    breaker.close()
    breaker.open_for(1_000)
    assert told == [
        (S.CLOSED, S.FORCED_OPEN), (S.FORCED_OPEN, S.CLOSED), (S.CLOSED, S.OPEN),
        (S.OPEN, S.CLOSED),
    ]  # fmt: skip


@given(st.lists(st.sampled_from(["take", "succeed", "fail", "release", "wait"]), max_size=60))
def test_permits_never_leak(steps: list[str]) -> None:
    """When every permit that was taken is handed back, a half-open breaker always decides."""
    bench = Bench(open_ms=1_000, max_half_open_ms=0)
    bench.open()
    bench.clock.move(1)
    out: list[int] = []
    for step in steps:
        if step == "take":
            permit = bench.breaker.try_acquire()
            out += [permit] if permit is not None else []
        elif step == "wait":
            bench.clock.move(1)
        elif out:
            permit = out.pop()
            if step == "succeed":
                bench.breaker.succeed(permit, 0)
            elif step == "fail":
                bench.breaker.fail(permit, 0, OSError())
            else:
                bench.breaker.release(permit)
    for permit in out:
        bench.breaker.release(permit)
    for _ in range(2):
        bench.clock.move(1)
        bench.calls("....")
    assert bench.state() is S.CLOSED
