"""FaultError, descriptions of existing hierarchies, and the context of a request."""

import asyncio
import pickle
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from faultstream.client import FaultError, Recovery, Reporter, context, describe
from faultstream.client.about import about, experiment_of, label
from tests.client.waiting import reporter_without_kafka, waiting

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class UnfinishedError(FaultError):
    """Does not call the constructor of its base."""

    severity = "high"

    def __init__(self, code: int) -> None:
        self.code = code


@pytest.fixture
def reporter() -> Iterator[Reporter]:
    """A reporter whose events wait."""
    with reporter_without_kafka() as made:
        yield made


# An application that was there first: a trading system's own tree.


class TradingError(Exception):
    """The root of a hierarchy that knows nothing of us."""


class DataProviderError(TradingError):
    """Prices cannot be had."""


class RateLimitError(DataProviderError):
    """Asked too often."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class OrderExecutionError(TradingError):
    """An order was not carried out."""

    def __init__(self, order: str, attempt: int) -> None:
        super().__init__(f"order {order} failed")
        self.order = order
        self.attempt = attempt


class InsufficientFundsError(OrderExecutionError):
    """There is not enough money."""


describe(TradingError, component="trading")
describe(DataProviderError, category="dependency", recoverable=True, http_status=502)
describe(
    RateLimitError,
    category="rate_limit",
    http_status=429,
    read=lambda exc: {"tags": {"retry_after_s": exc.retry_after_s}},
)
describe(
    OrderExecutionError,
    severity="high",
    category="business",
    read=lambda exc: {"retry_count": exc.attempt, "tags": {"order": exc.order}},
)
describe(InsufficientFundsError, severity="low", recoverable=False, http_status=402)


def test_a_fault_says_what_recovery_should_know(reporter: Reporter) -> None:
    """Severity, category, retries and context are in the event, under the error's own id."""

    class StockError(FaultError):
        severity = "high"
        category = "business"
        max_retries = 5

    exc = StockError("none left", retry_count=2, context={"item": 4711, "password": "x"})
    assert reporter.report(exc, severity="low") == exc.error_id
    event = waiting(reporter)[0]
    assert event.event_id == exc.error_id
    assert (event.severity, event.category) == ("low", "business")
    assert (event.retry_count, event.max_retries, event.recoverable) == (2, 5, True)
    assert event.tags["item"] == "4711"


def test_an_error_that_is_reported_twice_is_two_events(reporter: Reporter) -> None:
    """Only the first one has the error's id: ids are unique and counts stay right."""
    exc = FaultError("again")
    first = reporter.report(exc)
    waiting(reporter)
    second = reporter.report(exc, operation="elsewhere")
    assert first == exc.error_id != second


@pytest.mark.parametrize(
    ("retry_count", "delay_s"), [(0, 1), (1, 2), (5, 32), (6, 60), (10_000, 60)]
)
def test_delays_double_up_to_a_minute(retry_count: int, delay_s: float) -> None:
    """2 to the power of the retries, at most 60 s."""
    assert FaultError(retry_count=retry_count).retry_delay_s == delay_s


@pytest.mark.parametrize(
    ("recoverable", "retry_count", "again"), [(True, 2, True), (True, 3, False), (False, 0, False)]
)
def test_retrying_has_an_end(recoverable: bool, retry_count: int, again: bool) -> None:
    """should_retry holds while it is recoverable and attempts are left."""
    exc = FaultError(recoverable=recoverable, retry_count=retry_count)
    assert exc.should_retry is again


def test_faults_travel_between_processes() -> None:
    """Pickling keeps all that was said."""
    exc = FaultError("x", retry_count=1, context={"a": 1}, recovery=Recovery(attempted=True))
    copy = pickle.loads(pickle.dumps(exc))  # noqa: S301 - our own bytes
    assert (str(copy), copy.__dict__) == ("x", exc.__dict__)


def test_an_existing_hierarchy_is_described() -> None:
    """Classes below add to and overrule those above; readers see the exception."""
    assert about(RateLimitError(30)) == {
        "component": "trading",
        "category": "rate_limit",
        "recoverable": True,
        "http_status": 429,
        "tags": {"retry_after_s": 30},
    }
    assert about(InsufficientFundsError("7", 1)) == {
        "component": "trading",
        "severity": "low",
        "category": "business",
        "recoverable": False,
        "http_status": 402,
        "retry_count": 1,
        "tags": {"order": "7"},
    }
    assert about(ValueError()) == {}


