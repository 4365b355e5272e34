"""What happens on the way out: trouble is counted or waited out, never lost and never raised."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from faultstream.client import Reporter
from faultstream.client.sender import Parcel
from faultstream.core.event import ErrorEvent
from tests.until import until


class Line:
    """Stands for the sender: takes, refuses, breaks or is away, as `mood` says."""

    def __init__(self, refused: Any) -> None:
        self.refused = refused
        self.mood = "takes"
        self.taken: list[Parcel] = []
        self.connected = False

    async def connect(self) -> bool:
        """Whether Kafka is there."""
        self.connected = self.mood != "away"
        return self.connected

    async def deliver(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """What is left."""
        if self.mood == "breaks":
            self.mood = "takes"
            raise ArithmeticError("not foreseen")
        if self.mood == "loses":
            self.mood = "takes"
            return list(parcels)
        if self.mood == "refuses":
            for parcel in parcels:
                self.refused(parcel, "TopicAuthorizationFailedError")
            return []
        self.taken += parcels
        return []

    async def close(self) -> None:
        """Nothing to close."""


class Desk:
    """A reporter over such a line."""

    def __init__(self, **options: Any) -> None:
        self.reporter = Reporter("orders", sampling=False, fold_ms=0, **options)
        self.line = Line(None)

        def make(refused: Any) -> Any:
            self.line.refused = refused
            return self.line

        self.reporter._delivery._sender = make  # type: ignore[method-assign]

    @property
    def types(self) -> list[str]:
        """Types of the events that were taken."""
        return [parcel.token.event.error_type for parcel in self.line.taken if parcel.token]


@pytest.fixture
def desk() -> Iterator[Desk]:
    """One whose line works."""
    made = Desk()
    yield made
    made.reporter.close(1.0)


def test_events_made_elsewhere_are_forwarded_as_they_are(desk: Desk) -> None:
    """With their service and id; what they lack is made; none after the end."""
    given = ErrorEvent(service="nginx", error_type="Upstream", event_id="e1", time=5)
    assert desk.reporter.forward(given) == "e1"
    made = desk.reporter.forward(ErrorEvent(service="nginx", error_type="Other"))
    assert desk.reporter.flush(10)
    assert desk.types == ["Upstream", "Other"]
    assert [parcel.key for parcel in desk.line.taken] == [b"nginx", b"nginx"]
    assert desk.line.taken[1].token.event.event_id == made != ""
    assert desk.line.taken[1].token.event.time
    desk.reporter.close()
    assert desk.reporter.forward(given) == ""
    assert desk.reporter.stats().dropped == {"closed": 1}


def test_no_room_for_forwarded_events(desk: Desk) -> None:
    """They are counted as dropped."""
    desk.reporter._delivery.outbox._max_records = 0
    assert desk.reporter.forward(ErrorEvent(service="s", error_type="E")) == ""
    assert desk.reporter.stats().dropped == {"full": 1}


@pytest.mark.parametrize("mood", ["breaks", "loses"])
@pytest.mark.filterwarnings("error")
def test_trouble_is_waited_out(desk: Desk, mood: str) -> None:
    """Whatever the sender raises or gives back is sent again."""
    desk.line.mood = mood
    desk.reporter.report("Late")
    assert desk.reporter.flush(10)
    assert desk.types == ["Late"]
    assert desk.reporter.stats().retried == 1


def test_what_kafka_refuses_is_counted_and_told(desk: Desk) -> None:
    """By reason; the confession itself may be refused too, and is tried again at the end."""
    desk.line.mood = "refuses"
    desk.reporter.report("Forbidden")
    assert desk.reporter.flush(10)
    assert desk.reporter.stats().dropped == {"refused": 1}
    desk.line.mood = "takes"
    desk.reporter.report("Welcome")
    desk.reporter.close()
    assert desk.types == ["Welcome"]


def test_what_cannot_be_encoded_or_is_too_large_stops_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bad event is dropped, the others go."""
    monkeypatch.setattr("faultstream.client.parcel.MAX_RECORD_BYTES", 2_000)
    bad = ErrorEvent(service="orders", error_type="Bad")
    bad.tags = {"key": 7}  # type: ignore[dict-item]
    desk.reporter.forward(bad)
    desk.reporter.report("Large", "x" * 3_000)
    desk.reporter.report("Good")
    assert desk.reporter.flush(10)
    desk.reporter.close()
    assert "Good" in desk.types
    assert desk.reporter.stats().dropped["too_large"] == 1


def test_a_full_disk_keeps_errors_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a line is taken back; what found no room is delivered from memory later."""
    desk = Desk(spool=tmp_path / "spool")
    desk.line.mood = "away"
    write = os.write
    short = 0

    def half(fd: int, block: bytes) -> int:
        nonlocal short
        if b"Kept" in block:
            short += 1
            return write(fd, block[: len(block) // 2])
        return write(fd, block)

    monkeypatch.setattr("faultstream.client.spool.os.write", half)
    desk.reporter.report("Kept")
    until(lambda: short, "the spool was tried")
    assert all(file.stat().st_size == 0 for file in (tmp_path / "spool").iterdir())
    desk.line.mood = "takes"
    assert desk.reporter.flush(20)
    assert desk.types == ["Kept"]
    desk.reporter.close()
    assert desk.reporter.stats().dropped == {}


def test_damaged_lines_of_the_spool_are_left_out(tmp_path: Path) -> None:
    """The others of the same file are delivered."""
    folder = tmp_path / "spool"
    folder.mkdir()
    good = (
        b'{"service":"orders","error_type":"Good","event_id":"e","time":"2026-11-22T00:00:00.000Z"}'
    )
    (folder / "orders-0-0.jsonl").write_bytes(b"no json\n[1]\n" + good + b"\n{}\n")
    desk = Desk(spool=folder)
    desk.reporter.report("Begin")
    until(lambda: len(desk.line.taken) == 2, "both were sent")
    assert desk.line.taken[1].value == good
    desk.reporter.close()
    assert list(folder.iterdir()) == []
