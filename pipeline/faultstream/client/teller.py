"""Results on their way to Kafka: in the journal first, published until Kafka has each."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from faultstream import wire
from faultstream.client.journal import Journal
from faultstream.client.sender import Parcel, Sender
from faultstream.client.setting import Setting
from faultstream.core import ids
from faultstream.core.records import RecoveryCommand, RecoveryResult, ResultStatus

FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 5.0
_MAX_MESSAGE_CHARS: Final = 4_096

log = logging.getLogger("faultstream.client")


class Teller:
    """Publishes at least once; ids are derived, so that repeats are seen as such."""

    def __init__(
        self,
        setting: Setting,
        journal: Journal,
        make_sender: Callable[[Callable[[Parcel, str], None]], Sender],
    ) -> None:
        self._setting = setting
        self._journal = journal
        self._sender = make_sender(self._refused)
        self._news = asyncio.Event()
        self._told = asyncio.Event()
        self._signs: dict[str, RecoveryResult] = {}
        """The latest sign of life of each command that runs, until it is published."""

    def result(
        self, command: RecoveryCommand, started_ms: int, status: ResultStatus, message: str
    ) -> RecoveryResult:
        """The result of this executor for a command; `started_ms` by its clock."""
        now = max(started_ms, self._setting.clock_ms())
        return RecoveryResult(
            result_id=ids.derive("result", command.command_id, self._setting.instance),
            command_id=command.command_id,
            incident_id=command.incident_id,
            environment=self._setting.environment,
            service=self._setting.service,
            strategy=command.strategy,
            executor=self._setting.name,
            instance=self._setting.instance,
            status=status,
            started_at_ms=started_ms,
            finished_at_ms=now,
            duration_ms=now - started_ms,
            message=_utf8(message[:_MAX_MESSAGE_CHARS]),
        )

    async def tell(self, result: RecoveryResult, expires_at_ms: int) -> None:
        """Note the result down and have it published."""
        self._signs.pop(result.command_id, None)
        try:
            await asyncio.to_thread(self._journal.finish, result, expires_at_ms)
        except OSError:
            log.exception("a result is kept in memory only")
            self._journal.keep(result, expires_at_ms)
        self._news.set()

    def show(self, sign: RecoveryResult) -> None:
        """Have a sign of life published soon, at most once; the latest one of a command counts."""
        self._signs[sign.command_id] = sign
        self._news.set()

    async def run(self) -> None:
        """Publish what there is, for ever."""
        wait_s = FIRST_WAIT_S
        while True:
            self._news.clear()
            if not self._journal.untold() and not self._signs:
                await self._news.wait()
            elif await self._tried():
                wait_s = FIRST_WAIT_S
            else:
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    async def all_told(self) -> None:
        """Wait until Kafka has every result."""
        while self._journal.untold():
            self._told.clear()
            await self._told.wait()

    async def close(self) -> None:
        """Let go of Kafka."""
        await self._sender.close()

    async def _tried(self) -> bool:
        try:
            return await self._publish()
        except Exception:  # one that cannot be told must not stop the others for ever
            log.exception("trouble while results are told; trying again")
            await self._sender.close()
            return False

    async def _publish(self) -> bool:
        if not await self._sender.connect():
            return False
        signs, self._signs = list(self._signs.values()), {}
        results = self._journal.untold()
        left = await self._sender.deliver([self._parcel(one) for one in (*signs, *results)])
        missing = {parcel.token.result_id for parcel in left}
        for result in results:
            if result.result_id not in missing:
                with contextlib.suppress(OSError):  # told again after a restart, no harm
                    self._journal.told(result.result_id)
        self._told.set()
        return not left

    def _parcel(self, result: RecoveryResult) -> Parcel:
        value = wire.encode(result)
        headers = wire.headers(result, result.result_id, result.finished_at_ms)
        headers += self._setting.seal.headers(value)
        key = result.environment.encode()
        return Parcel(self._setting.results_topic, key, value, headers, result)

    def _refused(self, sent: Parcel, reason: str) -> None:
        log.error("Kafka refused the result of %s: %s", sent.token.command_id, reason)


def _utf8(text: str) -> str:
    """Lone surrogates, of undecodable file names say, have no UTF-8: they become `?`."""
    return text.encode("utf-8", "replace").decode()
