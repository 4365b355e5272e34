"""Prevention on real parts: a simulated fleet through Kafka, detect and respond to an executor."""

from pathlib import Path

import pytest

from faultstream.client import Executor
from faultstream.core.records import RecoveryCommand
from faultstream.ops import clock
from faultstream.wire import encode_event
from tests.integration.running import KEY, Pipeline, Producer
from tests.simulate import preventing
from tests.until import until


async def test_what_is_foreseen_is_met_on_the_whole_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors that only grow lead to one command of little danger before any limit is crossed; it is
    carried out, and nobody is called."""
    topology = preventing.topology(tmp_path, enabled=True)
    found = preventing.foreseen(topology, tmp_path)
    foreseen = found.first.detected_at_ms
    file = preventing.topology_file(tmp_path, enabled=True)
    monkeypatch.setenv("FAULTSTREAM_TOPOLOGY", str(file))
    carried_out: list[RecoveryCommand] = []
    with Pipeline(tmp_path / "up") as pipeline:
        executor = Executor(
            service="orders",
            brokers=pipeline.brokers,
            instance="orders-1",
            keys={"k1": KEY},
            journal=tmp_path / "journal",
        )

        def note(command: RecoveryCommand) -> None:
            carried_out.append(command)

        for name, strategy in topology.strategies.items():
            if strategy.danger == "low" and strategy.delivery == "broadcast":
                executor.handles(name, delivery="broadcast")(note)
        executor.start()
        try:
            shift_ms = clock.now_ms() - foreseen
            given = [
                encode_event(one)
                for one in preventing.events(tmp_path, found.seed, shift_ms)
                if int(one.time or 0) <= foreseen + shift_ms
            ]
            async with Producer(pipeline.brokers) as producer:
                await producer.send(*given, key="orders")
            until(lambda: bool(carried_out), "a preventive command", timeout_s=60)
            until(
                lambda: (
                    pipeline.value("SELECT state FROM incidents WHERE state = 'verifying'")
                    == "verifying"
                ),
                "what follows is watched",
                timeout_s=60,
            )
        finally:
            executor.close()
        kinds = {row["kind"] for row in pipeline.sql("SELECT kind FROM patterns")}
        levels = {row["level"] for row in pipeline.sql("SELECT level FROM notifications")}
    command, *more = carried_out
    assert not [one for one in more if one.reason.startswith("predicted ")]
    assert command.reason.startswith("predicted ")
    assert "predicted" in kinds
    assert levels <= {"info"}
