"""record: nothing is acknowledged before it is stored, and ClickHouse may be away."""

from collections.abc import Mapping, Sequence

from faust.types import TP

from faultstream.config.topology import load
from faultstream.core.corrections import Correct, correction
from faultstream.core.policy import TopicRole
from faultstream.core.records import Control
from faultstream.ops.health import Health
from faultstream.stream.record import RecordStage
from faultstream.stream.stage import Source, Steered
from faultstream.transport.reading import RawRecord
from tests.stream.records import Raw

SOURCE = Source("errors", "t", 0)


class AwayError(Exception):
    """ClickHouse is away."""


class MemoryRecorder:
    """A Recorder in memory that can be away."""

    def __init__(self) -> None:
        self.away = False
        self.opened = 0
        self.waiting: list[int] = []
        self.stored: list[int] = []
        self.controls: list[Control] = []

    @property
    def pending(self) -> int:
        """Rows not stored."""
        return len(self.waiting)

    def open(self) -> None:
        """Count."""
        self._reach()
        self.opened += 1

    def positions(self) -> Mapping[tuple[str, int], int]:
        """One partition."""
        self._reach()
        return {("t", 0): max(self.stored)} if self.stored else {}

    def control(self, control: Control) -> None:
        """Keep it."""
        self.controls.append(control)

    def add(self, role: TopicRole, topic: str, partition: int, records: Sequence[RawRecord]) -> int:
        """Those not seen."""
        known = {*self.waiting, *self.stored}
        new = [record.offset for record in records if record.offset not in known]
        self.waiting += new
        return len(new)

    def flush(self) -> None:
        """Store."""
        self._reach()
        self.stored += self.waiting
        self.waiting.clear()

    def _reach(self) -> None:
        if self.away:
            raise AwayError("connection refused")


async def _ours() -> bool:
    return True


async def _theirs() -> bool:
    return False


def _stage(recorder: MemoryRecorder, health: Health, now: list[int]) -> RecordStage:
    return RecordStage(recorder, load(None), health, away=AwayError, clock_ms=lambda: now[0])


async def test_away_and_back() -> None:
    """While ClickHouse is away nothing settles, attempts come at growing distances, health says
    so; afterwards everything is stored once."""
    recorder, health, now = MemoryRecorder(), Health(), [0]
    stage = _stage(recorder, health, now)
    assert await stage.start_at(frozenset({TP("t", 0)})) == {TP("t", 0): 0}
    effects = stage.take(SOURCE, [Raw(0, b"{}"), Raw(1, b"{}")], 0)
    assert dict(effects.outcomes) == {"tallied": 2, "ignored": 0}
    recorder.away = True
    assert not await stage.settle(_ours)
    assert health.waiting["clickhouse"] == "connection refused"
    recorder.away = False
    now[0] = 249
    assert not await stage.settle(_ours), "too early for another attempt"
    now[0] = 250
    recorder.away = True
    assert not await stage.settle(_ours)
    recorder.away = False
    now[0] = 749
    assert not await stage.settle(_ours)
    now[0] = 750
    assert await stage.settle(_ours)
    assert recorder.stored == [0, 1]
    assert "clickhouse" not in health.waiting


async def test_starts_while_away() -> None:
    """Assigned while ClickHouse is away, the stage takes nothing until it knows what is stored."""
    recorder, now = MemoryRecorder(), [0]
    recorder.away = True
    stage = _stage(recorder, Health(), now)
    assert await stage.start_at(frozenset({TP("t", 0)})) == {}
    assert not await stage.prepare()
    recorder.away = False
    now[0] = 250
    assert await stage.prepare()
    assert recorder.opened == 1


async def test_goes_on_after_what_is_stored() -> None:
    """Reading starts behind the highest stored offset, at the beginning without one."""
    recorder = MemoryRecorder()
    recorder.stored = [0, 1, 2]
    stage = _stage(recorder, Health(), [0])
    places = frozenset({TP("t", 0), TP("t", 1)})
    assert await stage.start_at(places) == {TP("t", 0): 3, TP("t", 1): 0}


async def test_fence() -> None:
    """What may belong to another worker by now is not stored."""
    recorder = MemoryRecorder()
    stage = _stage(recorder, Health(), [0])
    stage.take(SOURCE, [Raw(0, b"{}")], 0)
    assert not await stage.settle(_theirs)
    assert recorder.stored == []


def test_corrections_reach_the_recorder() -> None:
    """Operators steer this worker too: rows and patterns show the same verdicts."""
    recorder = MemoryRecorder()
    stage = RecordStage(recorder, load(None), Health(), away=AwayError)
    assert isinstance(stage, Steered)
    right = Correct(error_type="KeyError", severity="low")
    control = correction(right, environment="", by="", reason="", now_ms=1, until_ms=None)
    stage.control(control)
    assert recorder.controls == [control]
