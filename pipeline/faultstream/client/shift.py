"""One run of an executor: from its start to its end, in one event loop."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final

from faultstream import wire
from faultstream.client.admission import Admission, Verdict
from faultstream.client.contexts import context
from faultstream.client.handler import Registered, call
from faultstream.client.inbox import STAMP_SLACK_MS, Commit, Inbox
from faultstream.client.journal import Journal
from faultstream.client.progress import Said, heard
from faultstream.client.setting import Counts, Setting
from faultstream.client.teller import Teller
from faultstream.core import ids
from faultstream.core.records import RecoveryCommand
from faultstream.core.strategy import STRATEGIES

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

_CATCH_UP_S: Final = 5.0
_MAX_FIRSTS: Final = 10_000
_SHORTEST_PAUSE_S: Final = 0.1
_UNTOLD_TIMEOUT_MS: Final = 10_000
"""Taken for a command that does not say after which time it counts as lost."""

log = logging.getLogger("faultstream.client")


class Shift:
    """Reads commands and carries them out. `stop` may be called from any thread.

    Every executor reads every command. Those for exactly one are carried out by whom the group of
    the strategy gives them to, and the reading of everything tells which copy of one came first.
    """

    def __init__(
        self,
        setting: Setting,
        admission: Admission,
        handlers: Mapping[str, Registered],
        *,
        journal: Journal,
        inbox: Inbox,
        teller: Teller,
        counts: Counts,
    ) -> None:
        self._setting = setting
        self._admission = admission
        self._handlers = handlers
        self._journal = journal
        self._inbox = inbox
        self._teller = teller
        self._counts = counts
        self._stop = asyncio.Event()
        self._stopping = False
        self._grace_s = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(setting.concurrency)
        self._turns = {strategy: asyncio.Lock() for strategy in handlers}
        self._taken: set[str] = set()
        """Commands on their way into the journal."""
        self._first: dict[str, tuple[int, int, int]] = {}
        """Of commands for one executor: partition and offset of the first copy, and its expiry."""

    @property
    def ready(self) -> bool:
        """Whether commands are being read."""
        return self._inbox.ready.is_set()

    def stop(self, grace_s: float) -> None:
        """End; running handlers get `grace_s`."""
        self._grace_s = grace_s
        self._stopping = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)

    async def main(self) -> None:
        """Run until stopped or cancelled; the journal is open."""
        self._loop = asyncio.get_running_loop()
        if self._stopping:
            return
        for result in self._journal.interrupted():
            await self._teller.tell(result, self._journal.expiry(result.command_id))
        readers = [asyncio.create_task(reader) for reader in self._readers()]
        telling = asyncio.create_task(self._teller.run())
        try:
            await self._stop.wait()
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
            await self._finish(telling)

    def _readers(self) -> list[Coroutine[Any, Any, None]]:
        setting = self._setting
        back_ms = setting.max_ttl_ms + STAMP_SLACK_MS
        found = [self._inbox.read_all(lambda: setting.clock_ms() - back_ms, self._take)]
        for strategy, registered in self._handlers.items():
            if registered.delivery == "exactly_one":
                scope = f"{setting.environment}.{setting.service}.{strategy}"
                group = f"{setting.commands_topic}.executor.{scope}"
                found.append(self._inbox.read_shared(group, self._taking(strategy)))
        return found

    async def _finish(self, telling: "asyncio.Task[None]") -> None:
        """Let handlers end, tell what is left, close; all of it within the grace."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._grace_s):
                while self._running:
                    await asyncio.wait(self._running)
                await self._teller.all_told()
        rest = (*self._running, telling)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await self._teller.close()

    async def _take(self, record: "ConsumerRecord[bytes, bytes]") -> None:
        """One record, as every executor sees it."""
        verdict = self._judge(record)
        command = verdict.command
        if command is None:
            self._counts.refuse(verdict.reason or "")
            log.warning(
                "refused a command at %s/%d/%d: %s",
                record.topic, record.partition, record.offset, verdict.reason,
            )  # fmt: skip
            return
        if verdict.reason in {"elsewhere", "old"}:
            return
        if _for_one(command):
            self._note_first(command, record)
            registered = self._handlers.get(command.strategy)
            if registered is not None and registered.delivery == "exactly_one":
                return
        if self._repeated(command):
            return
        verdict = self._fitting(verdict, command)
        if verdict.reason is not None:
            await self._answer(command, verdict)
        else:
            self._begin(command)

    def _taking(
        self, strategy: str
    ) -> Callable[["ConsumerRecord[bytes, bytes]", Commit], Awaitable[None]]:
        async def take(record: "ConsumerRecord[bytes, bytes]", commit: Commit) -> None:
            """One record, as one of the group sees it; committed before it is carried out."""
            verdict = self._judge(record)
            command = verdict.command
            if command is None or command.strategy != strategy or not _for_one(command):
                return
            if verdict.reason in {"elsewhere", "old"} or not await self._is_first(command, record):
                return
            if self._repeated(command) or not await commit():
                return
            verdict = self._fitting(verdict, command)
            if verdict.reason is not None:
                await self._answer(command, verdict)
            else:
                await self._note_taken(command)
                await asyncio.shield(self._begin(command))

        return take

    async def _note_taken(self, command: RecoveryCommand) -> None:
        """Nobody else gets it from here on: should the process end before its turn comes, the next
        start answers for it."""
        now = self._setting.clock_ms()
        text = "the executor ended before it began"
        ended = self._teller.result(command, now, "not_attempted", text)
        with contextlib.suppress(OSError):  # to be met, and told, when it is begun
            await asyncio.to_thread(self._journal.begin, ended, command.expires_at_ms, now)

    def _judge(self, record: "ConsumerRecord[bytes, bytes]") -> Verdict:
        return self._admission.judge(record.value, record.headers, self._setting.clock_ms())

    def _repeated(self, command: RecoveryCommand) -> bool:
        known = command.command_id in self._taken or self._journal.knows(command.command_id)
        if known:
            self._counts.refuse("replayed")
        return known

    def _note_first(self, command: RecoveryCommand, record: "ConsumerRecord[bytes, bytes]") -> None:
        where = (record.partition, record.offset, command.expires_at_ms)
        self._first.setdefault(command.command_id, where)
        if len(self._first) > _MAX_FIRSTS:
            oldest = self._setting.clock_ms() - self._setting.max_ttl_ms
            self._first = {key: at for key, at in self._first.items() if at[2] > oldest}

    async def _is_first(
        self, command: RecoveryCommand, record: "ConsumerRecord[bytes, bytes]"
    ) -> bool:
        """Whether this is the first copy of its command; a later one is a replay.

        Known as soon as the reading of everything has caught up; when it does not, no.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CATCH_UP_S):
                while command.command_id not in self._first:  # noqa: ASYNC110 - rare and short
                    await asyncio.sleep(0.01)
        first = self._first.get(command.command_id)
        if first is None or first[:2] != (record.partition, record.offset):
            self._counts.refuse("replayed")
            return False
        return True

    def _fitting(self, verdict: Verdict, command: RecoveryCommand) -> Verdict:
        """What remains to be asked of a command that is ours and timely."""
        if verdict.reason is not None:
            return verdict
        registered = self._handlers.get(command.strategy)
        if registered is None:
            text = f"no handler for {command.strategy}"
            return Verdict(command, "unsupported", "not_attempted", text)
        if _for_one(command) != (registered.delivery == "exactly_one"):
            text = f"{command.strategy} is carried out as {registered.delivery} here"
            return Verdict(command, "unsupported", "not_attempted", text)
        if command.rollback_of and not registered.undoes and command.strategy in STRATEGIES:
            text = f"the handler of {command.strategy} takes nothing back"
            return Verdict(command, "unsupported", "not_attempted", text)
        if command.dry_run:
            text = f"dry run: would have carried out {command.strategy}"
            return Verdict(command, "dry_run", "not_attempted", text)
        return verdict

    def _begin(self, command: RecoveryCommand) -> "asyncio.Task[None]":
        self._taken.add(command.command_id)
        task = asyncio.create_task(self._carry_out(command))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _carry_out(self, command: RecoveryCommand) -> None:
        async with self._turns[command.strategy], self._slots:
            started = self._setting.clock_ms()
            verdict = self._admission.timely(command, started)
            if verdict.reason is not None:
                await self._answer(command, verdict)
                return
            stopped = self._teller.result(
                command, started, "failed", "the executor ended while at it"
            )
            try:
                await asyncio.to_thread(
                    self._journal.begin, stopped, command.expires_at_ms, started
                )
            except OSError as exc:
                text = f"the journal cannot be written: {exc}"
                await self._answer(command, Verdict(command, "journal", "not_attempted", text))
                return
            self._taken.discard(command.command_id)
            self._counts.running += 1
            trace = wire.traceparent(command, command.command_id)
            with heard() as said, context(traceparent=trace):
                signs = asyncio.create_task(self._give_signs(command, started, said))
                try:
                    handler = self._handlers[command.strategy].handler
                    outcome = await call(handler, command, self._setting.handler_timeout_s)
                finally:
                    signs.cancel()
                    self._counts.running -= 1
            self._counts.carried_out += 1
            result = self._teller.result(command, started, outcome.status, outcome.message)
            result.details, result.step = outcome.details, said.step
            await self._teller.tell(result, command.expires_at_ms)

    async def _give_signs(self, command: RecoveryCommand, started: int, said: Said) -> None:
        """Signs of life while a handler runs, three in the time after which it counts as lost."""
        pause_s = max(_SHORTEST_PAUSE_S, (command.timeout_ms or _UNTOLD_TIMEOUT_MS) / 3_000)
        number = 0
        while True:
            await asyncio.sleep(pause_s)
            number += 1
            sign = self._teller.result(command, started, "in_progress", "")
            sign.result_id = ids.derive("sign", command.command_id, sign.instance, number)
            sign.step, sign.progress_ratio = said.step, said.ratio
            self._teller.show(sign)

    async def _answer(self, command: RecoveryCommand, verdict: Verdict) -> None:
        """Not carried out; that is told where an answer is due."""
        self._counts.refuse(verdict.reason or "")
        if verdict.answer is not None:
            self._taken.add(command.command_id)
            now = self._setting.clock_ms()
            result = self._teller.result(command, now, verdict.answer, verdict.message)
            await self._teller.tell(result, command.expires_at_ms)
        self._taken.discard(command.command_id)


def _for_one(command: RecoveryCommand) -> bool:
    """Whether one executor carries it out for all."""
    return command.delivery == "exactly_one" or command.target.instances == "one"
