"""The engine is killed, away or slow: counts stay exact and rollups agree."""

import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from faultstream.analytics.client import Address, Connection
from faultstream.analytics.offsets import ROLLUPS, mend
from faultstream.analytics.recorder import Recorder, SinkAway
from faultstream.analytics.serve import EngineProcess
from tests.analytics.kit import TOPIC, errors, fresh, one, rows, weight

Open = Callable[..., Recorder]
KILLS = 8


def test_kill_9_of_the_engine_during_inserts(own_engine: EngineProcess, recorder_at: Open) -> None:
    """After kills at different moments of an insert all rows are there once, in rollups too."""
    place = fresh(own_engine.address())
    recorder = recorder_at(place)
    batches = itertools.count()
    away = 0
    for kill in range(KILLS):
        # Each kill comes a little later in the life of an insert.
        timer = threading.Timer(0.01 + 0.02 * kill, own_engine.kill)
        batch = next(batches)
        for partition in range(3):
            recorder.add("errors", TOPIC, partition, errors(batch * 3000, (batch + 1) * 3000))
        timer.start()
        try:
            recorder.flush()
        except SinkAway:
            away += 1
        timer.join()
        own_engine.start()
        recorder.flush()
        assert recorder.pending == 0
    last = next(batches) * 3000
    assert away > 0
    assert one(place, "SELECT count() FROM errors") == 3 * last
    assert one(place, "SELECT sum(count) FROM errors") == 3 * weight(0, last)
    for rollup in ROLLUPS:
        found = rows(place, f"SELECT sum(errors), sum(records) FROM {rollup}")
        assert found == [(3 * weight(0, last), 3 * last)], rollup
    assert one(place, "SELECT max(alarm) FROM sink_offsets") == 0


def test_away_and_back(own_engine: EngineProcess, recorder_at: Open) -> None:
    """While the engine is away rows are kept and taken; when it is back all are stored."""
    place = fresh(own_engine.address())
    recorder = recorder_at(place)
    own_engine.stop()
    for batch in range(3):
        recorder.add("errors", TOPIC, 0, errors(batch * 10, batch * 10 + 10))
        with pytest.raises(SinkAway):
            recorder.flush()
        assert recorder.pending == (batch + 1) * 10
    with pytest.raises(SinkAway):
        recorder.positions()
    assert recorder.pending_bytes > 0
    own_engine.start()
    recorder.flush()
    assert (recorder.pending, recorder.pending_bytes) == (0, 0)
    assert recorder.positions() == {(TOPIC, 0): 29}
    assert one(place, "SELECT sum(errors) FROM errors_per_minute") == weight(0, 30)


@pytest.mark.parametrize("rollup", sorted(ROLLUPS))
def test_a_rollup_that_missed_a_batch_is_mended(
    place: Address, recorder_at: Open, rollup: str
) -> None:
    """What a crash between a table and its view leaves out is added on opening, once."""
    recorder = recorder_at(place)
    recorder.add("errors", TOPIC, 0, errors(0, 100))
    recorder.add("errors", TOPIC, 1, errors(0, 10))
    recorder.flush()
    connection = Connection(place)
    text = one(place, f"SELECT as_select FROM system.tables WHERE name = '{rollup}_feed'"
                      " AND database = currentDatabase()")  # fmt: skip
    connection.command(f"DROP TABLE {rollup}_feed")
    recorder.add("errors", TOPIC, 0, errors(100, 150))
    recorder.add("errors", TOPIC, 2, errors(0, 7))
    recorder.flush()
    connection.command(f"CREATE MATERIALIZED VIEW {rollup}_feed TO {rollup} AS {text}")
    whole = weight(0, 150) + weight(0, 10) + weight(0, 7)
    assert one(place, f"SELECT sum(errors) FROM {rollup}") < whole
    assert mend(connection, "log") == [
        f"{rollup} {TOPIC}/0: 100 to 149",
        f"{rollup} {TOPIC}/2: 0 to 6",
    ]
    assert one(place, f"SELECT sum(errors) FROM {rollup}") == whole
    assert mend(connection, "log") == []
    again = recorder_at(place)
    assert again.mended == []
    again.add("errors", TOPIC, 0, errors(0, 160))
    again.flush()
    assert one(place, f"SELECT sum(errors) FROM {rollup}") == whole + weight(150, 160)
    connection.close()


def test_an_insert_whose_answer_was_lost_is_not_repeated(
    place: Address, recorder_at: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows were stored and the answer was not heard: the next flush finds them there."""
    recorder = recorder_at(place)
    recorder.add("errors", TOPIC, 0, errors(0, 40))
    insert = Connection.insert

    def unheard(*args: Any) -> None:
        insert(*args)
        raise SinkAway("the answer was lost")

    monkeypatch.setattr(Connection, "insert", unheard)
    with pytest.raises(SinkAway):
        recorder.flush()
    assert recorder.pending == 40
    monkeypatch.undo()
    recorder.flush()
    assert recorder.pending == 0
    assert one(place, "SELECT count() FROM errors") == 40
    assert one(place, "SELECT sum(errors) FROM errors_per_minute") == weight(0, 40)


def test_the_same_insert_twice_is_one(place: Address, recorder_at: Open) -> None:
    """Even when both run at once, the token of the batch keeps the second out, rollups too."""
    first, second = recorder_at(place), recorder_at(place)
    sent: list[tuple[Any, ...]] = []

    class Spy(Connection):
        def insert(self, *args: Any) -> None:
            sent.append(args)

    spy = Spy(place)
    first._connection, kept = spy, first._connection
    first.add("errors", TOPIC, 0, errors(0, 40))
    spy.rows("SELECT 1")
    first.flush()
    first._connection = kept
    for _ in range(2):
        kept.insert(*sent[0])
    assert one(place, "SELECT count() FROM errors") == 40
    assert one(place, "SELECT sum(errors) FROM errors_per_minute") == weight(0, 40)
    assert one(place, "SELECT sum(errors) FROM fingerprints_per_hour") == weight(0, 40)
    spy.close()
    second.close()
