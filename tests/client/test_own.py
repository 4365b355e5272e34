"""What an application says of all its errors: tags, what is left out, what is changed."""

import asyncio
import logging
from typing import Any

import pytest

from faultstream.client import FaultError, Reporter, context, describe
from faultstream.core.event import ErrorEvent
from tests.client import topics


class GoneError(Exception):
    """The client went away."""


class LateError(GoneError):
    """It went away while it waited."""


class ShortError(FaultError):
    """Not enough in stock."""


@pytest.fixture
def topic(embedded_broker: str, prefix: str) -> str:
    """An errors topic on the embedded broker."""
    name = f"{prefix}.errors"
    topics.create(embedded_broker, name)
    return name


def test_tags_of_all_that_is_known_are_kept(embedded_broker: str, topic: str) -> None:
    """Of the reporter, of contexts, of the exception, of its description; the nearest wins."""
    describe(ShortError, tags={"team": "stock", "x": "described"})
    own = {"region": "eu", "x": "reporter"}
    with (
        Reporter("orders", brokers=embedded_broker, topic=topic, tags=own) as reporter,
        context(tags={"tenant": 7, "x": "outer"}),
        context(tags={"cart": 9, "x": "inner"}),
    ):
        reporter.report("A", "plain")
        reporter.report(ShortError("none left", context={"item": 4711}), tags={"x": "report"})
        reporter.report("B", "no tags of its own", tags=None)
    found = {one["message"]: one["tags"] for one in topics.events(embedded_broker, topic, 3)}
    around = {"region": "eu", "tenant": "7", "cart": "9"}
    assert found == {
        "plain": {**around, "x": "inner"},
        "none left": {**around, "team": "stock", "item": "4711", "x": "report"},
        "no tags of its own": {**around, "x": "inner"},
    }


def test_some_errors_are_not_wanted(embedded_broker: str, topic: str) -> None:
    """`ignore` and `before_send` leave out, which is counted and told nobody as a loss."""

    def before(event: ErrorEvent) -> ErrorEvent | None:
        if event.message == "secret":
            return None
        event.message = event.message.replace("kim", "somebody")
        event.fingerprint = ["{{ default }}", event.operation]
        return event

    with Reporter(
        "orders", brokers=embedded_broker, topic=topic, ignore=GoneError, before_send=before
    ) as reporter:
        assert not reporter.report(LateError("while waiting"), count=3)
        assert not reporter.report(ExceptionGroup("both", [GoneError(), LateError()]))
        assert not reporter.report("A", "secret")
        assert reporter.report(ExceptionGroup("one", [GoneError(), ValueError()]))
        assert reporter.report("B", "kim is away, password=hunter2", operation="charge")
        with pytest.raises(GoneError), reporter.capture(), reporter.capture():
            raise GoneError
        assert reporter.flush(20)
        assert reporter.stats().dropped == {"filtered": 6}
        assert reporter.stats().reported == 8
    found = topics.events(embedded_broker, topic, 2)
    assert [one["error_type"] for one in found] == ["ExceptionGroup", "B"]
    assert found[1]["message"] == "somebody is away, password=[scrubbed]"
    assert found[1]["fingerprint"] == ["{{ default }}", "charge"]


@pytest.mark.parametrize("broken", [lambda _: 1 // 0, lambda _: "no event"])
def test_an_error_is_not_sent_past_a_broken_hook(broken: Any, caplog: Any) -> None:
    """It may have been meant to hide something: dropped, counted, and logged once."""
    reporter = Reporter("orders", brokers="127.0.0.1:1", before_send=broken)
    assert not reporter.report("A", "x")
    assert not reporter.report("A", "x", count=2)
    assert reporter.stats().dropped == {"before_send": 3}
    assert sum("before_send" in one.message for one in caplog.records) <= 1
    reporter.close(0)


def test_a_broken_ignore_leaves_nothing_out() -> None:
    """Errors are reported as if it were not there."""
    reporter = Reporter("orders", brokers="127.0.0.1:1", ignore=lambda _: bool(1 // 0))
    assert reporter.report(ValueError("x"))
    reporter.close(0)


async def test_what_was_reported_is_not_reported_again_when_it_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By a capture or by the hook of the event loop, whose default handler logs; an object that is
    only logged counts each time."""
    reporter = Reporter("orders", brokers="127.0.0.1:1", fold_ms=0)
    handler = reporter.logging_handler()
    log = logging.getLogger("app")
    logging.getLogger().addHandler(handler)
    try:

        @reporter.capture
        def leave() -> None:
            raise GoneError

        @reporter.capture
        def logs() -> None:
            try:
                leave()
            except GoneError:
                log.exception("gone")
                raise

        with pytest.raises(GoneError):
            logs()
        assert reporter.stats().reported == 1
        again = GoneError()
        for _ in range(2):
            try:
                raise again
            except GoneError:
                log.exception("again")
        assert reporter.stats().reported == 3
        done = asyncio.Event()
        with reporter.install():
            asyncio.get_running_loop().call_soon(lambda: 1 // 0)
            asyncio.get_running_loop().call_soon(done.set)
            await done.wait()
        assert reporter.stats().reported == 4
    finally:
        logging.getLogger().removeHandler(handler)
        reporter.close(0)


def test_capture_decorates_without_parentheses() -> None:
    """As with them; what is no function is refused at once."""
    reporter = Reporter("orders", brokers="127.0.0.1:1")

    @reporter.capture
    def fail(number: int) -> int:
        return number // 0

    with pytest.raises(ZeroDivisionError):
        fail(1)
    assert reporter.stats().reported == 1
    with pytest.raises(TypeError, match="capture: expected a function to decorate, got 'charge'"):
        reporter.capture("charge")  # type: ignore[call-overload]
    reporter.close(0)
