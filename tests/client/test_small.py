"""What the client keeps to track errors and calls stays small, however many there were."""

import gc
import tracemalloc
from typing import Any

import pytest

from faultstream.client import (
    AdaptiveTimeout,
    Bulkhead,
    CircuitBreaker,
    RateLimiter,
    Reporter,
    Retry,
    resilient,
)

MEGABYTE = 1_000_000


def _fail(number: int) -> None:
    raise ConnectionError("refused " + "".join(chr(97 + int(digit)) for digit in str(number)))


def test_tracking_takes_less_than_a_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once 2,000 different errors went through, and beside them ten operations with all primitives
    that were called 200 times each."""
    reporter = Reporter("orders", brokers="127.0.0.1:1", sampling=False)
    monkeypatch.setattr(reporter._delivery, "_start", lambda: None)
    outbox = reporter._delivery.outbox

    def report(number: int) -> None:
        try:
            _fail(number)
        except ConnectionError as exc:
            reporter.report(exc)

    def use(number: int) -> Any:
        made = resilient(
            retry=Retry(f"r{number}"), throttle=RateLimiter(f"l{number}"),
            breaker=CircuitBreaker(f"b{number}"), bulkhead=Bulkhead(f"u{number}"),
        )(int)  # fmt: skip
        timeout = AdaptiveTimeout(name=f"t{number}")
        for _ in range(200):
            made()
            timeout.took(5)
        return made, timeout

    report(0)  # what is imported at the first error is no tracking
    use(0)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(2_000):
            report(number)
            if number % 100 == 99:
                outbox.settle(outbox.take(500))
        used = [use(number) for number in range(10)]
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        reporter.close(0)
    assert len(used) == 10
    assert 0 < kept < MEGABYTE
