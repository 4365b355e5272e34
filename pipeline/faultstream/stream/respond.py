"""respond: patterns, results and controls in; incidents, signed commands, notifications out,
and patterns across services, which come back as input and change nothing.

One state per environment; patterns and results of an environment share a partition number. The
clock of decisions is the wall clock, handed in. Outputs may repeat after a crash, with the same
ids. Before the first input of partitions that were taken over, the commands that were sent since
their states were saved are read back, so that what a crash undid is decided on as it was.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from faultstream import wire
from faultstream.core import controls, signing
from faultstream.core.errors import DataError
from faultstream.core.policy import TopicRole, Topology
from faultstream.core.records import (
    Control,
    Incident,
    Notification,
    Pattern,
    RecoveryCommand,
    RecoveryResult,
)
from faultstream.core.respond import EnvironmentState, Respond, Tick
from faultstream.ops import log
from faultstream.stream.cells import Cell, Cells
from faultstream.stream.detect import pattern_output
from faultstream.stream.stage import Effects, Output, Rows, Source
from faultstream.transport.reading import RawRecord

_log = log.get(__name__)

_Out = Incident | RecoveryCommand | Notification | Pattern
_Sent = Callable[[int], Awaitable[Sequence[RecoveryCommand]]]
_UNSAVED_MS: Final = 600_000
"""How far back commands are read where no state was saved yet."""


class RespondStage:
    """See the module. `controls` is what is in force by subject; the loop's reader fills it."""

    name: Final = "respond"
    inputs: Final[tuple[TopicRole, ...]] = ("patterns", "results")
    keyed: Final = True

    def __init__(
        self,
        topology: Topology,
        *,
        key: bytes,
        key_id: str,
        accepted: Mapping[str, bytes] | None = None,
        sent: _Sent | None = None,
    ) -> None:
        """`key` signs the commands. Where the topology wants results signed, those by it or by one
        of `accepted`, keys by key id, are believed. `sent` gives the commands that were sent at a
        time or later; without it nothing is read back."""
        self._respond = Respond(topology)
        self._environment = topology.environment
        self._partitions = topology.topics["patterns"].partitions
        self._signed = topology.guards.signed_results
        self._key = key
        self._key_id = key_id
        self._keys = {**(accepted or {}), key_id: key}
        self._controls: dict[tuple[str, str], Control] = {}
        self._news: list[Control] = []
        self._sent = sent
        self._recalled = sent is None
        self._taken_at_ms = 0
        self._takeovers = 0
        self._before: Sequence[RecoveryCommand] = ()
        self._cells: Cells[EnvironmentState] = Cells(
            save=self._respond.save,
            load=self._respond.load,
            idle=lambda _state, _extra: False,
        )

    def control(self, control: Control) -> None:
        """A wish of an operator; in force at the next tick, and for every environment that it
        names, also those seen for the first time later. The last one per subject counts.
        One whose arguments are wrong is logged and skipped."""
        if control.kind in controls.WISHES:
            try:
                controls.wish_of(control, controls.WISHES[control.kind])
            except DataError as exc:
                _log.warning("control_skipped", control_id=control.control_id, reason=exc.reason)
                return
        self._controls[control.kind, control.subject] = control
        self._news.append(control)

    async def prepare(self) -> bool:
        """Once what was sent before a crash is known."""
        return self._recalled or await self._recall()

    async def _recall(self) -> bool:
        """Reads back what was sent since the states were saved, all of which are there from the
        first tick on. False: later."""
        if self._sent is None or not self._taken_at_ms:
            return False
        takeover = self._takeovers
        oldest_ms = self._taken_at_ms - _UNSAVED_MS
        since_ms = min((cell.state.now_ms for cell in self._cells), default=oldest_ms)
        try:
            commands = await self._sent(since_ms)
        except (KafkaError, TimeoutError) as exc:
            _log.warning("commands_not_read_back", error=repr(exc))
            return False
        if takeover != self._takeovers:
            return False
        self._before = commands
        count = sum(self._respond.recall(cell.state, commands) for cell in self._cells)
        if count:
            _log.info("commands_recalled", count=count)
        self._recalled = True
        return True

    def restore(self, partition: int, rows: Mapping[bytes, bytes], ends: Mapping[str, int]) -> None:
        """See Stage. The controls in force are told again."""
        part = self._cells.restore(partition, rows, ends)
        self._news += [*self._controls.values()] if part.cells else []

    def take(self, source: Source, records: Sequence[RawRecord], now_ms: int) -> Effects:
        """See Stage."""
        effects = Effects()
        self._cells.work_through(
            source,
            records,
            effects,
            lambda record, cells: self._one(source, record, cells, now_ms, effects),
            stage=self.name,
        )
        return effects

    def _one(
        self,
        source: Source,
        record: RawRecord,
        cells: dict[bytes, Cell[EnvironmentState]],
        now_ms: int,
        effects: Effects,
    ) -> bool:
        what = self._decode(source.role, record)
        name = what.environment
        key = name.encode()
        cell = cells.get(key)
        if cell is None:
            cell = cells[key] = Cell(self._respond.new(name), {})
            self._respond.recall(cell.state, self._before)
            for control in self._controls.values():
                self._tell(cell, control, now_ms, effects)
        if record.offset <= cell.offsets.get(source.topic, -1):
            return False
        cell.offsets[source.topic] = record.offset
        cell.dirty = True
        self._publish(self._respond.step(cell.state, what, now_ms), effects)
        return True

    def _decode(self, role: TopicRole, record: RawRecord) -> Pattern | RecoveryResult:
        if role == "patterns":
            return wire.decode(Pattern, record.value)
        result = wire.decode(RecoveryResult, record.value)
        if self._signed and not signing.signed(record.value or b"", record.headers, self._keys):
            raise DataError("verify", f"no signature by a known key: {', '.join(self._keys)}")
        if not result.environment:
            key = (record.key or b"").decode("utf-8", "replace")
            result = msgspec.structs.replace(result, environment=key or self._environment)
        return result

    def tick(self, now_ms: int) -> Effects:
        """See Stage. Controls that came in since the last one, then the timers."""
        effects = Effects()
        if not self._recalled:
            self._taken_at_ms = now_ms
            return effects
        news, self._news = self._news, []
        for control in news:
            self._home(control)
        for cell in self._cells:
            for control in news:
                self._tell(cell, control, now_ms, effects)
            if self._respond.wants_tick(cell.state):
                cell.dirty = True
                self._publish(self._respond.step(cell.state, Tick(now_ms), now_ms), effects)
        return effects

    def _home(self, control: Control) -> None:
        """A trigger may be for an environment of which nothing was heard yet: its state is made
        where its patterns would come in, by Kafka's partitioner."""
        name = control.environment
        key = name.encode()
        if control.kind != "trigger" or not name:
            return
        number = (murmur2(key) & 0x7FFFFFFF) % self._partitions
        part = self._cells.partitions.get(number)
        if part is not None and key not in part.cells:
            part.cells[key] = Cell(self._respond.new(name), {})

    def _tell(
        self, cell: Cell[EnvironmentState], control: Control, now_ms: int, effects: Effects
    ) -> None:
        if control.environment in {"", cell.state.environment}:
            cell.dirty = True
            self._publish(self._respond.step(cell.state, control, now_ms), effects)

    def _publish(self, outs: Iterable[_Out], effects: Effects) -> None:
        effects.outputs += [self._output(out) for out in outs]

    def _output(self, out: _Out) -> Output:
        value = wire.encode(out)
        if isinstance(out, RecoveryCommand):
            headers = wire.headers(out, out.command_id, out.issued_at_ms)
            headers += signing.headers(value, self._key, self._key_id)
            return Output("commands", out.target.service.encode(), value, headers)
        if isinstance(out, Incident):
            record_id = f"{out.incident_id}:{out.revision}"
            headers = wire.headers(out, record_id, out.updated_at_ms)
            return Output("incidents", out.environment.encode(), value, headers)
        if isinstance(out, Pattern):
            return pattern_output(out)
        headers = wire.headers(out, out.notification_id, out.created_at_ms)
        return Output("notifications", out.environment.encode(), value, headers)

    def eager(self) -> bool:
        """Never: once a second is enough."""
        return False

    async def settle(self, ours: Callable[[], Awaitable[bool]]) -> bool:  # noqa: ARG002 - Stage's
        """Nothing beside the table; nor is there anything before the first input."""
        return self._recalled or not self._taken_at_ms or await self._recall()

    def snapshot(self) -> Mapping[int, Rows]:
        """See Stage."""
        return self._cells.snapshot()

    def saved(self) -> None:
        """See Stage."""
        self._cells.saved()

    def forget(self) -> None:
        """See Stage. The controls stay."""
        self._cells.partitions.clear()
        self._recalled = self._sent is None
        self._taken_at_ms = 0
        self._takeovers += 1
        self._before = ()

    def __len__(self) -> int:
        return len(self._cells)