def test_a_broken_reader_hides_nothing(reporter: Reporter) -> None:
    """The error is reported without what the reader would have said."""

    class BrokenError(Exception):
        pass

    describe(BrokenError, severity="high", read=lambda exc: {"tags": exc.args[5]})
    assert reporter.report(BrokenError())
    assert waiting(reporter)[0].severity == "high"


def test_unknown_details_are_refused() -> None:
    """A misspelt detail is found where it is written."""
    with pytest.raises(TypeError, match="no such detail: sevrity"):
        describe(KeyError, sevrity="high")  # type: ignore[call-arg]


def test_experiments_show_through_chains_and_groups() -> None:
    """Whatever is raised because of an injected error belongs to the experiment."""
    injected = ConnectionError()
    label(injected, "exp-1")
    try:
        try:
            raise injected
        except ConnectionError as exc:
            raise ValueError from exc
    except ValueError as caught:
        outer = ExceptionGroup("several", [KeyError(), caught])
    assert experiment_of(outer) == about(outer)["experiment_id"] == "exp-1"
    assert experiment_of(ExceptionGroup("real", [KeyError()])) == ""
    loop = ValueError()
    loop.__cause__ = loop
    assert experiment_of(loop) == ""


def test_context_is_in_every_event_inside(reporter: Reporter) -> None:
    """Inner context wins over outer, what is given to report over both; afterwards it is gone."""
    with context(request_id="r1", operation="outer", traceparent=PARENT):
        with context(operation="inner"):
            reporter.report("A")
        reporter.report("B", operation="mine")
    reporter.report("C")
    a, b, c = waiting(reporter)
    assert (a.request_id, a.operation, a.trace_id) == ("r1", "inner", PARENT[3:35])
    assert (b.operation, c.request_id, c.trace_id) == ("mine", "", "")


def test_a_context_decorates_functions(reporter: Reporter) -> None:
    """Each call has its own; calls within calls end as they should."""

    @context(operation="outer")
    def outer(depth: int) -> None:
        with context(component=f"depth {depth}"):
            if depth:
                outer(depth - 1)
            reporter.report("Inside", f"at {chr(97 + depth)}")

    outer(2)
    reporter.report("Outside")
    seen = [(event.operation, event.component) for event in waiting(reporter)]
    assert seen == [("outer", "depth 0"), ("outer", "depth 1"), ("outer", "depth 2"), ("", "")]


def test_a_fault_error_is_whole_without_its_constructor(reporter: Reporter) -> None:
    """A subclass that does not call it is reported like any other, and can be pickled."""

    error = UnfinishedError(4711)
    assert (error.retry_count, error.context, error.should_retry) == (0, {}, True)
    assert reporter.report(error) == error.error_id
    [event] = waiting(reporter)
    assert (event.message, event.severity) == ("4711", "high")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (again.code, again.error_id) == (4711, error.error_id)


async def test_a_context_decorates_coroutine_functions(reporter: Reporter) -> None:
    """It lasts until they end; calls side by side do not mix, and a generator is refused."""

    @context(component="api")
    async def work(name: str) -> None:
        with context(operation=name):
            await asyncio.sleep(0)
            reporter.report("Inside", name)

    await asyncio.gather(work("a"), work("b"))
    reporter.report("Outside")
    seen = [(event.operation, event.component) for event in waiting(reporter)]
    assert sorted(seen) == [("", ""), ("a", "api"), ("b", "api")]

    def items() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="cannot decorate the generator"):
        context(operation="x")(items)


async def test_tasks_have_contexts_of_their_own(reporter: Reporter) -> None:
    """Requests that run side by side do not mix."""

    async def request(number: int) -> None:
        with context(request_id=f"r{number}"):
            await asyncio.sleep(0)
            reporter.report(f"E{number}")

    await asyncio.gather(*(request(number) for number in range(5)))
    assert all(event.request_id[1:] == event.error_type[1:] for event in waiting(reporter))


def test_the_span_of_opentelemetry_is_taken_over(reporter: Reporter) -> None:
    """The present span wins over the request's header; ids given to report win over it."""
    tracer = TracerProvider().get_tracer("test")
    with context(traceparent=PARENT), tracer.start_as_current_span("work") as span:
        reporter.report("A")
        reporter.report("B", trace_id="1" * 32)
    a, b = waiting(reporter)
    found = span.get_span_context()
    assert (a.trace_id, a.span_id) == (trace.format_trace_id(found.trace_id),
                                       trace.format_span_id(found.span_id))  # fmt: skip
    assert (b.trace_id, b.span_id) == ("1" * 32, "")
