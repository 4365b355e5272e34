"""What a service says of itself is what it did."""

from faultstream.demo.meter import WINDOW_S, Meter


class Clock:
    """Set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rates_are_means_over_the_last_whole_seconds() -> None:
    """The second under way and those before the window are not in the rates."""
    clock = Clock()
    meter = Meter(clock)
    meter.add(1_000.0, error=True)
    for second in range(1, WINDOW_S + 1):
        clock.now = 100.0 + second
        for latency_ms in (10.0, 20.0, 30.0):
            meter.add(latency_ms, error=latency_ms == 30.0, degraded=latency_ms == 20.0)
    clock.now = 101.0 + WINDOW_S
    meter.add(5_000.0)
    rates = meter.rates()
    assert (rates.rps, rates.errors_per_s, rates.degraded_per_s) == (3.0, 1.0, 1.0)
    assert rates.p95_ms == 30.0
    assert (rates.requests, rates.errors, rates.degraded) == (11, 4, 3)


def test_a_silent_service_has_no_rates_but_keeps_its_totals() -> None:
    """After the window without an answer every rate is zero."""
    clock = Clock()
    meter = Meter(clock)
    meter.add(10.0, error=True)
    clock.now += WINDOW_S + 2
    rates = meter.rates()
    assert (rates.rps, rates.errors_per_s, rates.p95_ms) == (0.0, 0.0, 0.0)
    assert rates.errors == 1
