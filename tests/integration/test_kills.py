"""kill -9 of each worker in turn, at random moments, under load: the counts come out exact.

FAULTSTREAM_KILLS=20 FAULTSTREAM_RATE=2000 pytest -m chaos tests/integration/test_kills.py
"""

import asyncio
import os
import random
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from faultstream import wire
from faultstream.client import Executor
from faultstream.core.ids import derive
from faultstream.core.records import Control, RecoveryCommand
from faultstream.ops import clock
from tests.integration.running import KEY, Pipeline, Producer, error
from tests.until import until, until_async

KILLS = int(os.environ.get("FAULTSTREAM_KILLS", "20"))
RATE = int(os.environ.get("FAULTSTREAM_RATE", "2000"))
SEED = int(os.environ.get("FAULTSTREAM_SEED", "1"))
VICTIMS = ("detect", "respond", "record", "notify")
SERVICES = 20
STEERED = ("svc-0", "svc-1", "svc-2")
BATCH_S = 0.05
ROUNDS = 2
CONTROL = "faultstream.control.v1"

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


class Load:
    """Sends RATE events a second until told to stop, one in 500 of them poison."""

    def __init__(self, brokers: str) -> None:
        self._brokers = brokers
        self.good: Counter[str] = Counter()
        self.bad = 0
        self.stop = False

    async def run(self) -> None:
        """Send; every record is acknowledged by the broker before it returns."""
        number = 0
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with Producer(self._brokers) as producer:
            while not self.stop:
                due = int((loop.time() - began) * RATE)
                sends = []
                for i in range(number, due):
                    service = f"svc-{i % SERVICES}"
                    if i % 500 == 499:
                        self.bad += 1
                        sends.append(producer.send(b'{"service": 1}', key=service))
                    else:
                        self.good[service] += 1
                        value = error(service, "ConnectionResetError", f"reset by peer {i}")
                        sends.append(producer.send(value, key=service))
                await asyncio.gather(*sends)
                number = due
                await asyncio.sleep(BATCH_S)


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def kafka(request: pytest.FixtureRequest) -> str | None:
    """A broker of this test's own; None is the embedded one that `up` starts."""
    if request.param == "embedded":
        return None
    address: str = request.getfixturevalue("own_apache_kafka")
    return address


async def test_kill_minus_9_loses_and_repeats_nothing(kafka: str | None, tmp_path: Path) -> None:
    """Rows, dead letters, the detectors' counts and the carried out commands are exact after
    every worker was killed in turn, again and again."""
    chance = random.Random(SEED)
    carried_out: Counter[tuple[str, str]] = Counter()
    with Pipeline(tmp_path, kafka=kafka) as pipeline:
        executors = []
        for service in STEERED:
            executor = Executor(
                service=service,
                brokers=pipeline.brokers,
                instance=f"{service}-1",
                keys={"k1": KEY},
                journal=tmp_path / f"{service}.journal",
            )

            def note(command: RecoveryCommand, service: str = service) -> None:
                carried_out[service, command.command_id] += 1

            for strategy in ("retry", "circuit_break", "fallback"):
                executor.handles(strategy)(note)
            executor.start()
            executors.append(executor)
        load = Load(pipeline.brokers)
        sending = asyncio.create_task(load.run())
        try:
            for kill in range(KILLS):
                await asyncio.sleep(chance.uniform(0.2, 4.0))
                await asyncio.to_thread(pipeline.kill, VICTIMS[kill % len(VICTIMS)])
            await asyncio.sleep(3)
        finally:
            load.stop = True
            await sending
        try:
            await asyncio.to_thread(_check, pipeline, load)
            commanded = {
                (row["service"], row["command_id"])
                for row in pipeline.sql("SELECT service, command_id FROM commands")
                if row["service"] in STEERED
            }
        finally:
            for executor in executors:
                executor.close()
    assert commanded, "the load commanded nothing"
    assert set(carried_out) <= commanded
    assert set(carried_out.values()) == {1}


