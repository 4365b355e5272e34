"""The Faust transport `faultstream://`: hands an agent whole runs of records of a partition.

Registered in the entry-point group `faust.transports`. For the topics in `app.reading.topics` it
yields one message per fetched run. That makes Faust's own offset logic wrong, so this consumer
keeps its own (ledger.py), reads a partition only while it has credit, and fences off what would
lose or repeat records in Faust 0.15:

* the end of a recovery seeks, then clears the queues of the streams: during a rebalance only
  changelogs are fetched, and a fetch that a rebalance overtook is dropped and sought again;
* a partition without a commit was left where it stood: it is sought to its beginning;
* acknowledged offsets were thrown away on revocation: a checkpoint and a commit come first;
* a failed commit was booked as done: it is tried again;
* changelogs were replayed a record at a time, up to an end that the embedded broker gives wrong,
  and not at all when a rebalance followed another within seconds (changelog.py).
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from time import monotonic
from typing import Any, ClassVar, cast

from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from faultstream.ops import clock
from faultstream.transport.changelog import StateTable
from faultstream.transport.highwater import end_offsets
from faultstream.transport.reading import App, Reading, RunMessage

_POLL_S = 0.1  # credit and rebalances are looked at this often when nothing arrives
_NO_CREDIT_S = 0.01
_NOWHERE = -1  # until the next fetch is handed over
_FRESH_MS = 2_000  # what an answer older than this says of the end of a log may be over
_PACE_S = 0.003  # runs are handed over no more often than this, so that many small ones become few


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's, with a short wait for data, so that a lone record is not held back."""

    seen: tuple[int, Mapping[TP, int]] = (0, {})
    """How many fetches gave records, and the partitions with nothing behind our position, each
    with the time of the broker's answer. Replaced as a whole: another thread reads it."""

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        reading: Reading = cast("App", self.app).reading
        consumer._fetch_max_wait_ms = reading.fetch_wait_ms  # noqa: SLF001 - Faust fixes 1500
        return consumer

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        records = await super()._fetch_records(*args, **kwargs)
        self.seen = (self.seen[0] + bool(records), dict(self._at_end()))
        return records

    def _at_end(self) -> Iterator[tuple[TP, int]]:
        subscription = self._ensure_consumer()._subscription.subscription  # noqa: SLF001
        if subscription is None or subscription.assignment is None:
            return
        for tp in subscription.assignment.tps:
            state = subscription.assignment.state_value(tp)
            known = state.has_valid_position and state.highwater is not None
            if known and state.position >= state.highwater:
                yield tp, state.timestamp

    async def still_member(self) -> bool:
        """Whether the coordinator takes our heartbeat: nobody else has our partitions."""
        coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001
        if coordinator.generation != self.app.consumer_generation_id:
            return False
        try:
            return bool(await self.call_thread(coordinator._do_heartbeat))  # noqa: SLF001
        except KafkaError:  # no coordinator now; who cannot ask must take it for a no
            return False


