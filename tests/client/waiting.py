"""A reporter without Kafka, whose events are looked at while they wait."""

from collections.abc import Iterator
from contextlib import contextmanager

from faultstream.client import Reporter
from faultstream.core.event import ErrorEvent


@contextmanager
def reporter_without_kafka() -> Iterator[Reporter]:
    """Nobody listens at port 1, so what is reported stays where `waiting` finds it."""
    reporter = Reporter("orders", brokers="127.0.0.1:1")
    try:
        yield reporter
    finally:
        reporter.close(0)


def waiting(reporter: Reporter) -> list[ErrorEvent]:
    """What would be sent now, in order."""
    reporter._delivery.outbox.release(everything=True)
    return [entry.event for entry in list(reporter._delivery.outbox._queue)]
