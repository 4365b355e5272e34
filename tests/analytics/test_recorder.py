"""The recorder on the real engine: every record once, whatever is repeated or refused."""

import itertools
import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultstream.analytics.client import Address, Connection
from faultstream.analytics.offsets import ROLLUPS
from faultstream.analytics.recorder import Recorder
from faultstream.core.ids import event_id
from tests.analytics.kit import NOW_MS, TOPIC, Raw, error, errors, one, rows, weight

Open = Callable[..., Recorder]


def test_an_event_is_stored_with_what_classification_says(
    place: Address, recorder_at: Open
) -> None:
    """A bare event is one row with category, severity, fingerprint and its place in the log."""
    recorder = recorder_at(place)
    bare = json.dumps({"service": "orders", "error_type": "TimeoutError"}).encode()
    assert recorder.add("errors", TOPIC, 2, [Raw(7, bare)]) == 1
    assert recorder.pending == 1
    recorder.flush()
    assert recorder.pending == 0
    found = rows(
        place,
        "SELECT event_id, toUnixTimestamp64Milli(time), environment, service, error_type, category,"
        " length(fingerprint), count, log_id, topic, partition, offset FROM errors",
    )
    derived = event_id(TOPIC, 2, 7)
    assert found == [
        (derived, NOW_MS, "production", "orders", "TimeoutError", "timeout", 32, 1, "log", TOPIC,
         2, 7)
    ]  # fmt: skip


def test_every_field_of_an_event_comes_back(place: Address, recorder_at: Open) -> None:
    """What an application sends can be asked for, rare fields, tags, causes and frames too."""
    event = {
        "service": "orders", "error_type": "E", "event_id": "018f-x", "layer": "core",
        "host": "h", "instance": "i", "release": "1.2", "operation": "charge", "component": "c",
        "function": "f", "message": "it broke", "handled": False, "recoverable": True,
        "retry_count": 2, "max_retries": 5, "http_status": 503, "request_id": "r",
        "user_id": "u", "session_id": "s", "trace_id": "t", "span_id": "p",
        "parent_event_id": "e0", "correlation_id": "k", "experiment_id": "x",
        "tags": {"region": "eu"}, "causes": [{"error_type": "C", "message": "why"}],
        "frames": [{"module": "m", "function": "g", "line": 3, "in_app": True}],
        "bases": ["shop.Base", "OSError"],
    }  # fmt: skip
    recorder = recorder_at(place)
    plain = {"service": "orders", "error_type": "E"}
    values = [json.dumps(each).encode() for each in (event, plain)]
    recorder.add("errors", TOPIC, 0, [Raw(0, values[0]), Raw(1, values[1])])
    recorder.flush()
    names = [name for name in event if name not in {"tags", "causes", "frames"}]
    full, bare = rows(place, f"SELECT {', '.join(names)} FROM errors ORDER BY offset")
    assert dict(zip(names, full, strict=True)) == {name: event[name] for name in names}
    assert bare[names.index("handled")] is None
    assert bare[names.index("http_status")] is None
    assert one(place, "SELECT tags['region'] FROM errors WHERE offset = 0") == "eu"
    assert one(place, "SELECT JSONExtractString(frames, 1, 'function') FROM errors LIMIT 1") == "g"
    causes = "SELECT JSONExtractString(causes, 1, 'message') FROM errors WHERE offset = 0"
    assert one(place, causes) == "why"


def test_folded_events_count_with_their_weight(place: Address, recorder_at: Open) -> None:
    """sum(count) over rows, both rollups and the summary view are the same number."""
    recorder = recorder_at(place)
    recorder.add("errors", TOPIC, 0, errors(0, 100))
    recorder.flush()
    assert one(place, "SELECT sum(count) FROM errors") == weight(0, 100)
    assert one(place, "SELECT sum(errors) FROM errors_per_minute") == weight(0, 100)
    assert one(place, "SELECT sum(errors) FROM fingerprints_per_hour") == weight(0, 100)
    assert one(place, "SELECT summed FROM ingest_balance") == weight(0, 100)


