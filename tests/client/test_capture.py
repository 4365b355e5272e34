"""Decorator and context manager: what is reported, what goes on, what is swallowed."""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager

import pytest

from faultstream.client.capture import Capture


class Reports:
    """Takes the place of a reporter."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def __call__(self, exc: BaseException, function: str) -> None:
        self.seen.append((repr(exc), function.rpartition(".")[2]))

    def capture(self, *, swallow: bool = False) -> Capture:
        """A capture that reports here."""
        return Capture(self, swallow=swallow)


@pytest.fixture
def reports() -> Reports:
    """What was reported."""
    return Reports()


def test_functions_of_every_kind_are_decorated(reports: Reports) -> None:
    """Functions, coroutine functions and both kinds of generators report and raise on."""
    capture = reports.capture()

    @capture
    def plain(x: int) -> int:
        return 1 // x

    @capture
    async def coroutine(x: int) -> int:
        return 1 // x

    @capture
    def generator(x: int) -> Iterator[int]:
        yield 1
        yield 1 // x

    @capture
    async def stream(x: int) -> AsyncIterator[int]:
        yield 1
        yield 1 // x

    async def collect() -> list[int]:
        return [item async for item in stream(0)]

    assert plain(1) == 1
    assert asyncio.run(coroutine(1)) == 1
    assert list(generator(1)) == [1, 1]
    assert not reports.seen
    for broken in (
        lambda: plain(0),
        lambda: asyncio.run(coroutine(0)),
        lambda: list(generator(0)),
        lambda: asyncio.run(collect()),
    ):
        with pytest.raises(ZeroDivisionError):
            broken()
    assert [name for _, name in reports.seen] == ["plain", "coroutine", "generator", "stream"]
    assert plain.__name__ == "plain"


def test_swallowing_must_be_asked_for(reports: Reports) -> None:
    """With swallow the exception ends here; without it goes on; both are reported."""
    with reports.capture(swallow=True):
        raise ValueError("swallowed")
    with pytest.raises(ValueError, match="goes on"), reports.capture():
        raise ValueError("goes on")

    async def both() -> None:
        async with reports.capture(swallow=True):
            raise ValueError("async")

    asyncio.run(both())
    assert len(reports.seen) == 3


def test_nested_captures_report_once(reports: Reports) -> None:
    """The innermost reports; a new exception on the way out is reported again."""
    with pytest.raises(ValueError, match="one"), reports.capture(), reports.capture():
        raise ValueError("one")
    assert len(reports.seen) == 1

    @reports.capture()
    def inner() -> None:
        raise ValueError("two")

    @reports.capture()
    def outer() -> None:
        try:
            inner()
        except ValueError as exc:
            raise KeyError("three") from exc

    with pytest.raises(KeyError):
        outer()
    assert [text for text, _ in reports.seen[1:]] == ["ValueError('two')", "KeyError('three')"]


def test_one_exception_raised_again_later_is_reported_again(reports: Reports) -> None:
    """An exception object that is kept and raised twice is two errors."""
    kept = ValueError("kept")
    for _ in range(2):
        with pytest.raises(ValueError, match="kept"), reports.capture():
            raise kept
    assert len(reports.seen) == 2


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_is_no_error_passes(reports: Reports, signal: type[BaseException]) -> None:
    """Cancellation and the ways to end a program are neither reported nor swallowed."""
    with pytest.raises(signal), reports.capture(swallow=True):
        raise signal
    assert not reports.seen


async def test_what_is_sent_or_thrown_into_an_asynchronous_generator_reaches_it(
    reports: Reports,
) -> None:
    """So that it may be a context manager, or a dependency, with its own way with errors."""

    @asynccontextmanager
    @reports.capture()
    async def transaction(log: list[str]) -> AsyncGenerator[int, None]:
        try:
            yield 7
        except ValueError:
            log.append("rolled back")
        finally:
            await asyncio.sleep(0)
            log.append("closed")

    log: list[str] = []
    with contextlib.suppress(ZeroDivisionError):
        async with transaction(log) as number:
            assert number == 7
            raise ValueError("handled inside")
    assert log == ["rolled back", "closed"]
    assert not reports.seen
    with pytest.raises(KeyError):
        async with transaction(log):
            raise KeyError("not handled inside")
    assert reports.seen == [("KeyError('not handled inside')", "transaction")]

    @reports.capture()
    async def echo() -> AsyncGenerator[str, str]:
        said = "begun"
        while True:
            said = yield said

    items = echo()
    assert [await anext(items), await items.asend("a"), await items.asend("b")] == [
        "begun", "a", "b",
    ]  # fmt: skip
    await items.aclose()
    assert inspect.isasyncgenfunction(echo)


async def test_an_asynchronous_generator_that_is_left_early_is_closed(reports: Reports) -> None:
    """Also when its task is cancelled; none of it is an error."""
    closed: list[str] = []
    begun = asyncio.Event()

    @reports.capture()
    async def items(name: str) -> AsyncGenerator[int, None]:
        try:
            yield 1
            begun.set()
            await asyncio.Event().wait()
        finally:
            closed.append(name)

    async with aclosing(items("left")) as left:
        async for _ in left:
            break

    async def consume() -> None:
        async for _ in items("cancelled"):
            pass

    task = asyncio.create_task(consume())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed == ["left", "cancelled"]
    assert not reports.seen
