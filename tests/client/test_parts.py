"""Outbox, spool, journal, admission and signatures, without a broker."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream import wire
from faultstream.client.admission import Admission
from faultstream.client.brokers import addresses
from faultstream.client.journal import GRACE_MS, Journal
from faultstream.client.outbox import Entry, Outbox
from faultstream.client.spool import Spool
from faultstream.core import ids, signing
from faultstream.core.event import ErrorEvent
from faultstream.core.records import RecoveryResult
from tests.client.clock import Clock
from tests.client.topics import KEY, KEYS, command, signed


def entry(count: int = 1) -> Entry:
    """An event of nothing."""
    return Entry(ErrorEvent(service="s", error_type="E", event_id="id", count=count))


def finish(outbox: Outbox, step: str, taken: Entry) -> None:
    """One of the ways in which an entry that was taken ends."""
    match step:
        case "settle" | "spool":
            outbox.settle([taken], spooled=step == "spool")
        case "put_back":
            outbox.put_back([taken])
        case _:
            outbox.drop([taken], "test")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "take", "settle", "spool", "put_back", "drop", "tick", "recall"]),
        st.integers(0, 4),
    ),
    max_size=60,
)


@given(STEPS)
def test_every_error_is_in_exactly_one_place(steps: list[tuple[str, int]]) -> None:
    """Whatever happens in whatever order, reported = sent + spooled + waiting + dropped."""
    clock = Clock()
    outbox = Outbox(8, 10**6, 250, clock=clock)
    out: list[Entry] = []
    for step, number in steps:
        match step:
            case "add":
                if not outbox.fold(number, 2):
                    outbox.add(number, entry(number + 1))
            case "take":
                out += outbox.take(number)
            case "tick":
                clock.move(number / 10)
                outbox.release()
            case "recall":
                outbox.recall()
            case _ if out:
                finish(outbox, step, out.pop())
        done = outbox.sent + outbox.spooled + sum(outbox.dropped.values())
        assert outbox.reported == done + outbox.waiting
    outbox.recall()
    while taken := outbox.take(3):
        outbox.settle(taken)
    assert outbox.empty
    assert outbox.waiting == 0


def test_the_first_goes_at_once_and_the_rest_when_the_window_ends() -> None:
    """One event now, one per window while the flood lasts; after silence again one at once."""
    clock = Clock()
    outbox = Outbox(100, 10**6, 250, clock=clock)

    def report() -> None:
        if not outbox.fold("key", 1):
            outbox.add("key", entry())

    def counts() -> list[int]:
        return [taken.event.count for taken in outbox.take(100)]

    for _ in range(5):
        report()
    assert counts() == [1]
    assert outbox.release() == pytest.approx(0.25)
    clock.move(0.25)
    outbox.release()
    assert counts() == [4]
    report()
    assert counts() == []
    clock.move(0.25)
    outbox.release()
    assert counts() == [1]
    clock.move(0.5)
    outbox.release()
    report()
    assert counts() == [1]


def test_a_spool_is_shared_and_survives_torn_lines(tmp_path: Path) -> None:
    """Segments that another process writes are left alone; a cut last line is left out."""
    writer, reader = Spool(tmp_path, "a/b", 10_000), Spool(tmp_path, "a/b", 10_000)
    assert writer.write([b"one", b"two"], 5)
    assert reader.next() is None
    writer.seal()
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b"torn")
    segment = reader.next()
    assert segment is not None
    assert writer.next() is None
    assert segment.lines() == [b"one", b"two"]
    assert segment.done() == 0
    assert not list(tmp_path.iterdir())
    assert not writer.waiting


def result(command_id: str) -> RecoveryResult:
    """A result."""
    return RecoveryResult(
        result_id=ids.derive("result", command_id),
        command_id=command_id,
        incident_id="i",
        executor="e",
        status="success",
        started_at_ms=1,
        finished_at_ms=2,
    )


def reopened(path: Path, now_ms: int = 0) -> Journal:
    """A journal as the next process finds it."""
    journal = Journal(path)
    journal.open(now_ms)
    return journal


def test_a_journal_remembers_across_restarts(tmp_path: Path) -> None:
    """What was begun, done and told; a line that a crash cut short harms nothing."""
    path = tmp_path / "deep" / "journal"
    journal = reopened(path)
    journal.begin(result("begun"), 1_000, 0)
    for done in ("done", "told"):
        journal.begin(result(done), 1_000, 0)
        journal.finish(result(done), 1_000)
    journal.told(result("told").result_id)
    journal.close()
    with path.open("ab") as file:
        file.write(b'\n{"begun": {"comm')
    for _ in range(2):
        journal = reopened(path)
        assert [journal.knows(name) for name in ("begun", "done", "told", "x")] == [
            True, True, True, False
        ]  # fmt: skip
        assert [r.command_id for r in journal.interrupted()] == ["begun"]
        assert [r.command_id for r in journal.untold()] == ["done"]
        journal.close()


def test_a_journal_forgets_what_has_long_expired(tmp_path: Path) -> None:
    """Expired commands leave after the grace, but not while their result is not told."""
    journal = reopened(tmp_path / "journal")
    journal.finish(result("untold"), 1_000)
    journal.finish(result("told"), 1_000)
    journal.told(result("told").result_id)
    journal.close()
    early = reopened(tmp_path / "journal", 1_000 + GRACE_MS - 1)
    assert early.knows("told")
    early.close()
    late = reopened(tmp_path / "journal", 1_000 + GRACE_MS)
    assert not late.knows("told")
    assert late.knows("untold")


def test_signatures_agree_with_openssl() -> None:
    """Anybody with the key can check: hex HMAC-SHA-256 of the value."""
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", KEY.decode()],
        input=b"value",
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().split()[-1] == signing.sign(b"value", KEY)


@given(st.binary(min_size=1, max_size=40), st.data())
def test_no_changed_byte_passes(value: bytes, data: st.DataObject) -> None:
    """A value with any bit turned over has another signature."""
    signature = signing.sign(value, KEY)
    assert signing.verify(value, signature, KEY)
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    assert not signing.verify(bytes(changed), signature, KEY)
    assert not signing.verify(value, signature[:-1] + "\N{SNOWMAN}", KEY)


@given(st.binary(max_size=200), st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=9))))
def test_any_bytes_are_refused_not_raised(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    """Whatever stands on the topic, unsigned or signed nonsense, the verdict is a reason."""
    admission = Admission(
        environment="production", service="orders", instance="1", keys=KEYS,
        max_ttl_ms=900_000, skew_ms=5_000,
    )  # fmt: skip
    assert admission.judge(value, headers, 0).reason in {"unsigned", "unknown_key", "forged"}
    good = signing.headers(value, KEY, "k1")
    assert admission.judge(value, good, 0).reason == "malformed"
    assert admission.judge(None, good, 0).reason == "unsigned"


def test_expiry_and_clock_skew_have_exact_bounds() -> None:
    """Refused at the expiry, not before; five seconds of skew are allowed, not more."""
    admission = Admission(
        environment="production", service="orders", instance="1", keys=KEYS,
        max_ttl_ms=60_000, skew_ms=5_000,
    )  # fmt: skip
    order = command(issued_at_ms=100_000, expires_at_ms=160_000)
    value, headers = signed(order)
    found = {
        now: admission.judge(value, headers, now).reason
        for now in (94_999, 95_000, 159_999, 160_000, 220_000, 220_001)
    }
    assert found == {
        94_999: "ahead", 95_000: None, 159_999: None, 160_000: "expired", 220_000: "expired",
        220_001: "old",
    }  # fmt: skip
    long_lived = command(issued_at_ms=100_000, expires_at_ms=160_001)
    assert admission.judge(*signed(long_lived), 100_000).reason == "long_lived"


def test_addresses_are_read_or_refused() -> None:
    """host:port lists, with Kafka's port when it is left out, and IPv6 in brackets."""
    assert addresses("a:1, b") == [("a", 1), ("b", 9092)]
    assert addresses("[::1]:9092") == [("::1", 9092)]
    for bad in ("", ",", "a:b", ":1"):
        with pytest.raises(ValueError, match="expected host:port"):
            addresses(bad)


def test_events_are_encoded_with_times_as_text() -> None:
    """RFC 3339 with milliseconds, in the value and in the header."""
    event = ErrorEvent(service="s", error_type="E", event_id="id", time=1_500)
    assert wire.loads(wire.encode_event(event))["time"] == "1970-01-01T00:00:01.500Z"
    assert dict(wire.event_headers(event))["ce_time"] == b"1970-01-01T00:00:01.500Z"
