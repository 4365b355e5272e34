"""Prevention on real parts: a simulated fleet through Kafka, detect and respond to an executor."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import pytest

from faultstream.client import Executor
from faultstream.core.records import RecoveryCommand
from faultstream.ops import clock
from faultstream.wire import encode_event
from tests.integration.running import KEY, Pipeline, Producer, error
from tests.simulate import preventing
from tests.until import until, until_async

GRID_MS: Final = 600_000
"""A history moved by a multiple of this falls into the same slots, steps and windows, so that the
same is found in it."""
SETTLED_MS: Final = 20_000
"""After so much event time nothing of before may change any more."""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], list[bytes]]:
    """What the fleet reports until a limit is foreseen, some minutes ago, and one error of another
    service later, by which that is settled."""
    folder = tmp_path_factory.mktemp("fleet")
    found = preventing.foreseen(preventing.topology(folder, enabled=True), folder)
    foreseen_ms = found.first.detected_at_ms
    events = [
        one for one in preventing.events(folder, found.seed) if int(one.time or 0) <= foreseen_ms
    ]

    def recent() -> list[bytes]:
        by_ms = (clock.now_ms() - SETTLED_MS - foreseen_ms) // GRID_MS * GRID_MS
        moved = [msgspec.structs.replace(one, time=int(one.time or 0) + by_ms) for one in events]
        later = error("till", "ValueError", time=foreseen_ms + by_ms + SETTLED_MS)
        return [*map(encode_event, moved), later]

    return recent


@contextmanager
def running(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, enabled: bool
) -> Iterator[tuple[Pipeline, list[RecoveryCommand]]]:
    """The pipeline, and what an executor of orders has carried out so far."""
    topology = preventing.topology(folder, enabled=enabled)
    monkeypatch.setenv("FAULTSTREAM_TOPOLOGY", str(folder / f"prevention-{enabled}.yaml"))
    done: list[RecoveryCommand] = []
    with Pipeline(folder / "up") as pipeline:
        executor = Executor(
            service="orders",
            brokers=pipeline.brokers,
            instance="orders-1",
            keys={"k1": KEY},
            journal=folder / "journal",
        )

        def carry_out(command: RecoveryCommand) -> None:
            done.append(command)

        for name, strategy in topology.strategies.items():
            if not strategy.steps:
                executor.handles(name, delivery=strategy.delivery, undoes=True)(carry_out)
        executor.start()
        try:
            yield pipeline, done
        finally:
            executor.close()


async def test_what_is_foreseen_is_met_and_what_comes_is_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, history: Callable[[], list[bytes]]
) -> None:
    """Errors that only grow lead to one command of little danger, and nobody is called. When what
    was foreseen comes after all it is taken back, and the errors are recovered and verified."""
    with running(tmp_path, monkeypatch, enabled=True) as (pipeline, done):

        def state() -> object:
            incident = f"incident_id = '{done[0].incident_id}'"
            return pipeline.value(f"SELECT state FROM incidents WHERE {incident}")

        async with Producer(pipeline.brokers) as producer:
            await producer.send(*history(), key="orders")
            until(lambda: bool(done), "a preventive command is carried out", timeout_s=60)
            until(lambda: state() == "verifying", "it is waited for", timeout_s=60)
            assert len(done) == 1
            assert done[0].reason.startswith("predicted ")
            assert {row["level"] for row in pipeline.sql("SELECT level FROM notifications")} <= {
                "info"
            }

            async def errors_until_the_next() -> bool:
                value = error("orders", "httpx.ReadTimeout", "upstream did not answer")
                await producer.send(value, key="orders")
                await asyncio.sleep(0.1)
                return len(done) > 2

            await until_async(errors_until_the_next, "what comes is recovered", timeout_s=90)
        first, undo, second, *_ = done
        assert undo.rollback_of == first.command_id
        assert "it prevented nothing" in undo.reason
        assert second.incident_id == first.incident_id
        assert not second.reason.startswith("predicted ")
        until(lambda: state() == "resolved", "it is verified", timeout_s=90)
        attempts = pipeline.sql("SELECT command_id, outcome FROM incident_attempts")
    outcomes = {row["command_id"]: row["outcome"] for row in attempts}
    assert outcomes[first.command_id] == "rolled_back"
    assert outcomes[done[-1].command_id] == "cured"


async def test_what_is_foreseen_is_only_told_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, history: Callable[[], list[bytes]]
) -> None:
    """The same errors are foreseen and nothing is commanded; a critical one after them is."""
    with running(tmp_path, monkeypatch, enabled=False) as (pipeline, done):
        async with Producer(pipeline.brokers) as producer:
            await producer.send(*history(), key="orders")
            until(
                lambda: pipeline.value("SELECT count() FROM patterns WHERE kind = 'predicted'"),
                "it is foreseen",
                timeout_s=60,
            )
            value = error("orders", "ConnectionError", "refused", severity="critical")
            await producer.send(value, key="orders")
        until(lambda: bool(done), "what is there is recovered", timeout_s=60)
        until(lambda: pipeline.sql("SELECT 1 FROM commands"), "it is recorded")
        commands = pipeline.sql("SELECT DISTINCT incident_id FROM commands")
    assert done[0].reason.startswith("critical ")
    assert commands == [{"incident_id": done[0].incident_id}]
