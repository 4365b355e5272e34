"""resilience4j's documented defaults and cases, in our words (its manual, CircuitBreaker, Retry,
Bulkhead), and permits against a model."""

import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream.client import BreakerState, Bulkhead, CircuitBreaker, Retry
from faultstream.client.backoff import exponential
from faultstream.client.held import Held
from faultstream.client.permits import Permits
from tests.client.clock import Clock


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (CircuitBreaker, "failure_ratio", 0.5),  # failureRateThreshold 50
        (CircuitBreaker, "slow_ratio", 1.0),  # slowCallRateThreshold 100
        (CircuitBreaker, "slow_ms", 60_000),  # slowCallDurationThreshold
        (CircuitBreaker, "half_open_calls", 10),  # permittedNumberOfCallsInHalfOpenState
        (CircuitBreaker, "window", "count"),  # slidingWindowType
        (CircuitBreaker, "window_size", 100),  # slidingWindowSize
        (CircuitBreaker, "minimum_calls", 100),  # minimumNumberOfCalls
        (CircuitBreaker, "open_ms", 60_000),  # waitDurationInOpenState
        (Bulkhead, "max_concurrent_calls", 25),
        (Bulkhead, "max_wait_ms", 0),
        (Retry, "max_attempts", 3),
    ],
)
def test_defaults_are_those_of_the_manual(kind: Any, name: str, value: object) -> None:
    """Names differ only in units."""
    assert inspect.signature(kind).parameters[name].default == value


def test_the_wait_between_attempts_is_that_of_the_manual() -> None:
    """ofExponentialBackoff: 500 ms, times 1.5 each time."""
    wait = exponential(500)
    assert [wait(attempt) for attempt in (1, 2, 3)] == [500, 750, 1_125]


class Case:
    """A breaker that is told of calls."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        given: dict[str, Any] = {"window_size": 10, "minimum_calls": 10, **options}
        self.breaker = CircuitBreaker("case", clock=self.clock, **given)

    def calls(self, outcomes: str) -> str:
        """One call a letter: s(uccess), f(ailure), slow (l); + or - for each: was it permitted."""
        said = ""
        for outcome in outcomes:
            permit = self.breaker.try_acquire()
            said += "-" if permit is None else "+"
            if permit is not None:
                self.end(permit, outcome)
        return said

    def end(self, permit: int, outcome: str) -> None:
        """The result of a call."""
        if outcome == "f":
            self.breaker.fail(permit, 0.0, ValueError())
        else:
            self.breaker.succeed(permit, 61.0 if outcome == "l" else 0.0)


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ("fffffffff", "closed"),  # "at least 10 calls": 9 failures do not open it
        ("ffffffffff", "open"),
        ("fffffsssss", "open"),  # equal to the threshold is enough
        ("ffffssssss", "closed"),  # below is not
        ("ssssssfffff", "open"),  # the oldest call has left the window
        ("llllllllll", "open"),  # all slow
        ("lllllllll" + "s", "closed"),
    ],
)
def test_when_it_opens(outcomes: str, state: str) -> None:
    """Failure rate and slow call rate, equal or greater than their thresholds."""
    case = Case()
    case.calls(outcomes)
    assert case.breaker.state.value == state


@pytest.mark.parametrize(
    ("outcomes", "state"), [("sss", "closed"), ("sff", "open"), ("ssf", "closed"), ("lll", "open")]
)
def test_half_open_decides_when_all_permitted_calls_have_ended(outcomes: str, state: str) -> None:
    """Until then further calls are not permitted."""
    case = Case(half_open_calls=3, max_half_open_ms=0)
    case.calls("f" * 10)
    case.clock.move(60)
    permits = [case.breaker.try_acquire() for _ in range(4)]
    assert permits[3] is None
    for permit, outcome in zip(permits[:2], outcomes, strict=False):
        assert permit is not None
        case.end(permit, outcome)
        assert case.breaker.state is BreakerState.HALF_OPEN
    assert permits[2] is not None
    case.end(permits[2], outcomes[2])
    assert case.breaker.state.value == state


def test_special_states_end_by_a_transition_only() -> None:
    """DISABLED and METRICS_ONLY always permit, FORCED_OPEN never does; reset ends them."""
    case = Case()
    for begin, said, recorded in (
        (case.breaker.disable, "+" * 20, 0),
        (case.breaker.metrics_only, "+" * 20, 10),
        (case.breaker.force_open, "-" * 20, 0),
    ):
        begin()
        before = case.breaker.state
        assert case.calls("f" * 20) == said
        case.clock.move(10_000)
        assert case.breaker.state is before
        assert case.breaker.metrics().calls == recorded
        case.breaker.close()
        assert case.breaker.state is BreakerState.CLOSED


@given(
    st.integers(1, 4),
    st.lists(
        st.one_of(
            st.just(("acquire", 0)),
            st.just(("release", 0)),
            st.tuples(st.just("limit"), st.integers(1, 5)),
        ),
        max_size=60,
    ),
)
def test_permits_agree_with_the_model(limit: int, steps: list[tuple[str, int]]) -> None:
    """A count and a limit: granted exactly while there are fewer out than the limit says."""
    held = Held(limit)
    permits = Permits(held)
    out = 0
    for step, number in steps:
        if step == "acquire":
            granted = permits.acquire(0)
            assert granted == (out < limit)
            out += granted
        elif step == "release" and out:
            permits.release()
            out -= 1
        elif step == "limit":
            held.local = limit = number
            permits.changed()
        assert (permits.out, permits.waiting) == (out, 0)
