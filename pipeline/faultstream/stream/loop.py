"""The loop that all workers share: runs in, outputs out, ticks, checkpoints, dead letters.

Records are read without being acknowledged. Outputs and dead letters are sent at once; every
second or few a checkpoint makes everything durable and acknowledges it, also before partitions are
revoked and before the end. Nothing that raises may leave an agent's body, because Faust
acknowledges a record whose handling raised: it stops the worker instead.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from faust.types import TP

from faultstream.core.policy import TopicRole, Topology
from faultstream.ops import clock, log, metrics
from faultstream.ops.health import Health
from faultstream.stream import letters
from faultstream.stream.checkpoint import Checkpoint
from faultstream.stream.outbox import Outbox
from faultstream.stream.stage import Effects, Paced, Refusal, Source, Stage
from faultstream.transport.changelog import StateTable
from faultstream.transport.reading import App, RawRecord

TICK_S: Final = 0.25
CHECKPOINT_S: Final = 1.0
_PRESSED: Final = 0.75
"""A checkpoint does not wait when so much of a partition's credit is handled and unfinished."""
RETRY_S: Final = 0.1
SHUTDOWN_S: Final = 6.0
_LETTER_HEADER_BYTES: Final = 65_536

_log = log.get(__name__)


class Loop:
    """Drives one stage in one Faust app. Made before the app starts."""

    def __init__(
        self,
        app: App,
        stage: Stage,
        outbox: Outbox,
        topology: Topology,
        *,
        health: Health,
        table: StateTable | None,
        checkpoint_s: float = CHECKPOINT_S,
    ) -> None:
        self._app = app
        self._stage = stage
        self._outbox = outbox
        self._health = health
        self._table = table
        self._checkpoint_s = checkpoint_s
        self._roles: Mapping[str, TopicRole] = {topology.topic(r): r for r in stage.inputs}
        self._limits = letters.Limits(topology.dead_letters)
        self._max_letter = topology.topics["dead_letters"].max_message_bytes - _LETTER_HEADER_BYTES
        self._turn = asyncio.Lock()
        self._restored: set[int] = set()
        self._handled: Counter[TP] = Counter()
        self._taken: dict[TP, int] = {}
        self._pressed = asyncio.Event()
        self._checkpoint = Checkpoint(
            stage,
            outbox,
            table,
            turn=self._turn,
            fence=self._still_ours,
            generation=lambda: app.consumer_generation_id,
        )
        self.failure: BaseException | None = None

    # What Faust calls

    async def read(self, stream: Any) -> None:
        """The agent: every run of the input topics."""
        stream.enable_acks = False
        async for event in stream.events():
            try:
                await self._run(stream, event)
            except Exception as exc:  # noqa: BLE001 - see the module
                await self.fail(exc)

    async def ticks(self) -> None:
        """The task that lets time pass for the stage."""
        while not self._app.should_stop:
            await asyncio.sleep(TICK_S)
            try:
                await self._tick()
            except Exception as exc:  # noqa: BLE001 - see the module
                await self.fail(exc)

    async def checkpoints(self) -> None:
        """The task that makes a checkpoint when one is due."""
        while not self._app.should_stop:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._pressed.wait(), self._checkpoint_s)
            self._pressed.clear()
            self._handled.clear()
            try:
                if not self._app.rebalancing:
                    await self._checkpoint.run()
            except Exception as exc:  # noqa: BLE001 - see the module
                await self.fail(exc)

    async def before_revoke(self) -> None:
        """A last checkpoint while the partitions are still ours; goes on when it is given up."""
        await asyncio.shield(self._checkpoint.run())

    async def on_assignment(self, *_: object, **__: object) -> None:
        """Partitions come or go: all state is read anew from what the changelog says."""
        async with self._turn:
            self._checkpoint.forget()
            self._stage.forget()
            self._restored.clear()
            self._taken.clear()

    async def before_shutdown(self, *_: object, **__: object) -> None:
        """A last checkpoint, so that nothing is delivered again after a clean stop."""
        if self.failure is not None:
            return
        try:
            async with asyncio.timeout(SHUTDOWN_S):
                if not await self._checkpoint.run():
                    _log.warning("stopped_without_checkpoint", worker=self._stage.name)
        except Exception as exc:  # noqa: BLE001 - the work is delivered again, that is all
            _log.warning("stopped_without_checkpoint", worker=self._stage.name, error=repr(exc))

    async def fail(self, exc: BaseException) -> None:
        """Stop the worker; nothing more is acknowledged."""
        if self.failure is None:
            self.failure = exc
            self._health.fail(self._stage.name, str(exc) or type(exc).__name__)
            _log.error("worker_failed", worker=self._stage.name, error=repr(exc), exc_info=exc)
            await self._app.crash(exc)

    # What they do

    async def _run(self, stream: Any, event: Any) -> None:
        message = event.message
        records: Sequence[RawRecord] = message.value
        while not await self._stage.prepare():
            if self._app.should_stop:
                return
            await asyncio.sleep(RETRY_S)
        async with self._turn:
            if self._is_over(message.generation_id):
                return  # read under an assignment that is over or ends now; it comes again
            source = Source(self._roles[message.topic], message.topic, message.partition)
            self._restore(message.partition)
            now_ms = clock.now_ms()
            effects = self._stage.take(source, records, now_ms)
            self._taken[message.tp] = records[-1].offset
            await self._refuse(effects.refusals, source, now_ms)
            await self._publish(effects)
            self._checkpoint.add(stream, event)
        self._press(message.tp, len(records))
        self._count(effects, source, len(records))
        delay_s = max(0, now_ms - records[-1].timestamp) / 1000
        metrics.DELAY_SECONDS.labels(self._stage.name).observe(delay_s)
        self._limit(effects.refusals, source, records)
        if self._stage.eager():
            await self._checkpoint.run()
        await asyncio.sleep(0)

    def _press(self, tp: TP, size: int) -> None:
        self._handled[tp] += size
        if self._handled[tp] >= _PRESSED * self._app.reading.max_unfinished:
            self._pressed.set()

    def _is_over(self, generation: int) -> bool:
        current = generation == self._app.consumer_generation_id
        return self._app.rebalancing or not current or self.failure is not None

    async def _tick(self) -> None:
        async with self._turn:
            if self._app.rebalancing or self.failure:
                return
            for tp in self._app.consumer.assignment():
                if tp.topic in self._roles:
                    self._restore(tp.partition)
            if isinstance(self._stage, Paced):
                self._stage.unread(self._unread())
            await self._publish(self._stage.tick(clock.now_ms()))
        metrics.KEYS.labels(self._stage.name).set(len(self._stage))

    def _unread(self) -> frozenset[int]:
        consumer: Any = self._app.consumer
        ledger = self._app.reading.ledger
        return frozenset(
            tp.partition
            for tp in consumer.assignment()
            if tp.topic in self._roles
            and not (ledger.newest(tp) in {None, self._taken.get(tp)} and consumer.at_end(tp))
        )

    def _restore(self, partition: int) -> None:
        if partition in self._restored:
            return
        rows = {} if self._table is None else self._table.rows(partition)
        ends = {
            topic: self._app.reading.ends[tp]
            for topic in self._roles
            if (tp := TP(topic, partition)) in self._app.reading.ends
        }
        self._stage.restore(partition, rows, ends)
        self._restored.add(partition)

    async def _publish(self, effects: Effects) -> None:
        for output in effects.outputs:
            await self._outbox.send(
                output.role, key=output.key, value=output.value, headers=output.headers
            )
            metrics.OUTPUTS.labels(self._stage.name, output.role).inc()

    async def _refuse(self, refusals: Sequence[Refusal], source: Source, now_ms: int) -> None:
        for refusal in refusals:
            headers = letters.headers(refusal, source, self._app.conf.id, now_ms)
            value = refusal.record.value
            if value is not None and len(value) > self._max_letter:
                headers.append((letters.PREFIX + "cut-from-bytes", str(len(value)).encode()))
                value = value[: self._max_letter]
            await self._outbox.send(
                "dead_letters",
                key=refusal.record.key,
                value=value,
                headers=headers,
                timestamp_ms=refusal.record.timestamp,
            )
            stage = "bug" if refusal.bug else refusal.stage
            metrics.DEAD_LETTERS.labels(self._stage.name, stage).inc()
            _log.warning(
                "record_refused",
                topic=source.topic,
                partition=source.partition,
                offset=refusal.record.offset,
                stage=refusal.stage,
                error_type=refusal.error_type,
                reason=refusal.reason[:200],
            )

    def _count(self, effects: Effects, source: Source, size: int) -> None:
        outcomes = effects.outcomes
        outcomes["dead_lettered"] = len(effects.refusals)
        if sum(outcomes.values()) != size:
            raise AssertionError(f"{size} records ended in {dict(outcomes)}")
        for outcome, count in outcomes.items():
            metrics.RECORDS.labels(self._stage.name, source.role, outcome).inc(count)

    def _limit(
        self, refusals: Sequence[Refusal], source: Source, records: Sequence[RawRecord]
    ) -> None:
        refused = {refusal.record.offset for refusal in refusals}
        trailing = 0
        if refused:
            for record in reversed(records):
                if record.offset not in refused:
                    break
                trailing += 1
        self._limits.count(source, len(records), len(refused), trailing)

    async def _still_ours(self) -> bool:
        consumer: Any = self._app.consumer
        ours = bool(await consumer.still_ours())
        if ours:
            self._health.well("group")
        else:
            self._health.wait("group", "the coordinator does not know us now")
        return ours