async def test_what_was_commanded_before_a_crash_is_decided_in_the_same_way(
    kafka: str | None, tmp_path: Path
) -> None:
    """respond is killed while its command is carried out, before anything is saved, and recovery is
    paused before it is back: each time it knows again what it commanded, and the answer counts."""
    done: dict[str, list[str]] = {}
    with Pipeline(tmp_path, kafka=kafka) as pipeline:
        async with Producer(pipeline.brokers) as producer:
            for number in range(ROUNDS):
                service = f"till-{number}"
                done[service] = []

                def carry_out(command: RecoveryCommand, service: str = service) -> None:
                    if not done[service]:
                        pipeline.signal("respond", signal.SIGKILL)
                    done[service].append(command.command_id)

                executor = Executor(
                    service=service,
                    brokers=pipeline.brokers,
                    instance=f"{service}-1",
                    keys={"k1": KEY},
                    journal=tmp_path / f"{service}.journal",
                )
                for strategy in ("retry", "circuit_break", "fallback"):
                    executor.handles(strategy)(carry_out)
                executor.start()
                try:
                    await _killed(pipeline, producer, service, done[service])
                finally:
                    executor.close()
        known = pipeline.sql("SELECT command_id, outcome FROM incident_attempts")
    assert {one for all_ in done.values() for one in all_} == {row["command_id"] for row in known}
    assert {row["outcome"] for row in known} <= {"done", "cured"}
    assert {len(commands) for commands in done.values()} == {1}


async def _killed(pipeline: Pipeline, producer: Producer, service: str, done: list[str]) -> None:
    """One round: errors until a command is carried out; then a pause, while respond is away."""

    async def commanded() -> bool:
        await producer.send(error(service, "ConnectionResetError", "reset by peer"), key=service)
        await asyncio.sleep(0.1)
        return bool(done)

    await until_async(commanded, f"{service}: a command is carried out", timeout_s=60)
    subject = f"pause/{service}"
    for active in (True, False):
        pause = Control(
            control_id=subject, kind="pause", subject=subject, active=active,
            set_at_ms=clock.now_ms(),
        )  # fmt: skip
        await producer.send(wire.encode(pause), key=f"pause {subject}", topic=CONTROL)
        if active:
            until(partial(_known, pipeline, service), f"{service}: known", timeout_s=60)


def _known(pipeline: Pipeline, service: str) -> bool:
    told = pipeline.sql(f"SELECT state FROM incidents WHERE root = '{service}'")
    return bool({row["state"] for row in told} & {"verifying", "resolved"})


def _check(pipeline: Pipeline, load: Load) -> None:
    good = sum(load.good.values())

    def stored() -> tuple[int, int]:
        rows = int(pipeline.value("SELECT count() FROM errors") or 0)
        return rows, int(pipeline.value("SELECT count() FROM dead_letters") or 0)

    def complete() -> bool:
        rows, letters = stored()
        return rows >= good and letters >= load.bad

    try:
        until(complete, "everything is recorded", timeout_s=120)
    except AssertionError as exc:
        places = pipeline.sql("SELECT * FROM sink_offsets")
        raise AssertionError(f"sent {good, load.bad}, stored {stored()}: {places}") from exc
    rows = pipeline.sql(
        "SELECT service, count() AS n, uniqExact(partition, offset) AS places, sum(count) AS errors"
        " FROM errors GROUP BY service"
    )
    for row in rows:
        sent = load.good[row["service"]]
        assert (int(row["n"]), int(row["places"]), int(row["errors"])) == (sent, sent, sent)
    assert len(rows) == SERVICES
    assert int(pipeline.value("SELECT count() FROM dead_letters")) == load.bad
    assert int(pipeline.value("SELECT sum(holes) FROM sink_offsets")) == 0
    assert int(pipeline.value("SELECT sum(errors) FROM errors_per_minute")) == good
    until(
        lambda: (
            int(pipeline.value("SELECT countIf(state != 'closed') FROM patterns") or 0) == 0
            and int(pipeline.value("SELECT count() FROM patterns") or 0) > 0
        ),
        "every episode is closed",
        timeout_s=120,
    )
    # What each episode counted, against the rows of its stretch of time.
    wrong = pipeline.sql(
        "SELECT p.pattern_id AS id, p.kind AS kind, p.count AS counted, sum(e.count) AS stored"
        " FROM patterns AS p INNER JOIN errors AS e"
        " ON e.service = p.service AND e.environment = p.environment"
        " WHERE (p.fingerprint = '' OR e.fingerprint = p.fingerprint)"
        " AND e.time BETWEEN p.first_at AND p.last_at AND p.count > 0"
        " GROUP BY id, kind, counted HAVING counted != stored"
    )
    assert not wrong, wrong
    until(partial(_decided, pipeline), "every notification has its decisions", timeout_s=60)


def _decided(pipeline: Pipeline) -> bool:
    """Decisions are numbered: none is missing, and none stands there that a crash undid."""
    query = "SELECT DISTINCT decision_id FROM notification_decision_log"
    found = {row["decision_id"] for row in pipeline.sql(query)}
    counted = {derive("decision", "production", number + 1) for number in range(len(found))}
    untold = pipeline.value(
        "SELECT count() FROM notifications WHERE notification_id NOT IN"
        " (SELECT arrayJoin(notification_ids) FROM notification_decisions)"
    )
    return bool(found) and found == counted and str(untold) == "0"
