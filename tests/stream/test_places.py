"""Services past the bound of a partition: forgotten or counted together, and each record once."""

import random
from typing import Any

import msgspec
import pytest
import structlog

from faultstream import wire
from faultstream.config.topology import load
from faultstream.core.detect.roster import LOOK, MAX_FOLDED
from faultstream.core.policy import Topology
from faultstream.core.tally import FOLDED
from faultstream.stream import detect
from faultstream.stream.cells import MARK_KEY
from faultstream.stream.detect import DetectStage
from faultstream.stream.places import SAY_MS
from faultstream.stream.stage import Source
from tests.stream.records import Raw

NOW = 1_800_000_000_000
ERRORS = Source("errors", "faultstream.errors.v1", 0)
TOPIC = ERRORS.topic
TOPOLOGY = load(None)


class State:
    """What a service was counted."""

    def __init__(self, environment: str, service: str, seen: list[str]) -> None:
        self.environment, self.service, self.seen = environment, service, seen


class Noting:
    """Stands for Detect: notes the id of each record; `busy` services are always under way."""

    def __init__(self, _topology: Topology) -> None:
        self.new = lambda environment, service, _fleets: State(environment, service, [])

    def fleets(self) -> None:
        """Nobody is told anything of the others."""

    def join(self, state: State, fleets: None) -> None:
        """The same."""

    def observe(self, state: State, _event: object, _group: object, note: str, _ms: int) -> bool:
        """Notes it."""
        state.seen.append(note)
        return True

    def judge(self, _state: State, _ms: int) -> list[Any]:
        """Nothing."""
        return []

    def due(self, state: State) -> bool:
        """By name."""
        return state.service.startswith("busy")

    def idle(self, _state: State, _ms: int) -> bool:
        """Never."""
        return False

    def save(self, state: State) -> bytes:
        """As JSON."""
        return wire.dumps([state.environment, state.service, state.seen])

    def load(self, raw: bytes) -> State:
        """What was saved."""
        return State(*wire.loads(raw))