class Consumer(driver.Consumer):
    """See the module. Messages of other topics are Faust's business as before."""

    app: App
    _thread: ConsumerThread
    _seek_again: bool = False
    _handed_over: float = 0.0
    _received: int = 0

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def still_ours(self) -> bool:
        """The fence before a checkpoint: one heartbeat in the generation that we read in."""
        return await self._thread.still_member()

    def at_end(self, tp: TP) -> bool:
        """Whether every record of a partition, as of the last seconds, was handed over."""
        fetches, ends = self._thread.seen
        if self._seek_again or fetches != self._received or tp not in ends:
            return False  # some are to come again, on their way here, or behind
        return abs(clock.now_ms() - ends[tp]) <= _FRESH_MS

    # Fetching

    def _fetchable(self, active: set[TP]) -> set[TP]:
        """A copy of `active` without what must not or need not be read now."""
        if self.app.rebalancing:
            return {tp for tp in active if self._is_changelog_tp(tp)}
        reading = self.app.reading
        return {
            tp
            for tp in active
            if tp.topic not in reading.topics
            or reading.ledger.unfinished(tp) < reading.max_unfinished
        }

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        if self.app.client_only:
            return await super()._wait_next_records(timeout)
        pause = self._handed_over + _PACE_S - monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
        self.not_waiting_next_records.set()
        if self._seek_again and not self.app.rebalancing:
            self._seek_again = False
            await self.perform_seek()
        active = self._get_active_partitions()
        wanted = self._fetchable(active)
        if not wanted:
            await self.sleep(_NO_CREDIT_S)
            return {}, active
        generation = self.app.consumer_generation_id
        records = await self._getmany(wanted, _POLL_S)
        if records:
            self._handed_over = monotonic()
        if records and (
            self.app.rebalancing or self.app.consumer_generation_id != generation
        ):  # the position has moved past records that are not ours to hand out
            changelogs = {tp: run for tp, run in records.items() if self._is_changelog_tp(tp)}
            self._seek_again = self._seek_again or len(changelogs) < len(records)
            records = changelogs
        return records, active

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """One message per run for the topics in runs, one per record for the others."""
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        fetches = self._thread.seen[0]
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            self._seek_again = True
            return
        topics = self.app.reading.topics
        single = {tp: run for tp, run in records.items() if run and tp.topic not in topics}
        if self.app.in_recovery:
            single = {tp: run for tp, run in single.items() if not self._replayed(tp, run)}
        for tp, run in records.items():
            if not run or tp.topic not in topics:
                continue
            if not self._may_deliver(tp, active, generation):
                self._seek_again = True
                continue
            message = self._run_message(tp, run, generation)
            if message is not None:
                yield tp, message
        for tp, record in self.scheduler.iterate(single):
            if not self._may_deliver(tp, active, generation):
                return
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, self._to_message(tp, record)
        self._received = fetches

    def _may_deliver(self, tp: TP, active: set[TP] | None, generation: int) -> bool:
        return (
            self.flow_active
            and self.app.consumer_generation_id == generation
            and (active is None or tp in active or tp in self._buffered_partitions)
        )

    def _run_message(self, tp: TP, run: list[Any], generation: int) -> RunMessage | None:
        """Enter the run into the ledger; None for one that Faust would drop as already read."""
        last, read = run[-1], self._read_offset[tp]
        if read is not None and last.offset < read:
            return None
        self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
        entry = self.app.reading.ledger.hand_over(tp, last.offset, len(run))
        return RunMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            0,
            None,
            None,
            run,
            None,
            0,
            0,
            tp,
            generation_id=generation,
            run=entry,
        )

    def _replayed(self, tp: TP, run: list[Any]) -> bool:
        """Replay a run of a changelog into its table; False leaves it to Faust."""
        recovery = self.app.tables.recovery  # type: ignore[attr-defined]
        table = recovery.tp_to_table.get(tp)
        if not isinstance(table, StateTable) or tp not in recovery.active_tps:
            return False
        seen = recovery.active_offsets[tp]
        fresh = run if seen is None else [record for record in run if record.offset > seen]
        table.replay(tp.partition, fresh, anew=seen is None or seen < 0)
        last = run[-1].offset
        recovery.active_offsets[tp] = last if seen is None else max(last, seen)
        self._read_offset[tp] = last
        if recovery.in_recovery and not recovery.need_recovery():
            recovery.flush_buffers()
            recovery._set_recovery_ended()  # noqa: SLF001 - as Faust's own loop ends it
            recovery.signal_recovery_end.set()
        return True

    # Offsets

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if tp.topic not in self.app.reading.topics:
            await super()._add_gap(tp, offset_from, offset_to - 1)  # Faust counts the end twice

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        pending = {*self._acked, *self.app.reading.ledger.partitions()}
        return (tp for tp in pending if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic not in self.app.reading.topics:
            return super()._new_offset(tp)
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self.app.reading.ledger.committable(tp)

    async def _commit_offsets(
        self, offsets: Mapping[TP, int], start_new_transaction: bool = True
    ) -> bool:
        before = {tp: self._committed_offset[tp] for tp in offsets}
        done = await super()._commit_offsets(offsets, start_new_transaction)
        if not done:
            self._committed_offset.update(before)
        return done

    # Positions

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """True end offsets; at the start of a recovery also those of the topics in runs."""
        reading = self.app.reading
        sources = {tp for tp in self.assignment() if tp.topic in reading.topics}
        transport = cast("Transport", self.transport)
        brokers = driver.server_list(transport.url, transport.default_port)
        ends = await end_offsets(brokers, {*partitions, *sources})
        reading.ends = {tp: ends[tp] for tp in sources}
        return {tp: ends[tp] for tp in partitions}

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every partition to where its work goes on; the offsets, as far as they are known."""
        offsets = dict(await super().seek_to_committed())
        sources = {tp for tp in offsets if not self._is_changelog_tp(tp)}
        start_at = self.app.reading.start_at
        if start_at is not None:
            wanted = {
                tp: offset
                for tp, offset in (await start_at(frozenset(sources))).items()
                if tp in self.assignment()
            }
            offsets.update(wanted)
            await self._thread.seek_wait({tp: offset for tp, offset in wanted.items() if offset})
        fresh = [tp for tp in sources if not offsets[tp]]
        if fresh:
            await self._thread.seek_to_beginning(*fresh)
        return offsets

    async def perform_seek(self) -> None:
        """Go back to the last commit: what was handed over since comes again."""
        self._received = _NOWHERE
        await super().perform_seek()
        self.app.reading.ledger.forget(self.app.reading.ledger.partitions())

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Checkpoint and commit while the partitions are still ours, then let go of them."""
        reading = self.app.reading
        if revoked and not self.app.should_stop:
            try:
                async with asyncio.timeout(reading.revoke_timeout_s):
                    if reading.before_revoke is not None:
                        await reading.before_revoke()
                    await self.commit()
            except Exception as exc:  # noqa: BLE001 - the work is delivered again, that is all
                self.log.warning("no commit before the revocation: %r", exc)
        reading.ledger.forget(revoked)
        await super().on_partitions_revoked(revoked)


class Transport(driver.Transport):
    """`faultstream://host:port[;faultstream://host:port]`"""

    Consumer: ClassVar[type[Consumer]] = Consumer
