"""A child that is forked amid the work of other threads can use every primitive."""

import subprocess
import sys
import textwrap

import pytest

SCRIPT = """
    import os, signal, sys, threading, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # that is what is shown here
    from faultstream.client import *
    from faultstream.client.injection import Injector

    made = []

    def connect():
        made.append(os.getpid())
        return os.getpid()

    breaker = CircuitBreaker(minimum_calls=1, window_size=1)
    bulkhead, pool = Bulkhead(max_concurrent_calls=2), ResourcePool(connect, size=2)
    throttle, fallback, timeout = RateLimiter(per_minute=60), Fallback(lambda: 2), AdaptiveTimeout()
    retry, injector = Retry(max_attempts=1), Injector(enabled=True)
    locked = [breaker, bulkhead._permits, bulkhead.limit, pool, pool._permits, throttle, fallback,
              timeout, timeout.limit_ms, retry.plan, injector]

    def use():
        for primitive in (breaker, bulkhead, throttle, fallback, timeout, retry):
            assert primitive.call(lambda: 1) == 1
        try:
            breaker.call(lambda: 1 // 0)
        except ZeroDivisionError:
            pass
        assert breaker.state is BreakerState.OPEN
        with injector.inject("db", OSError):
            pass
        retry.plan.let_go()
        throttle.rate.hold(None, 1_000)
        bulkhead.limit.hold(2, 1_000)
        with bulkhead.guard(), bulkhead.guard(), pool.lease() as one, pool.lease() as other:
            assert {one, other} == {os.getpid()}, "a connection of the parent"
        assert pool.stats().leased == 0
        assert bulkhead.available == 2

    def child_of(work):
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # a lock that nobody releases ends the child
            try:
                work()
                os._exit(0)
            except BaseException:
                import traceback
                traceback.print_exc()
                os._exit(1)
        return os.waitpid(child, 0)[1]

    with pool.lease():
        pass  # an idle connection
    ready, over = threading.Event(), threading.Event()

    def hold():
        with bulkhead.guard(), pool.lease():
            for one in locked:
                one._lock.acquire()
            ready.set()
            over.wait()

    if sys.argv[1] == "beside":
        thread = threading.Thread(target=hold, daemon=True)
        thread.start()
        ready.wait()
        status = child_of(use)
        over.set()
    else:
        with bulkhead.guard(), pool.lease() as parents:
            inside = os.fork()
        if inside == 0:  # both were left in the child
            use()
            os._exit(0)
        status = os.waitpid(inside, 0)[1]
        assert bulkhead.available == 2 and pool.stats().leased == 0
    sys.exit(0 if status == 0 else 1)
"""


@pytest.mark.parametrize("when", ["beside", "inside"])
def test_a_forked_child_can_use_every_primitive(when: str) -> None:
    """Whatever lock another thread holds then, whatever permit or connection is out: the child has
    locks, permits and connections of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), when],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
