"""Uncaught errors: in the main thread, in threads, in event loops."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from faultstream.client import Reporter
from tests.client import topics
from tests.client.waiting import reporter_without_kafka, waiting


@pytest.fixture
def reporter() -> Iterator[Reporter]:
    """A reporter whose events wait."""
    with reporter_without_kafka() as made:
        yield made


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Hooks that were there before ours, and what they saw."""
    seen: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda _kind, exc, _tb: seen.append(f"sys {exc}"))
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(f"td {args.exc_value}"))
    return seen


def raise_(exc: BaseException) -> None:
    raise exc


def in_thread(exc: BaseException) -> None:
    thread = threading.Thread(target=raise_, args=(exc,))
    thread.start()
    thread.join()


def test_uncaught_errors_are_reported_and_passed_on(reporter: Reporter, quiet: list[str]) -> None:
    """Main thread and threads: one event each, handled False, and the old hooks run too."""
    with reporter.install():
        sys.excepthook(ValueError, ValueError("main"), None)
        in_thread(KeyError("thread"))
    assert [(event.error_type, event.handled, event.tags) for event in waiting(reporter)] == [
        ("ValueError", False, {"hook": "excepthook"}),
        ("KeyError", False, {"hook": "threading"}),
    ]
    assert quiet == ["sys main", "td 'thread'"]


def test_what_is_no_error_is_not_reported(reporter: Reporter, quiet: list[str]) -> None:
    """KeyboardInterrupt is passed on alone; nothing is reported twice."""
    with reporter.install():
        sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
        exc = ValueError("known")
        reporter.report(exc)
        sys.excepthook(ValueError, exc, None)
    assert len(waiting(reporter)) == 1
    assert len(quiet) == 2


def test_uninstalling_puts_back_what_was_there(reporter: Reporter, quiet: list[str]) -> None:
    """The hooks of before stand again; repeating it does nothing."""
    before = (sys.excepthook, threading.excepthook)
    hooks = reporter.install()
    assert sys.excepthook is not before[0]
    hooks.uninstall()
    hooks.uninstall()
    assert (sys.excepthook, threading.excepthook) == before


def test_a_hook_above_ours_stays(
    reporter: Reporter, quiet: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uninstalling below somebody else's hook leaves theirs, and ours passes on in silence."""
    hooks = reporter.install()
    ours = sys.excepthook

    def theirs(kind: type[BaseException], exc: BaseException, tb: Any) -> None:
        quiet.append("theirs")
        ours(kind, exc, tb)

    monkeypatch.setattr(sys, "excepthook", theirs)
    hooks.uninstall()
    assert sys.excepthook is theirs
    sys.excepthook(ValueError, ValueError("late"), None)
    assert quiet == ["theirs", "sys late"]
    assert not waiting(reporter)


async def test_event_loops_report_lost_errors(reporter: Reporter, quiet: list[str]) -> None:
    """A failed callback is reported, the handler of before runs, and is back afterwards."""
    loop = asyncio.get_running_loop()
    seen: list[dict[str, Any]] = []

    def before(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        seen.append(context)

    loop.set_exception_handler(before)
    with reporter.install():
        loop.call_soon(raise_, ValueError("callback"))
        loop.call_exception_handler({"message": "something was lost"})
        while len(seen) < 2:  # noqa: ASYNC110 - two turns of the loop
            await asyncio.sleep(0)
    assert {(event.error_type, event.message) for event in waiting(reporter)} == {
        ("ValueError", "callback"), ("UnhandledError", "something was lost")
    }  # fmt: skip
    assert all(event.tags == {"hook": "asyncio"} for event in waiting(reporter))
    assert loop.get_exception_handler() is before


def test_a_program_that_dies_is_reported(embedded_broker: str, prefix: str) -> None:
    """A real interpreter that ends by an exception prints it, and the event is in Kafka."""
    topic = f"{prefix}.errors"
    topics.create(embedded_broker, topic)
    code = (
        "from faultstream.client import Reporter\n"
        f"Reporter('orders', brokers={embedded_broker!r}, topic={topic!r},"
        " exit_flush_s=20).install()\n"
        "raise RuntimeError('the end')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "RuntimeError: the end" in done.stderr
    event = topics.events(embedded_broker, topic, 1)[0]
    assert (event["error_type"], event["message"], event["handled"]) == (
        "RuntimeError", "the end", False
    )  # fmt: skip
