"""notify: notifications to people. One state per environment: what was delivered already.

Delivery is at least once: a crash between a delivery and the checkpoint repeats it, with the
same notification id.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from faultstream import wire
from faultstream.core.errors import DataError
from faultstream.core.policy import TopicRole
from faultstream.core.records import Notification
from faultstream.ops import log, metrics
from faultstream.stream.cells import Cell, Cells
from faultstream.stream.stage import Effects, Refusal, Rows, Source
from faultstream.transport.reading import RawRecord

MAX_SEEN: Final = 1_000

_log = log.get(__name__)


class Deliver(Protocol):
    """Hands a notification to the channels, with their retries; bounded in time; raises when one
    gave up."""

    async def __call__(self, notification: Notification) -> None: ...


class Seen(msgspec.Struct, array_like=True):
    """Ids of the latest `MAX_SEEN` notifications, oldest first."""

    ids: dict[str, None]


class NotifyStage:
    """See the module. What the channels gave up on is logged and counted; it
    stays on the topic and in ClickHouse."""

    name: Final = "notify"
    inputs: Final[tuple[TopicRole, ...]] = ("notifications",)
    keyed: Final = True

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._due: list[Notification] = []
        self._cells: Cells[Seen] = Cells(
            save=lambda seen: wire.dumps(list(seen.ids)),
            load=lambda raw: Seen(dict.fromkeys(wire.loads(raw))),
            idle=lambda _state, _extra: False,
        )

    async def prepare(self) -> bool:
        """Always."""
        return True

    def restore(self, partition: int, rows: Mapping[bytes, bytes], ends: Mapping[str, int]) -> None:
        """See Stage."""
        self._cells.restore(partition, rows, ends)

    def take(self, source: Source, records: Sequence[RawRecord], now_ms: int) -> Effects:  # noqa: ARG002 - Stage's
        """See Stage."""
        effects = Effects()
        part = self._cells.partitions[source.partition]
        known = part.read.get(source.topic, -1)
        for record in records:
            if record.offset <= known:
                effects.outcomes["duplicate"] += 1
                continue
            try:
                new = self._one(wire.decode(Notification, record.value), part.cells)
                effects.outcomes["tallied" if new else "duplicate"] += 1
            except DataError as exc:
                effects.refusals.append(Refusal(record, exc.stage, "DataError", exc.reason))
            except Exception as exc:  # noqa: BLE001 - our bug: the record is kept for later
                kind = type(exc).__name__
                effects.refusals.append(Refusal(record, "notify", kind, str(exc), bug=True))
        if records:
            part.read[source.topic] = max(known, records[-1].offset)
        return effects

    def _one(self, notification: Notification, cells: dict[bytes, Cell[Seen]]) -> bool:
        key = notification.environment.encode()
        cell = cells.get(key)
        if cell is None:
            cell = cells[key] = Cell(Seen({}), {})
        seen = cell.state.ids
        if notification.notification_id in seen:
            return False
        seen[notification.notification_id] = None
        if len(seen) > MAX_SEEN:
            del seen[next(iter(seen))]
        cell.dirty = True
        self._due.append(notification)
        return True

    def tick(self, now_ms: int) -> Effects:  # noqa: ARG002 - Stage's
        """Nothing depends on time alone."""
        return Effects()

    def eager(self) -> bool:
        """When something waits to be delivered."""
        return bool(self._due)

    async def settle(self, ours: Callable[[], Awaitable[bool]]) -> bool:
        """Deliver what is due, in order."""
        while self._due:
            if not await ours():
                return False
            await self._attempt(self._due[0])
            self._due.pop(0)
        return True

    async def _attempt(self, notification: Notification) -> None:
        outcome = "delivered"
        try:
            await self._deliver(notification)
        except Exception as exc:  # noqa: BLE001 - a channel is foreign code
            outcome = "failed"
            name = notification.notification_id
            _log.error("notification_failed", notification_id=name, error=repr(exc))
        metrics.NOTIFICATIONS.labels(outcome).inc()

    def snapshot(self) -> Mapping[int, Rows]:
        """See Stage."""
        return self._cells.snapshot()

    def saved(self) -> None:
        """See Stage."""
        self._cells.saved()

    def forget(self) -> None:
        """See Stage."""
        self._cells.partitions.clear()
        self._due.clear()

    def __len__(self) -> int:
        return len(self._cells)
