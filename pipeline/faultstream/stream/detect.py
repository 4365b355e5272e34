"""detect: error events in, patterns out. One state per (environment, service).

The hot path: everything per record is in `_run`. Outputs may repeat after a crash, with the same
ids and revisions.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from faultstream import wire
from faultstream.core import ids
from faultstream.core.detect import Detect, ServiceState
from faultstream.core.errors import DataError
from faultstream.core.grouping import Grouper
from faultstream.core.policy import TopicRole, Topology
from faultstream.core.records import Control, Pattern
from faultstream.core.watermark import SKEW_MS, Watermark
from faultstream.formats.shapes import Shapes
from faultstream.stream.cells import Cell, Cells, Partition
from faultstream.stream.places import Places, is_other
from faultstream.stream.stage import Effects, Output, Refusal, Rows, Source
from faultstream.transport.reading import RawRecord

_Cell = Cell[ServiceState]


class DetectStage:
    """See the module. State is bounded by `detectors.max_services_per_partition` services a
    partition; what happens past it stands in places.py. No record is refused for it."""

    name: Final = "detect"
    inputs: Final[tuple[TopicRole, ...]] = ("errors",)
    keyed: Final = True

    def __init__(self, topology: Topology) -> None:
        policy = topology.detectors
        self._detect = Detect(topology)
        self._grouper = Grouper(topology)
        self._shapes = Shapes(self._grouper)
        self._slot_ms = policy.slot_ms
        self._places = Places(self._detect, policy.max_services_per_partition)
        self._judged_ms: dict[int, int] = {}
        self._unread: frozenset[int] = frozenset()
        self._cells: Cells[ServiceState] = Cells(
            save=self._detect.save,
            load=self._detect.load,
            idle=lambda state, mark: self._detect.idle(state, mark.value_ms),
            save_extra=lambda mark: mark.save().hex(),
            load_extra=lambda saved: (
                Watermark.load(bytes.fromhex(saved), policy) if saved else Watermark(policy)
            ),
            last=is_other,
        )

    def control(self, control: Control) -> None:
        """See Steered. Corrections hold for events of their time, whoever reads them when."""
        self._grouper.control(control)

    def unread(self, partitions: frozenset[int]) -> None:
        """See Paced. Their event time stands still until they are read."""
        self._unread = partitions

    async def prepare(self) -> bool:
        """Always."""
        return True

    def restore(self, partition: int, rows: Mapping[bytes, bytes], ends: Mapping[str, int]) -> None:
        """See Stage."""
        part = self._cells.restore(partition, rows, ends)
        part.shared = self._detect.fleets()
        for cell in part.cells.values():
            self._detect.join(cell.state, part.shared)
        self._judged_ms.pop(partition, None)

    def take(self, source: Source, records: Sequence[RawRecord], now_ms: int) -> Effects:
        """See Stage. Each touched service is judged once."""
        effects = Effects()
        part = self._cells.partitions[source.partition]
        if source.partition not in self._judged_ms:
            part.extra.tick(now_ms)
            self._judged_ms[source.partition] = part.extra.value_ms
        touched = self._run(source, records, part, effects, now_ms + SKEW_MS)
        part.read[source.topic] = max(part.read.get(source.topic, -1), records[-1].offset)
        for cell, offset in touched.items():
            cell.offsets[source.topic] = offset
            cell.dirty = True
            self._judge(cell, part.extra.value_ms, effects)
        self._places.used(part, touched)
        self._places.say(now_ms)
        return effects

    def _run(  # noqa: C901 - the hot path, in one place
        self,
        source: Source,
        records: Sequence[RawRecord],
        part: Partition[ServiceState],
        effects: Effects,
        latest_ms: int,
    ) -> dict[_Cell, int]:
        """Tally the run; the services touched, each with its last offset. A record that claims to
        be written after `latest_ms` was written then: else its episode would never end."""
        topic = source.topic
        look, observe, advance = self._shapes.look, self._detect.observe, part.extra.advance
        places, known = self._places, part.read.get(topic, -1)
        guarded = part.ahead.get(topic, -1)
        by_name: dict[tuple[str, str], _Cell] = {}
        touched: dict[_Cell, int] = {}
        tallied = late = duplicate = newest_ms = 0
        for record in records:
            offset = record.offset
            if offset <= known:
                duplicate += 1
                continue
            try:
                record_ms = record.timestamp
                if record_ms > latest_ms:  # noqa: PLR1730 - a call for every record costs
                    record_ms = latest_ms
                event, group = look(record.value, record_ms)
                name = (event.environment, event.service)
                cell = by_name.get(name)
                if offset <= guarded:
                    cell = places.again(part, name, touched, topic, offset)
                    if cell is None:
                        duplicate += 1
                        continue
                elif cell is None:
                    cell = by_name[name] = places.of(part, name, touched, topic)
                touched[cell] = offset
                event_id = event.event_id or ids.event_id(topic, source.partition, offset)
                if observe(cell.state, event, group, event_id, record_ms):
                    tallied += 1
                else:
                    late += 1
                time_ms: int = event.time  # type: ignore[assignment]  # admitted
                if time_ms > newest_ms:  # most are not: the watermark need not hear of them
                    advance(time_ms, record_ms)
                    newest_ms = min(time_ms, record_ms)
            except DataError as exc:
                effects.refusals.append(Refusal(record, exc.stage, "DataError", exc.reason))
            except Exception as exc:  # noqa: BLE001 - our bug: the record is kept for later
                kind = type(exc).__name__
                effects.refusals.append(Refusal(record, "detect", kind, str(exc), bug=True))
        effects.outcomes.update(tallied=tallied, late=late, duplicate=duplicate)
        return touched

    def tick(self, now_ms: int) -> Effects:
        """See Stage. Judges what is open once per slot that the watermark has moved."""
        effects = Effects()
        for number, part in self._cells.partitions.items():
            watermark: Watermark = part.extra
            watermark.tick(now_ms, unread=number in self._unread)
            if watermark.value_ms - self._judged_ms.get(number, -(1 << 62)) < self._slot_ms:
                continue
            self._judged_ms[number] = watermark.value_ms
            for cell in part.cells.values():
                if self._detect.due(cell.state):
                    cell.dirty = True
                    self._judge(cell, watermark.value_ms, effects)
        return effects

    def _judge(self, cell: _Cell, watermark_ms: int, effects: Effects) -> None:
        for pattern in self._detect.judge(cell.state, watermark_ms):
            effects.outputs.append(pattern_output(pattern))

    def eager(self) -> bool:
        """Never: now and then is enough."""
        return False

    async def settle(self, ours: Callable[[], Awaitable[bool]]) -> bool:  # noqa: ARG002 - Stage's
        """Nothing beside the table."""
        return True

    def snapshot(self) -> Mapping[int, Rows]:
        """See Stage."""
        return self._cells.snapshot()

    def saved(self) -> None:
        """See Stage."""
        self._cells.saved()

    def forget(self) -> None:
        """See Stage."""
        self._cells.partitions.clear()
        self._judged_ms.clear()

    def __len__(self) -> int:
        return len(self._cells)


def pattern_output(pattern: Pattern) -> Output:
    """A pattern as a record of the patterns topic."""
    record_id = f"{pattern.pattern_id}:{pattern.revision}"
    headers: list[Any] = wire.headers(pattern, record_id, pattern.detected_at_ms)
    return Output("patterns", pattern.environment.encode(), wire.encode(pattern), headers)
