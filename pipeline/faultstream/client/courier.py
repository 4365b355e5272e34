"""The one thread of a reporter: takes from the outbox, scrubs, encodes, delivers, spools.

It starts with the first error, has an event loop of its own, and is a daemon, so it never keeps a
program alive. Nothing that it meets raises into the application.

More than 300 lines because every step of one turn of the thread depends on the others.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from faultstream import wire
from faultstream.client import parcel
from faultstream.client.confession import Confession
from faultstream.client.inbox import Inbox
from faultstream.client.loop import Loop
from faultstream.client.outbox import Entry, Outbox
from faultstream.client.sampler import Sampler
from faultstream.client.sender import Parcel, Sender
from faultstream.client.spool import Segment, Spool
from faultstream.core.errors import DataError
from faultstream.core.records import Control

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

BATCH: Final = 500
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 5.0
SPOOL_AFTER_S: Final = 0.5
READER_STOP_S: Final = 1.0
SETTLE_S: Final = 0.5
OWN_KEYS: Final = b"faultstream."
"""Keys on the control topic that are no wishes of operators."""

log = logging.getLogger("faultstream.client")


class Courier:
    """See the module. `wake` and `stop` may be called from any thread."""

    def __init__(
        self,
        outbox: Outbox,
        make_sender: Callable[[Callable[[Parcel, str], None]], Sender],
        spool: Spool | None,
        *,
        topic: str,
        emails: bool,
        controls: Inbox | None = None,
        sampler: Sampler | None = None,
        confession: Confession | None = None,
    ) -> None:
        """`controls` is read for `sampler` once there is contact with Kafka."""
        self._outbox = outbox
        self._sender = make_sender(self._refused)
        self._spool = spool
        self._topic = topic
        self._emails = emails
        self._controls = controls
        self._sampler = sampler
        self._confession = confession
        self._reading: asyncio.Task[None] | None = None
        self._loop = Loop()
        self._event = asyncio.Event()
        self.alive = True
        """False once the thread has ended; cheaper to ask than the thread itself."""
        self._idle = False
        self._stopping = False
        self._hurry = False
        self._everything = False
        """Somebody waits for all of it: sampling holds nothing back."""
        self._wait_s = FIRST_WAIT_S
        self.ident: int | None = None
        """The thread's identifier, once it runs."""
        self._thread = threading.Thread(target=self._main, name="faultstream", daemon=True)

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: the interpreter is too far on its way out.
        """
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether the last contact with Kafka worked."""
        return self._sender.connected

    def wake(self, *, hurry: bool = False) -> None:
        """There is something to do; costs nothing while the thread is at work.

        With `hurry` it also tries Kafka again at once when that was away.
        """
        if hurry:
            self._hurry = self._everything = True
        if self._idle or hurry:
            self._idle = False
            try:
                self._loop.call_soon_threadsafe(self._event.set)
            except RuntimeError:  # closed meanwhile
                return

    def stop(self, timeout_s: float) -> None:
        """Send what can be sent within `timeout_s`, then end."""
        self._stopping = True
        self.wake(hurry=True)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            try:
                self._loop.call_soon_threadsafe(self._cancel)
            except RuntimeError:
                return
            self._thread.join(1.0)

    def _cancel(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    def _main(self) -> None:
        self.ident = threading.get_ident()
        try:
            self._loop.run_until_complete(self._run())
        except asyncio.CancelledError:
            pass
        except Exception:
            log.exception("the reporter's thread ended; errors are no longer reported")
        finally:
            self.alive = False
            self._loop.run_until_complete(_settle())
            self._loop.close()

    async def _run(self) -> None:
        try:
            while True:
                self._event.clear()
                self._outbox.release(everything=self._stopping)
                self._release_held()
                if await self._turn():
                    continue
                if self._stopping and not self._outbox.queued:
                    return
                await self._rest()
        finally:
            if self._reading is not None:
                self._reading.cancel()
                await asyncio.wait([self._reading], timeout=READER_STOP_S)
            await self._sender.close()

    def _release_held(self) -> None:
        """What sampling held long enough goes to the queue again, and does not wait twice."""
        if self._sampler is not None:
            wanted = self._stopping or self._everything
            due = self._sampler.due(everything=wanted and not self._outbox.queued)
            self._outbox.put_back(due, retried=False)
        self._everything = self._everything and self._outbox.queued

    def _read_controls(self) -> None:
        """From the first contact with Kafka on."""
        if self._controls is not None and self._reading is None:
            reading = self._controls.read_all(lambda: 0, self._heard, what="sampling rules")
            self._reading = asyncio.create_task(reading)

    async def _heard(self, record: "ConsumerRecord[bytes, bytes]") -> None:
        if record.value is None or (record.key or b"").startswith(OWN_KEYS):
            return
        try:
            control = wire.decode(Control, record.value)
        except DataError:
            return
        if self._sampler is not None:
            self._sampler.tell(control)
            self._event.set()

    async def _turn(self) -> bool:
        """One batch, or one segment of the spool; False when there is nothing (more) to do now."""
        if not self._outbox.queued and (self._spool is None or not self._spool.waiting):
            return False
        try:
            if not await self._sender.connect():
                return await self._away()
            self._read_controls()
            if self._outbox.queued:
                return await self._deliver() or await self._away()
            if self._stopping or self._spool is None:
                return False
            return await self._unspool(self._spool)
        except Exception:
            log.exception("trouble while reporting; trying again")
            await self._sender.close()
            return await self._away()

    async def _deliver(self) -> bool:
        taken = self._outbox.take(BATCH)
        if self._sampler is not None:
            taken = self._sampler.sift(taken)
        entries = self._prepared(taken)
        parcels = [parcel.parcel(entry, self._topic) for entry in entries]
        try:
            left = [sent.token for sent in await self._sender.deliver(parcels)]
        except Exception:
            self._outbox.put_back(entries)
            raise
        missing = {id(entry) for entry in left}
        self._outbox.settle(entry for entry in entries if id(entry) not in missing)
        if left:
            self._outbox.put_back(left)
            return False
        self._wait_s = FIRST_WAIT_S
        if self._confession is not None:
            await self._confession.tell(self._sender, hurry=self._stopping)
        return True

    def _prepared(self, entries: list[Entry]) -> list[Entry]:
        """Those that can be sent; the others are dropped, one by one."""
        good = []
        for entry in entries:
            try:
                fits = parcel.encode(entry, emails=self._emails)
            except Exception:  # noqa: BLE001 - one bad event must not stop the others
                self._outbox.drop([entry], "unencodable")
                continue
            if fits:
                good.append(entry)
            else:
                self._outbox.drop([entry], "too_large")
        return good

    def _refused(self, sent: Parcel, reason: str) -> None:
        if isinstance(sent.token, Entry):
            self._outbox.drop([sent.token], "refused")
        log.warning("Kafka refused an error event: %s", reason)

    async def _unspool(self, spool: Spool) -> bool:
        segment = spool.next()
        if segment is None:
            return False
        try:
            parcels = _parcels(segment, self._topic)
            while parcels:
                left = await self._sender.deliver(parcels[:BATCH])
                if left:
                    return await self._away()
                del parcels[:BATCH]
            total = sum(event.token.count for event in _parcels(segment, self._topic))
        except BaseException:
            segment.release()
            raise
        own = segment.done()
        self._outbox.unspool(own, max(0, total - own))
        return True

    async def _away(self) -> bool:
        """Kafka is away: to the spool, or wait; longer each time. True: go on trying."""
        if self._stopping or self._hurry or self._wait_s >= SPOOL_AFTER_S:
            self.store_all()
        if self._stopping:
            await asyncio.sleep(FIRST_WAIT_S)
            return self._outbox.queued
        wait_s, self._wait_s = self._wait_s, min(self._wait_s * 2, LONGEST_WAIT_S)
        until = time.monotonic() + wait_s
        while (left_s := until - time.monotonic()) > 0 and not (self._stopping or self._hurry):
            self._event.clear()
            await self._rest(left_s)
        self._hurry = False
        return True

    def store_all(self) -> None:
        """Move what is queued to the spool, as far as there is room."""
        while self._outbox.queued and self._store(self._outbox.take(BATCH)):
            pass

    def _store(self, entries: list[Entry]) -> bool:
        """Write entries to the spool; when they find no room they go back to the outbox."""
        entries = self._prepared(entries)
        stored = False
        if self._spool is not None and entries:
            lines = [entry.value for entry in entries]
            try:
                stored = self._spool.write(lines, sum(entry.event.count for entry in entries))
            except OSError as exc:
                log.warning("the spool cannot be written: %s", exc)
        if stored:
            self._outbox.settle(entries, spooled=True)
        else:
            self._outbox.put_back(entries, retried=False)
        return stored

    async def _rest(self, away_s: float | None = None) -> None:
        """Sleep until woken or until a window ends; for at most `away_s` while Kafka is away."""
        self._idle = away_s is None  # while Kafka is away, news changes nothing
        try:
            wait_s = self._outbox.release(everything=self._stopping)
            held_s = self._sampler.next_s() if self._sampler is not None else None
            if held_s is not None and away_s is None:
                wait_s = held_s if wait_s is None else min(wait_s, held_s)
            if away_s is None:
                if self._outbox.queued or self._stopping or self._everything:
                    return
            else:
                wait_s = away_s if wait_s is None else min(wait_s, away_s)
            async with asyncio.timeout(wait_s):
                await self._event.wait()
        except TimeoutError:
            pass
        finally:
            self._idle = False


async def _settle() -> None:
    """Closing connections takes some turns of the loop."""
    await asyncio.sleep(0)
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest, timeout=SETTLE_S)


def _parcels(segment: Segment, topic: str) -> list[Parcel]:
    found = []
    for line in segment.lines():
        try:
            found.append(parcel.spooled(line, topic))
        except (ValueError, KeyError, TypeError):
            log.warning("a line of the spool is damaged and left out")
    return found
