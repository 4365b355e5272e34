"""with_recovery: mend, report, and swallow only where asked and where it worked."""

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from faultstream.client import FaultError, Reporter, with_recovery
from tests.client.waiting import reporter_without_kafka, waiting


@pytest.fixture
def reporter() -> Iterator[Reporter]:
    """A reporter whose events wait."""
    with reporter_without_kafka() as made:
        yield made


def mend(exc: Exception) -> None:
    """Works."""


def refuse(exc: Exception) -> bool:
    """Says that it did not work."""
    return False


def explode(exc: Exception) -> None:
    """Does not work either."""
    raise OSError("cannot be mended")


async def amend(exc: Exception) -> None:
    """Works, later."""
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("actions", "swallow", "goes_on", "told"),
    [
        ((mend,), True, False, "recovered; mend worked"),
        ((mend,), False, True, "recovered; mend worked"),
        ((refuse, explode), True, True,
         "not recovered; refuse did not work; explode raised OSError"),
        ((explode, mend, refuse), True, False, "recovered; explode raised OSError; mend worked"),
        ((), True, True, "not recovered"),
        ((amend,), True, True, "not recovered; amend raised TypeError"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_it_is_swallowed_only_where_asked_and_mended(
    reporter: Reporter, actions: tuple[object, ...], *, swallow: bool, goes_on: bool, told: str
) -> None:
    """Always reported, once, with what was tried; handled says whether it ended here."""
    attempt = with_recovery(reporter, *actions, swallow=swallow, operation="sync")  # type: ignore[arg-type]
    expected = pytest.raises(ConnectionError) if goes_on else contextlib.nullcontext()
    with expected, reporter.capture(), attempt:
        raise ConnectionError("away")
    [event] = waiting(reporter)
    assert event.tags["recovery"] == told
    assert (event.operation, event.handled) == ("sync", not goes_on)
    assert attempt.recovered == told.startswith("recovered")


async def test_asynchronous_actions_work_in_async_with(reporter: Reporter) -> None:
    """The first that works ends it; those after it are not tried."""
    fault = FaultError("away")
    async with with_recovery(reporter, refuse, amend, explode, swallow=True) as attempt:
        raise fault
    assert attempt.recovery.actions == ("refuse did not work", "amend worked")
    assert fault.recovery is attempt.recovery
    async with with_recovery(reporter, explode, swallow=True) as attempt:
        pass
    assert not attempt.recovered
    with pytest.raises(ValueError, match="again"):
        async with with_recovery(reporter, explode, amend):
            raise ValueError("again")


async def test_a_cancelled_recovery_is_reported_all_the_same(reporter: Reporter) -> None:
    """As not recovered, with the action that was under way; the cancellation goes on."""
    waiting_now = asyncio.Event()

    async def reconnect(_: Exception) -> None:
        waiting_now.set()
        await asyncio.Event().wait()

    async def work() -> None:
        async with with_recovery(reporter, reconnect, swallow=True):
            raise ConnectionError("refused")

    task = asyncio.create_task(work())
    await waiting_now.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    [event] = waiting(reporter)
    assert event.error_type == "ConnectionError"
    assert event.tags["recovery"] == "not recovered; reconnect raised CancelledError"


@pytest.mark.parametrize("error", [KeyboardInterrupt, asyncio.CancelledError, KeyError])
def test_what_it_is_not_for_goes_through_untouched(
    reporter: Reporter, error: type[BaseException]
) -> None:
    """No action is tried and nothing is reported."""
    with pytest.raises(error), with_recovery(reporter, mend, swallow=True, on=(OSError,)):
        raise error
    assert waiting(reporter) == []