@pytest.fixture(autouse=True)
def noting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stage of these tests only notes."""
    monkeypatch.setattr(detect, "Detect", Noting)


def stage(places: int, rows: dict[bytes, bytes] | None = None) -> DetectStage:
    """A stage with so many places in a partition, from `rows`."""
    topology = TOPOLOGY
    policy = msgspec.structs.replace(topology.detectors, max_services_per_partition=places)
    made = DetectStage(msgspec.structs.replace(topology, detectors=policy))
    made.restore(0, rows or {}, {})
    return made


def notes(row: bytes | None) -> list[str]:
    """What the row of a service says that was counted."""
    found: list[str] = wire.loads(row.partition(b"\n")[2])[2] if row else []
    return found


def record(offset: int, service: str, environment: str = "production") -> Raw:
    """An error event whose id is its offset."""
    event = {"event_id": str(offset), "service": service, "environment": environment}
    return Raw(offset, wire.dumps({**event, "error_type": "E", "message": "m"}), timestamp=NOW)


def seen(made: DetectStage) -> dict[str, list[str]]:
    """What is counted for each service."""
    cells = made._cells.partitions[0].cells.values()
    states: list[Any] = [cell.state for cell in cells]
    return {state.service: state.seen for state in states}


def save(made: DetectStage, table: dict[bytes, bytes]) -> None:
    """A checkpoint that is written as a whole."""
    for key, value in made.snapshot().get(0, []):
        table.pop(key, None)
        if value is not None:
            table[key] = value
    made.saved()


def test_the_longest_silent_goes_when_a_checkpoint_covers_it() -> None:
    """A new service takes the place of the longest silent, once its records are durable; none is
    refused. Before that the new one is counted as __other__."""
    made, table = stage(2), dict[bytes, bytes]()
    effects = made.take(ERRORS, [record(n, name) for n, name in enumerate("abac")], NOW)
    assert not effects.refusals
    assert seen(made) == {"a": ["0", "2"], "b": ["1"], FOLDED: ["3"]}
    save(made, table)
    made.take(ERRORS, [record(4, "a"), record(5, "d")], NOW)
    assert seen(made) == {"a": ["0", "2", "4"], "d": ["5"], FOLDED: ["3"]}
    save(made, table)
    assert b"production\nb" not in table


def test_replay_after_forgetting_counts_nothing() -> None:
    """Records of a service that was forgotten are skipped when the log is read again."""
    made, table = stage(1), dict[bytes, bytes]()
    records = [record(0, "a"), record(1, "b"), record(2, "b")]
    for one in records[:2]:
        made.take(ERRORS, [one], NOW)
        save(made, table)
    before = {key: value for key, value in table.items() if key != MARK_KEY}
    fresh = stage(1, table)
    assert +fresh.take(ERRORS, records[:2], NOW).outcomes == {"duplicate": 2}
    save(fresh, table)
    assert before == {key: value for key, value in table.items() if key != MARK_KEY}
    assert +fresh.take(ERRORS, records, NOW).outcomes == {"duplicate": 2, "tallied": 1}


def test_what_is_under_way_stays() -> None:
    """While the longest silent are all under way, further services are counted together, each
    environment on its own as long as these are few."""
    made, table = stage(LOOK), dict[bytes, bytes]()
    made.take(ERRORS, [record(n, f"busy{n}") for n in range(LOOK)], NOW)
    save(made, table)
    more = [record(LOOK + n, "new", f"e{n}") for n in range(MAX_FOLDED + 5)]
    assert not made.take(ERRORS, more, NOW).refusals
    assert len(made) == LOOK + MAX_FOLDED + 1


def test_said_once_a_minute() -> None:
    """What is lost past the bound is logged with its counts, at most once a minute."""
    made = stage(1)
    with structlog.testing.capture_logs() as logs:
        made.take(ERRORS, [record(n, f"s{n}") for n in range(3)], NOW)
        made.take(ERRORS, [record(3, "s3")], NOW + SAY_MS - 1)
        assert [one["folded"] for one in logs] == [2]
        made.take(ERRORS, [record(4, "s4")], NOW + SAY_MS)
    assert [(one["event"], one["folded"]) for one in logs[1:]] == [("services_past_bound", 2)]


@pytest.mark.parametrize("seed", range(110, 140))
def test_exactly_once_through_crashes(seed: int) -> None:
    """However many services share few places, and wherever a checkpoint breaks off: at the end
    each record is counted once, in a service, in __other__ or in one that was forgotten."""
    chance = random.Random(seed)
    names = [f"busy{n}" for n in range(3)] + [f"s{n}" for n in range(8)]
    log = [record(n, chance.choice(names), chance.choice("pq")) for n in range(300)]
    table, forgotten = dict[bytes, bytes](), list[str]()
    made, at, waiting = stage(5), 0, dict[bytes, bytes | None]()

    def put(count: int) -> None:
        for key in list(waiting)[:count]:
            value, old = waiting[key], table.pop(key, None)
            if value is not None:
                table[key] = value
            if old is not None and key != MARK_KEY and not set(notes(old)) & set(notes(value)):
                forgotten.extend(notes(old))

    crashes = 0
    while at < len(log):
        size = chance.randrange(1, 12)
        made.take(ERRORS, log[at : at + size], NOW)
        at += size
        if chance.random() < 0.5:
            for key, value in made.snapshot().get(0, []):
                waiting.pop(key, None)
                waiting[key] = value
            more = chance.randrange(6)  # come while it is written
            made.take(ERRORS, log[max(0, min(at, len(log)) - 1) : at + more], NOW)
            at += more
            if chance.random() < 0.6:
                put(len(waiting))
                waiting.clear()
                made.saved()
        if chance.random() < (0.4 if waiting else 0.1):
            crashes += 1
            put(chance.randrange(len(waiting) + 1))
            waiting.clear()
            made = stage(5, table)
            mark = wire.loads(table[MARK_KEY])["offsets"] if MARK_KEY in table else {}
            at = chance.randrange(0, mark.get(TOPIC, -1) + 2)
    waiting.update(made.snapshot().get(0, []))
    put(len(waiting))
    counted = forgotten + [
        note for key, value in table.items() if key != MARK_KEY for note in notes(value)
    ]
    assert crashes
    assert sorted(map(int, counted)) == list(range(300))
