"""All primitives around one function, in the one order that does what people expect.

Fallback(Retry(CircuitBreaker(Timeout(Bulkhead(function))))), with the rate limit just inside the
retry: a fallback inside would hide failures from the retry, a retry inside would hide them from
the breaker.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from faultstream.client.breaker import CircuitBreaker
from faultstream.client.bulkhead import Bulkhead
from faultstream.client.fallback import Fallback
from faultstream.client.retry import Retry
from faultstream.client.throttle import RateLimiter
from faultstream.client.timeout import Timeout

P = ParamSpec("P")
R = TypeVar("R")


def resilient(
    *,
    fallback: Fallback[Any] | None = None,
    retry: Retry | None = None,
    throttle: RateLimiter | None = None,
    breaker: CircuitBreaker | None = None,
    timeout: Timeout | None = None,
    bulkhead: Bulkhead | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator for functions and coroutine functions; what is left out is not there."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        for layer in (bulkhead, timeout, breaker, throttle, retry, fallback):
            if layer is not None:
                function = layer(function)
        return function

    return decorate
