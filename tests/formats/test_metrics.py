"""Metric and health records, and Prometheus' text format."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream.core.event import ErrorEvent
from faultstream.core.limits import Crossing
from faultstream.formats.logs.stamp import Now
from faultstream.formats.metrics import Measure, Scrape, event, read

NOW = Now(1_795_312_899_120)
FIRST = """# TYPE queue_depth gauge
queue_depth{queue="orders"} 7
# TYPE errors counter
errors_total 10
# TYPE latency_seconds histogram
latency_seconds_bucket{le="+Inf"} 4
latency_seconds_sum 2
latency_seconds_count 4
"""


def test_metric_record() -> None:
    """A metric record becomes a measure; what past its limit, an event of the series' group."""
    record = {"service": "orders", "metric": "p99_ms", "value": 900, "limit": 500}
    measure = read(record, NOW)
    assert isinstance(measure, Measure)
    made = event(measure, Crossing(900.0, 500.0, learned=False, points=0), NOW)
    assert (made.service, made.error_type, made.operation) == (
        "orders", "MetricLimitExceeded", "p99_ms",
    )  # fmt: skip
    assert made.message == "p99_ms is 900, above the limit 500 (set)"
    assert made.fingerprint == ["metric", "orders|p99_ms|"]


@pytest.mark.parametrize(
    ("crossing", "message"),
    [
        (
            Crossing(9.0, 5.0, learned=True, points=300, low=1.0, high=5.0),
            "ms is 9, above the limit 5 (expected 1 to 5, learned from 300 values)",
        ),
        (
            Crossing(0.0, 1.0, learned=True, points=300, low=1.0, high=5.0, lasting=3),
            (
                "ms is 0, below the limit 1 (expected 1 to 5, learned from 300 values), "
                "for 4 values now"
            ),
        ),
        (
            Crossing(3.0, 5.0, learned=True, points=300, low=1.0, high=5.0, oddness=2.0),
            (
                "ms is 3, and came in a way that it never did before "
                "(expected 1 to 5, learned from 300 values)"
            ),
        ),
        (
            Crossing(9.0, 5.0, learned=True, points=300, low=4.0, high=6.0, way="record"),
            "ms is 9, far above 5, the most extreme so far (learned from 300 values)",
        ),
        (
            Crossing(2.0, 30.0, learned=True, points=300, low=1.0, high=5.0, way="silence"),
            (
                "ms is 2, usual for too long: never for more than 30 values before "
                "(learned from 300 values)"
            ),
        ),
        (
            Crossing(2.0, 1.0, learned=True, points=300, low=1.0, high=5.0, way="hours", hours=3.0),
            "ms is 2, 3 on average in a course of hours that never was (learned from 300 values)",
        ),
    ],
)
def test_a_crossing_explains_itself(crossing: Crossing, message: str) -> None:
    """The message says the value, what was expected, from how much history, and since when."""
    measure = Measure(metric="ms", value=crossing.value)
    assert event(measure, crossing, NOW).message == message


@pytest.mark.parametrize(("status", "fails"), [("fail", True), ("DOWN", True), ("pass", False)])
def test_health_record(status: str, fails: bool) -> None:
    """A failed health check is an event, one that passed is not."""
    made = read({"service": "orders", "check": "database", "status": status}, NOW)
    assert isinstance(made, ErrorEvent) is fails


@pytest.mark.parametrize(
    "record",
    [{}, {"metric": "a", "value": "x"}, {"metric": 1, "value": 1}, {"check": 1, "status": "fail"},
     {"metric": "a", "value": float("nan")}],
)  # fmt: skip
def test_other_records(record: dict[str, object]) -> None:
    """What is neither is left to the formats of logs."""
    assert read(record, NOW) is None


def test_scrape() -> None:
    """Gauges as they are; counters as rates and histograms as means, from the second scrape on."""
    scrape = Scrape()
    assert [(one.metric, one.value) for one in scrape.read(FIRST, 0)] == [("queue_depth", 7.0)]
    second = FIRST.replace("errors_total 10", "errors_total 30")
    second = second.replace("_sum 2", "_sum 5").replace("_count 4", "_count 6")
    found = {one.metric: one.value for one in scrape.read(second, 10_000)}
    assert found == {"queue_depth": 7.0, "errors_total_rate": 2.0, "latency_seconds_mean": 1.5}
    reset = {one.metric for one in scrape.read(FIRST, 20_000)}
    assert reset == {"queue_depth"}


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    """Whatever an address answers, there are measures or a ValueError."""
    try:
        list(Scrape().read(text, 0))
    except ValueError:
        return
