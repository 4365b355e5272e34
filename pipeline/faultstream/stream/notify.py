"""notify: notifications to people. One state per environment, which one partition owns, so that
replicas never tell twice.

Notifications and incidents of an environment share a partition number. Messages are delivered
before what led to them is acknowledged. Delivery is at least once: a crash between a delivery and
the checkpoint repeats it, with the same message id. Every decision is published once the state
that made it is durable, and before the input is acknowledged.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from faultstream import wire
from faultstream.core.notify.stage import Delivered, Notify, Tick
from faultstream.core.notify.state import Decision, NotifyState, Send
from faultstream.core.policy import TopicRole, Topology
from faultstream.core.records import Control, Incident, Notification
from faultstream.ops import clock, log, metrics
from faultstream.stream.cells import Cell, Cells
from faultstream.stream.decided import Decided
from faultstream.stream.stage import Effects, Output, Rows, Source
from faultstream.transport.reading import RawRecord

AT_ONCE: Final = 16
"""Messages that are delivered at the same time, and between two checkpoints."""
SHOWN: Final = 10
"""Notification ids in a line of the log."""
_HEEDED: Final = frozenset({"silence", "acknowledge", "resolve"})

_log = log.get(__name__)


class Deliver(Protocol):
    """Hands a message to a channel, with its retries; bounded in time. "" when the channel has it,
    else why it gave up."""

    async def __call__(self, channel: str, message: Notification) -> str: ...


class NotifyStage:
    """See the module. Every decision is also a line in the log, with its reason."""

    name: Final = "notify"
    inputs: Final[tuple[TopicRole, ...]] = ("notifications", "incidents")
    keyed: Final = True

    def __init__(
        self,
        topology: Topology,
        deliver: Deliver,
        *,
        now: Callable[[], int] = clock.now_ms,
    ) -> None:
        """`now` is the wall clock while messages are delivered."""
        self._notify = Notify(topology)
        self._deliver = deliver
        self._now = now
        self._hot = False
        self._controls: dict[tuple[str, str], Control] = {}
        self._news: list[Control] = []
        self._decided = Decided()
        self._cells: Cells[NotifyState] = Cells(
            save=self._notify.save,
            load=self._notify.load,
            idle=lambda _state, _extra: False,
        )

    def control(self, control: Control) -> None:
        """A wish of an operator; in force at the next tick, and for every environment that it
        names, also those seen for the first time later. The last one per subject counts."""
        if control.kind in _HEEDED:
            self._controls[control.kind, control.subject] = control
            self._news.append(control)

    async def prepare(self) -> bool:
        """Always."""
        return True

    def restore(self, partition: int, rows: Mapping[bytes, bytes], ends: Mapping[str, int]) -> None:
        """See Stage. The controls in force are told again, and what was due is delivered."""
        part = self._cells.restore(partition, rows, ends)
        self._news += [*self._controls.values()] if part.cells else []
        self._hot = self._hot or any(cell.state.due for cell in part.cells.values())
        for cell in part.cells.values():
            self._decided.restored(cell.state)

    def take(self, source: Source, records: Sequence[RawRecord], now_ms: int) -> Effects:
        """See Stage."""
        effects = Effects()
        self._cells.work_through(
            source,
            records,
            effects,
            lambda record, cells: self._one(source, record, cells, now_ms),
            stage=self.name,
        )
        effects.outputs += self.settled()
        return effects

    def _one(
        self,
        source: Source,
        record: RawRecord,
        cells: dict[bytes, Cell[NotifyState]],
        now_ms: int,
    ) -> bool:
        what: Incident | Notification
        if source.role == "incidents":
            what = wire.decode(Incident, record.value)
        else:
            what = wire.decode(Notification, record.value)
        key = what.environment.encode()
        cell = cells.get(key)
        if cell is None:
            cell = cells[key] = Cell(self._notify.new(what.environment), {})
            for control in self._controls.values():
                self._heed(cell, control, now_ms)
        if record.offset <= cell.offsets.get(source.topic, -1):
            return False
        cell.offsets[source.topic] = record.offset
        cell.dirty = True
        if isinstance(what, Notification) and self._notify.knows(cell.state, what):
            return False
        self._note(cell, self._notify.step(cell.state, what, now_ms))
        return True

    def tick(self, now_ms: int) -> Effects:
        """See Stage. Controls that came in since the last one, then the timers."""
        news, self._news = self._news, []
        for cell in self._cells:
            for control in news:
                self._heed(cell, control, now_ms)
            if self._notify.wants_tick(cell.state, now_ms):
                cell.dirty = True
                self._note(cell, self._notify.step(cell.state, Tick(), now_ms))
            self._hot = self._hot or bool(self._notify.due(cell.state, now_ms))
        return Effects(outputs=self.settled())

    def _heed(self, cell: Cell[NotifyState], control: Control, now_ms: int) -> None:
        cell.dirty = True
        self._note(cell, self._notify.step(cell.state, control, now_ms))

    def _note(self, cell: Cell[NotifyState], outputs: Sequence[Decision | Send]) -> None:
        for output in outputs:
            if isinstance(output, Send):
                self._hot = True
            else:
                _tell(output)
                self._decided.add(cell.state, output)

    def eager(self) -> bool:
        """When a message waits to be delivered."""
        return self._hot

    async def settle(self, ours: Callable[[], Awaitable[bool]]) -> bool:
        """Deliver the oldest AT_ONCE of what is due, so that a crash repeats no more than these;
        the rest follows this checkpoint, also where a channel gave up and the next has its turn."""
        now_ms = self._now()
        due = [
            (cell, send) for cell in self._cells for send in self._notify.due(cell.state, now_ms)
        ]
        if due and not await ours():
            return False
        due = sorted(due, key=lambda one: one[1].message.created_at_ms)[:AT_ONCE]
        reasons = await asyncio.gather(*(self._attempt(send) for _, send in due))
        now_ms = self._now()
        for (cell, send), reason in zip(due, reasons, strict=True):
            done = Delivered(
                message_id=send.message.notification_id, channel=send.channel, reason=reason
            )
            cell.dirty = True
            self._note(cell, self._notify.step(cell.state, done, now_ms))
        self._hot = any(self._notify.due(cell.state, now_ms) for cell in self._cells)
        return True

    def settled(self) -> list[Output]:
        """The decisions that are durable and not published yet."""
        return self._decided.ready()

    async def _attempt(self, send: Send) -> str:
        try:
            reason = await self._deliver(send.channel, send.message)
        except Exception as exc:  # noqa: BLE001 - a channel is foreign code
            reason = repr(exc)
        metrics.NOTIFICATIONS.labels("failed" if reason else "delivered").inc()
        return reason

    def snapshot(self) -> Mapping[int, Rows]:
        """See Stage."""
        self._decided.snapshot(cell.state for cell in self._cells)
        return self._cells.snapshot()

    def saved(self) -> None:
        """See Stage."""
        self._cells.saved()
        self._decided.saved()

    def forget(self) -> None:
        """See Stage. The controls stay."""
        self._cells.partitions.clear()
        self._decided.forget()
        self._hot = False

    def __len__(self) -> int:
        return len(self._cells)


def _tell(decision: Decision) -> None:
    """One line; what only waits is for those who look closely."""
    metrics.DECISIONS.labels(decision.kind).inc()
    write = _log.debug if decision.kind == "grouped" else _log.info
    write(
        "notification_decided",
        decision=decision.kind,
        reason=decision.reason,
        channel=decision.channel,
        receiver=decision.receiver,
        group=decision.group.replace("\x1f", " "),
        message_id=decision.message_id,
        notifications=len(decision.notification_ids),
        notification_ids=list(decision.notification_ids[:SHOWN]),
    )