def test_what_was_added_or_stored_is_skipped(place: Address, recorder_at: Open) -> None:
    """Rewinding any distance, before or after a flush, adds nothing twice."""
    recorder = recorder_at(place)
    assert recorder.add("errors", TOPIC, 0, errors(0, 10)) == 10
    assert recorder.add("errors", TOPIC, 0, errors(5, 15)) == 5
    recorder.flush()
    assert recorder.add("errors", TOPIC, 0, errors(0, 16)) == 1
    assert recorder.add("errors", TOPIC, 1, errors(0, 4)) == 4
    recorder.flush()
    assert recorder.positions() == {(TOPIC, 0): 15, (TOPIC, 1): 3}
    assert one(place, "SELECT count() FROM errors") == 20


def test_killed_between_insert_and_acknowledgement(place: Address, recorder_at: Open) -> None:
    """A new recorder that gets the same records and more stores only the more."""
    first = recorder_at(place)
    first.add("errors", TOPIC, 0, errors(0, 50))
    first.flush()
    second = recorder_at(place)
    assert second.positions() == {(TOPIC, 0): 49}
    assert second.add("errors", TOPIC, 0, errors(0, 80)) == 30
    second.flush()
    assert one(place, "SELECT sum(count) FROM errors") == weight(0, 80)
    assert one(place, "SELECT sum(errors) FROM errors_per_minute") == weight(0, 80)


def test_a_frozen_recorder_that_wakes_up_stores_nothing_twice(
    place: Address, recorder_at: Open
) -> None:
    """Rows that another recorder stored meanwhile are left out of the flush."""
    frozen, other = recorder_at(place), recorder_at(place)
    frozen.add("errors", TOPIC, 0, errors(0, 30))
    other.add("errors", TOPIC, 0, errors(0, 20))
    other.flush()
    frozen.flush()
    assert one(place, "SELECT count(), uniqExact(offset) FROM errors") == 30
    assert one(place, "SELECT sum(errors) FROM fingerprints_per_hour") == weight(0, 30)


def test_another_log_has_its_own_offsets(place: Address, recorder_at: Open) -> None:
    """A broker made anew begins at 0; its records are not taken for stored ones."""
    old, new = recorder_at(place, "old"), recorder_at(place, "new")
    old.add("errors", TOPIC, 0, errors(0, 10))
    old.flush()
    assert new.positions() == {}
    assert new.add("errors", TOPIC, 0, errors(0, 5)) == 5
    new.flush()
    assert one(place, "SELECT count() FROM errors") == 15


def test_an_insert_is_one_part(place: Address, recorder_at: Open) -> None:
    """All rows of a flush, here of four partitions, become one part of each table."""
    recorder = recorder_at(place)
    for partition in range(4):
        recorder.add("errors", TOPIC, partition, errors(0, 5_000))
    recorder.flush()
    parts = rows(
        place,
        "SELECT table, sum(rows) FROM system.parts WHERE active AND database = currentDatabase()"
        " AND table IN ('errors', 'errors_per_minute', 'fingerprints_per_hour')"
        " GROUP BY table HAVING count() = 1 ORDER BY table",
    )
    assert [name for name, _ in parts] == ["errors", "errors_per_minute", "fingerprints_per_hour"]
    assert parts[0][1] == 20_000


