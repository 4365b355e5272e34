"""How an executor begins and ends, with no Kafka anywhere near."""

import asyncio
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from faultstream.client import Executor, lifetime
from faultstream.client.shift import Shift
from faultstream.core import signing
from faultstream.core.signing import KEY_ID_HEADER
from tests.client.topics import KEYS
from tests.until import until, until_async


def executor(**more: Any) -> Executor:
    """One whose Kafka is away."""
    return Executor("orders", **{"keys": KEYS, "brokers": "127.0.0.1:1", **more})


def test_a_service_is_needed() -> None:
    """Commands are for a service."""
    with pytest.raises(ValueError, match="service: expected a name"):
        Executor("", keys=KEYS)


def test_the_key_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its id, k1 when none is named; results are signed with it."""
    monkeypatch.setenv("FAULTSTREAM_SIGNING_KEY", "another key of 16 bytes")
    for key_id in ("k1", "k9"):
        seal = executor(keys=None).place.seal
        assert dict(seal.headers(b"x"))[KEY_ID_HEADER] == key_id.encode()
        monkeypatch.setenv("FAULTSTREAM_SIGNING_KEY_ID", "k9")
    monkeypatch.delenv("FAULTSTREAM_SIGNING_KEY")
    with pytest.raises(ValueError, match="at least one signing key"):
        executor(keys=None)


def test_keys_that_are_only_believed_may_stand_there_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """They verify, the other one signs; what is wrong with one is said without showing it."""
    new, old = b"another key of 16 bytes", b"an older key = of 21 bytes"
    monkeypatch.setenv("FAULTSTREAM_SIGNING_KEY", new.decode())
    monkeypatch.setenv("FAULTSTREAM_SIGNING_KEY_ID", "k2")
    monkeypatch.setenv("FAULTSTREAM_SIGNING_KEYS_ACCEPTED", f"k1={old.decode()}, ")
    seal = executor(keys=None).place.seal
    assert dict(seal.headers(b"x"))[KEY_ID_HEADER] == b"k2"
    assert seal.holds(b"x", signing.headers(b"x", old, "k1"))
    assert not seal.holds(b"x", signing.headers(b"x", new, "k1"))
    for wrong, said in (
        ("k1", "part 1 is not of the form id=key"),
        (f"k0={old.decode()},=x", "part 2 is not of the form id=key"),
        (f"k2={old.decode()}", "k2 is the id of SIGNING_KEY"),
        (f"k1={old.decode()},k1={old.decode()}", "k1 stands there twice"),
    ):
        monkeypatch.setenv("FAULTSTREAM_SIGNING_KEYS_ACCEPTED", wrong)
        with pytest.raises(ValueError, match=f"FAULTSTREAM_SIGNING_KEYS_ACCEPTED: {said}"):
            executor(keys=None)
    monkeypatch.setenv("FAULTSTREAM_SIGNING_KEYS_ACCEPTED", "k1=short, secret")
    with pytest.raises(ValueError, match="k1 has 5 bytes, a key has at least 16") as caught:
        executor(keys=None)
    assert "secret" not in str(caught.value)


def test_handlers_are_registered_once_and_before_the_start() -> None:
    """What is said twice or too late is refused at once."""
    one = executor()
    one.handles("cache_clear")(lambda _: None)
    with pytest.raises(ValueError, match="cache_clear has a handler already"):
        one.handles("cache_clear")(lambda _: None)
    with one, pytest.raises(ValueError, match="before the executor is started"):
        one.handles("retry")(lambda _: None)


async def test_an_executor_runs_once_at_a_time() -> None:
    """In a thread or in a loop; once closed it may start again, and closing is repeatable."""
    one = executor()
    one.stop()
    one.close()
    for _ in range(2):
        one.start()
        with pytest.raises(RuntimeError, match="runs already"):
            one.start()
        with pytest.raises(RuntimeError, match="runs already"):
            await one.run()
        assert one in lifetime.alive()
        one.close()
        one.close()
        assert one not in lifetime.alive()


async def test_run_returns_when_it_is_stopped(tmp_path: Path) -> None:
    """From any thread; the journal is free afterwards, and `close` has nothing to do."""
    one = executor(journal=tmp_path / "journal")
    task = asyncio.create_task(one.run())

    async def runs() -> bool:
        await asyncio.sleep(0)
        return one._shift is not None

    await until_async(runs, "it runs")
    one.close()
    await asyncio.to_thread(one.stop, 1.0)
    await asyncio.wait_for(task, 20)
    assert not one.stats().ready
    with executor(journal=tmp_path / "journal"):
        pass


def test_a_thread_that_breaks_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The application goes on, and the executor can be closed and started again."""

    async def breaks(_: Shift) -> None:
        raise ArithmeticError("not foreseen")

    one = executor()
    with monkeypatch.context() as patched, caplog.at_level(logging.ERROR):
        patched.setattr(Shift, "main", breaks)
        one.start()
        until(lambda: "the executor ended" in caplog.text, "it is logged")
    assert "not foreseen" in caplog.text
    one.close()
    with one:
        pass


def test_a_child_process_starts_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it inherited is left alone; the journal is opened anew when it starts."""
    monkeypatch.setattr(lifetime, "_abandoned", [])
    one = executor(journal=tmp_path / "journal")
    one.start()
    parents = one._thread, one._shift
    one.after_fork()
    assert lifetime._abandoned == [parents]
    assert not one.stats().ready
    lifetime.forget(one)
    with one:
        assert one._thread not in parents
    thread, shift = parents
    assert isinstance(thread, threading.Thread)
    assert shift is not None
    shift.stop(1.0)
    until(lambda: not thread.is_alive(), "the other one ended")


def test_the_end_of_the_interpreter_ends_it() -> None:
    """Within its bound, and repeatable."""
    one = executor()
    one.start()
    thread = one._thread
    one.at_exit()
    one.at_exit()
    assert thread is not None
    assert not thread.is_alive()
