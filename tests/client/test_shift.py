"""One run of an executor without Kafka: disks that refuse, handlers that misbehave, late turns."""

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from faultstream import wire
from faultstream.client import Executor, Outcome
from faultstream.client import shift as shifts
from faultstream.client.contexts import current
from faultstream.client.journal import Journal
from faultstream.client.seal import keys_from_environment
from faultstream.client.sender import Parcel
from faultstream.client.shift import Shift
from faultstream.client.teller import Teller
from faultstream.core.records import RecoveryCommand, RecoveryResult
from tests.client.topics import KEYS, command, signed


class Line:
    """Stands for the sender. `away` times nobody is there, `refuses`: Kafka never takes it."""

    def __init__(self, *, away: int = 0, refuses: bool = False) -> None:
        self.away, self.refuses = away, refuses
        self.refused: Any = None
        self.taken: list[RecoveryResult] = []
        self.closed = False

    async def connect(self) -> bool:
        """Whether Kafka is there."""
        self.away -= 1
        return self.away < 0

    async def deliver(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """What is left: nothing."""
        for one in parcels:
            if self.refuses:
                self.refused(one, "TopicAuthorizationFailedError")
            else:
                self.taken.append(wire.decode(RecoveryResult, one.value))
        return []

    async def close(self) -> None:
        """Nobody writes any more."""
        self.closed = True


class Bench:
    """An executor that was prepared, and its teller over a line."""

    def __init__(self, line: Line | None = None, path: Path | None = None, **more: Any) -> None:
        self.line = line or Line()
        self.executor = Executor("orders", keys=KEYS, brokers="127.0.0.1:1", journal=path, **more)
        self.handles = self.executor.handles

    @property
    def journal(self) -> Journal:
        """What the executor keeps."""
        return self.executor._journal

    def shift(self) -> Shift:
        """A run that reads nothing."""
        return self.executor._prepare()

    def teller(self) -> Teller:
        """One over the line; the journal is open."""
        self.journal.open(self.executor.now_ms())

        def make(refused: Any) -> Any:
            self.line.refused = refused
            return self.line

        return Teller(self.executor._setting, self.journal, make)

    async def told(self, order: RecoveryCommand) -> RecoveryResult:
        """What the executor answers to a command that may be carried out."""
        await self.shift()._carry_out(order)
        [result] = self.journal.untold()
        return result


def full(*_: object, **__: object) -> int:
    """A disk that takes nothing."""
    raise OSError("no space left")


async def publish(teller: Teller, *results: RecoveryResult) -> None:
    """Tell these, and wait until Kafka has them."""
    task = asyncio.create_task(teller.run())
    for result in results:
        await teller.tell(result, 1)
    await asyncio.wait_for(teller.all_told(), 20)
    task.cancel()
    await asyncio.wait([task])
    await teller.close()


@pytest.mark.parametrize("away", [0, 2])
async def test_results_wait_for_kafka(away: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is published once it is there, and signed; nothing is left to tell."""
    monkeypatch.setattr("faultstream.client.teller.FIRST_WAIT_S", 0.001)
    bench = Bench(Line(away=away))
    teller = bench.teller()
    results = [teller.result(command(), 5, "success", "x" * 9_000) for _ in range(2)]
    await publish(teller, *results)
    assert sorted(one.result_id for one in bench.line.taken) == sorted(
        one.result_id for one in results
    )
    assert {len(one.message) for one in bench.line.taken} == {4_096}
    assert (bench.journal.untold(), bench.line.closed) == ([], True)


async def test_a_result_that_kafka_refuses_is_logged_and_let_go(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It would be refused for ever."""
    bench = Bench(Line(refuses=True))
    teller = bench.teller()
    order = command()
    with caplog.at_level(logging.ERROR):
        await publish(teller, teller.result(order, 5, "success", ""))
    assert f"Kafka refused the result of {order.command_id}" in caplog.text
    assert bench.journal.untold() == []


async def test_trouble_with_one_result_does_not_end_the_telling(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged and tried again, with those that come after it."""
    monkeypatch.setattr("faultstream.client.teller.FIRST_WAIT_S", 0.001)
    bench = Bench()
    teller = bench.teller()
    seal = bench.executor._setting.seal
    troubles = iter([RuntimeError("at first")])

    class Once:
        """Fails the first time."""

        def headers(self, value: bytes) -> list[tuple[str, bytes]]:
            for trouble in troubles:
                raise trouble
            return seal.headers(value)

    once: Any = Once()
    monkeypatch.setattr(teller, "_setting", bench.executor._setting._replace(seal=once))
    results = [teller.result(command(), 5, "success", "") for _ in range(2)]
    with caplog.at_level(logging.ERROR):
        await publish(teller, *results)
    assert {one.result_id for one in bench.line.taken} == {one.result_id for one in results}
    assert "trouble while results are told" in caplog.text


async def test_a_full_disk_does_not_keep_results_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They are kept in memory and published; that they were is written down when that works."""
    bench = Bench(path=tmp_path / "journal")
    teller = bench.teller()
    result = teller.result(command(), 5, "success", "")
    monkeypatch.setattr(os, "write", full)
    with caplog.at_level(logging.ERROR):
        await publish(teller, result)
    assert [one.result_id for one in bench.line.taken] == [result.result_id]
    assert "kept in memory only" in caplog.text


async def test_what_cannot_be_noted_down_is_not_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most once goes before once: without the journal it might be done twice."""
    done: list[str] = []
    bench = Bench(path=tmp_path / "journal")
    bench.handles("cache_clear")(lambda order: done.append(order.command_id))
    monkeypatch.setattr(Journal, "begin", full)
    result = await bench.told(command("cache_clear"))
    assert (result.status, done) == ("not_attempted", [])
    assert result.message == "the journal cannot be written: no space left"
    assert bench.executor.stats().refused == {"journal": 1}


async def test_what_was_taken_and_never_begun_is_answered_after_a_crash(tmp_path: Path) -> None:
    """A command for one of many that waits for its turn when the process ends: nobody else gets it,
    so the next start says that it was not attempted."""
    done: list[str] = []
    bench = Bench(path=tmp_path / "journal", concurrency=1)
    bench.handles("service_restart")(lambda order: done.append(order.command_id))
    shift, order = bench.shift(), command("service_restart", delivery="exactly_one")
    value, headers = signed(order)
    record: Any = SimpleNamespace(partition=0, offset=3, value=value, headers=headers)
    shift._note_first(order, record)

    async def commit() -> bool:
        return True

    async with shift._slots:  # another one is at it
        taking = asyncio.ensure_future(shift._taking("service_restart")(record, commit))
        while not bench.journal.interrupted():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        (tmp_path / "crashed").write_bytes((tmp_path / "journal").read_bytes())
    await taking
    assert done == [order.command_id]
    assert [one.status for one in bench.journal.untold()] == ["success"]
    after = Journal(tmp_path / "crashed")
    after.open(order.issued_at_ms)
    (result,) = after.interrupted()
    after.close()
    bench.journal.close()
    assert (result.command_id, result.status) == (order.command_id, "not_attempted")
    assert result.message == "the executor ended before it began"


async def test_a_command_may_expire_while_it_waits_for_its_turn() -> None:
    """It is looked at again just before it is carried out."""
    now = [0]
    bench = Bench(clock_ms=lambda: now[0])
    bench.handles("cache_clear")(lambda _: None)
    now[0] = 1_000
    result = await bench.told(command("cache_clear", issued_at_ms=0, expires_at_ms=1_000))
    assert (result.status, result.message) == ("expired", "expired 0 ms ago")


async def _later() -> Outcome:
    return Outcome("partial", "later")


def fails(_: RecoveryCommand) -> None:
    raise KeyError("x")


async def never(_: RecoveryCommand) -> None:
    await asyncio.Event().wait()


class BrokenError(Exception):
    """Cannot even be read."""

    def __str__(self) -> str:
        raise ValueError("no")


def raising(exc: BaseException) -> Any:
    """A handler that raises it."""

    def handler(_: RecoveryCommand) -> None:
        raise exc

    return handler


def answering(*parts: Any) -> Any:
    """A handler that answers with what mypy would refuse."""
    return lambda _: Outcome(*parts)


HANDLERS: list[tuple[Any, tuple[str, str]]] = [
    (lambda _: None, ("success", "")),
    (lambda _: 7, ("partial", "the handler returned int, no Outcome")),
    (lambda _: _later(), ("partial", "later")),
    (fails, ("failed", "KeyError: 'x'")),
    (never, ("failed", "not done after 0.01 s")),
    (raising(TimeoutError("of the socket")), ("failed", "TimeoutError: of the socket")),
    (raising(BrokenError()), ("failed", "BrokenError: <no message: __str__ raised ValueError>")),
    (raising(OSError("caf\udce9")), ("failed", "OSError: caf?")),
    (
        raising(SystemExit(1)),
        ("failed", "the handler raised SystemExit; send SIGTERM to end a process"),
    ),
    (answering("ok", "fine"), ("partial", "the handler returned the status 'ok': fine")),
    (answering("success", 42), ("success", "42")),
    (
        answering("success", "", {"a": "\udce9"}),
        ("success", "(details left out: str is not valid UTF-8: surrogates not allowed)"),
    ),
]


@pytest.mark.parametrize(("handler", "told"), HANDLERS)
async def test_whatever_a_handler_does_is_an_outcome(handler: Any, told: tuple[str, str]) -> None:
    """Returned, raised, awaited or never done; whatever it is, it can be published."""
    bench = Bench(handler_timeout_s=0.01 if handler is never else 30.0)
    bench.handles("cache_clear")(handler)
    result = await bench.told(command("cache_clear"))
    assert (result.status, result.message) == told
    assert wire.encode(result)


@pytest.mark.parametrize("later", [False, True])
async def test_what_a_handler_reports_is_in_the_trace_of_the_incident(*, later: bool) -> None:
    """Sync in its thread, and async; whose id is that of the incident."""
    seen: list[str] = []
    bench = Bench()

    def handler(_: RecoveryCommand) -> None:
        seen.append(current().get("traceparent", ""))

    async def ahandler(order: RecoveryCommand) -> None:
        handler(order)

    bench.handles("cache_clear")(ahandler if later else handler)
    await bench.told(command("cache_clear", incident_id="0190b0c4-5d1e-8f2a-9c3b-0000000000b1"))
    assert [one[:36] for one in seen] == ["00-0190b0c45d1e8f2a9c3b0000000000b1-"]


async def test_details_that_are_no_json_are_left_out() -> None:
    """The outcome stands."""
    bench = Bench()
    bench.handles("cache_clear")(lambda _: Outcome("success", "gone", {"what": object()}))
    result = await bench.told(command("cache_clear"))
    assert (result.status, result.details) == ("success", {})
    assert result.message.startswith("gone (details left out: ")


async def test_a_copy_whose_first_is_not_known_is_not_carried_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reading of everything did not catch up; and a later copy is a replay."""
    monkeypatch.setattr(shifts, "_CATCH_UP_S", 0.02)
    shift = Bench().shift()
    order = command()
    first: Any = SimpleNamespace(partition=0, offset=3)
    copy: Any = SimpleNamespace(partition=1, offset=3)
    assert not await shift._is_first(order, first)
    shift._note_first(order, first)
    shift._note_first(order, copy)
    assert await shift._is_first(order, first)
    assert not await shift._is_first(order, copy)


async def test_first_copies_are_remembered_as_long_as_they_may_be_valid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Past the bound those that expired long ago are forgotten."""
    monkeypatch.setattr(shifts, "_MAX_FIRSTS", 2)
    shift = Bench(max_ttl_ms=60_000).shift()
    record: Any = SimpleNamespace(partition=0, offset=3)
    old, new = command(expires_at_ms=1), [command(), command()]
    for order in (old, *new):
        shift._note_first(order, record)
    assert set(shift._first) == {order.command_id for order in new}


def test_a_journal_that_is_closed_or_cut_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not on the disk does not count as written; half a line says nothing at the start."""
    bench = Bench(path=tmp_path / "journal")
    teller = bench.teller()
    result = teller.result(command(), 5, "failed", "")
    write = os.write
    with monkeypatch.context() as short:
        short.setattr(os, "write", lambda fd, block: write(fd, block[:-5]))
        with pytest.raises(OSError, match="the disk is full"):
            bench.journal.begin(result, 10**15, 5)
    bench.journal.close()
    with pytest.raises(OSError, match="the journal is closed"):
        bench.journal.begin(result, 10**15, 5)
    again = Journal(tmp_path / "journal")
    again.open(6)
    assert not again.knows(result.command_id)
    again.begin(result, 10**15, 6)
    again.close()
    last = Journal(tmp_path / "journal")
    last.open(7)
    assert [one.command_id for one in last.interrupted()] == [result.command_id]
    last.close()


def test_a_journal_that_cannot_be_written_anew_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a copy never takes the place of the whole."""
    bench = Bench(path=tmp_path / "journal")
    teller = bench.teller()
    result = teller.result(command(), 5, "failed", "")
    bench.journal.begin(result, 10**15, 5)
    bench.journal.close()
    write = os.write
    again = Journal(tmp_path / "journal")
    with monkeypatch.context() as short:
        short.setattr(os, "write", lambda fd, block: write(fd, block[:-5]))
        with pytest.raises(OSError, match="the disk is full"):
            again.open(6)
    again.close()
    last = Journal(tmp_path / "journal")
    last.open(7)
    assert [one.command_id for one in last.interrupted()] == [result.command_id]
    last.close()


def test_a_journal_that_grows_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has expired is left out, what is under way and what is untold stays."""
    monkeypatch.setattr("faultstream.client.journal.COMPACT_BYTES", 4_000)
    bench = Bench(path=tmp_path / "journal")
    teller = bench.teller()
    day = 86_400_000
    under_way, untold = (teller.result(command(), 5, "failed", "") for _ in range(2))
    bench.journal.begin(under_way, day, 0)
    bench.journal.finish(untold, 1)
    for _ in range(50):
        old = teller.result(command(), 5, "success", "")
        bench.journal.begin(old, 1, day)
        bench.journal.finish(old, 1)
        bench.journal.told(old.result_id)
    assert (tmp_path / "journal").stat().st_size < 12_000
    bench.journal.close()
    again = Journal(tmp_path / "journal")
    again.open(day)
    assert [one.command_id for one in again.interrupted()] == [under_way.command_id]
    assert [one.command_id for one in again.untold()] == [untold.command_id]
    again.close()


def test_no_key_in_the_environment_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id without a key is none."""
    monkeypatch.delenv("FAULTSTREAM_SIGNING_KEY", raising=False)
    monkeypatch.setenv("FAULTSTREAM_SIGNING_KEY_ID", "k2")
    assert keys_from_environment() == {}