def test_what_cannot_be_read_is_no_row_and_counted(place: Address, recorder_at: Open) -> None:
    """Refused records leave a gap that a dead letter explains; without one it is an alarm."""
    recorder = recorder_at(place)
    bad: list[bytes | None] = [b"\xff\x00", None, b"[1]", b'{"service": "a"}', b"x" * 300_000]
    taken = [error(0), *(Raw(at, value) for at, value in enumerate(bad, 1)), error(6)]
    assert recorder.add("errors", TOPIC, 0, taken) == 2
    assert recorder.refused == 5
    recorder.flush()
    assert rows(place, "SELECT records, holes, alarm FROM sink_offsets") == [(2, 5, True)]
    letters = [
        Raw(
            at,
            value,
            headers=(
                ("x-faultstream-original-topic", TOPIC.encode()),
                ("x-faultstream-original-partition", b"0"),
                ("x-faultstream-original-offset", str(at + 1).encode()),
                ("x-faultstream-stage", b"decode"),
                (
                    "x-faultstream-error-message",
                    "no JSON \udcff".encode("utf-8", "surrogateescape"),
                ),
            ),
        )
        for at, value in enumerate(bad)
    ]
    assert recorder.add("dead_letters", "dead", 0, letters) == 5
    assert recorder.add("dead_letters", "dead", 0, [Raw(5, None), Raw(6, b"no headers")]) == 2
    recorder.flush()
    found = rows(
        place, f"SELECT records, refused, holes, alarm FROM sink_offsets WHERE topic = '{TOPIC}'"
    )
    assert found == [(2, 5, 0, False)]
    balance = "SELECT offsets, recorded, refused, missing FROM ingest_balance"
    assert rows(place, balance) == [(7, 2, 5, 0)]
    sizes = "SELECT max(value_bytes), max(length(value)) FROM dead_letters"
    assert rows(place, sizes) == [(300_000, 65_536)]


def test_topics_without_a_table_are_passed_over(place: Address, recorder_at: Open) -> None:
    """The control topic has no table."""
    assert recorder_at(place).add("control", "control", 0, [Raw(0, b"{}")]) == 0


_example = itertools.count()
TEXT = st.text(st.characters(), max_size=40)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    events=st.lists(
        st.fixed_dictionaries(
            {"service": TEXT, "error_type": TEXT},
            optional={
                "message": TEXT, "host": TEXT, "user_id": TEXT, "event_id": TEXT,
                "time": st.integers(-(2**70), 2**70) | TEXT,
                "count": st.integers(-5, 2**40), "retry_count": st.integers(-(2**70), 2**70),
                "http_status": st.integers(-(2**40), 2**40),
                "tags": st.dictionaries(TEXT, TEXT, max_size=3),
                "frames": st.lists(st.fixed_dictionaries({"function": TEXT}), max_size=2),
            },
        ),
        min_size=1,
        max_size=20,
    )
)  # fmt: skip
def test_poison_is_stored_or_skipped(
    place: Address, recorder_at: Open, events: list[dict[str, object]]
) -> None:
    """Any JSON, NUL and lone surrogates in it too, becomes rows or is counted as refused."""
    log_id = f"log-{next(_example)}"
    recorder = recorder_at(place, log_id)
    raw = [Raw(at, json.dumps(event).encode()) for at, event in enumerate(events)]
    added = recorder.add("errors", TOPIC, 0, raw)
    assert added + recorder.refused == len(events)
    recorder.flush()
    assert one(place, f"SELECT count() FROM errors WHERE log_id = '{log_id}'") == added
    summed = f"SELECT sum(records) FROM errors_per_minute WHERE log_id = '{log_id}'"
    assert one(place, summed) == added


@pytest.mark.parametrize("time", [0, 1, 4_102_444_799_999])
def test_times_at_the_ends_are_kept(place: Address, recorder_at: Open, time: int) -> None:
    """1970 and 2099 are stored to the millisecond, and merges leave them in the rollups."""
    recorder = recorder_at(place)
    recorder.add("errors", TOPIC, 0, [error(0, time=time)])
    recorder.flush()
    assert one(place, "SELECT toUnixTimestamp64Milli(time) FROM errors") == time
    connection = Connection(place)
    for rollup in ROLLUPS:
        connection.command(f"OPTIMIZE TABLE {rollup} FINAL")
        assert one(place, f"SELECT sum(records) FROM {rollup}") == 1
    connection.close()
