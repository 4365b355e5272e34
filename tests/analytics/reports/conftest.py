"""The recorded data set in a data folder, and an engine that runs in it as `up` would have it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultstream.analytics.client import Address, Connection
from faultstream.analytics.recorder import Recorder
from faultstream.analytics.serve import EngineProcess
from faultstream.config.topology import load
from faultstream.core.policy import TopicRole
from tests.analytics.kit import Raw
from tests.analytics.reports.recording import recorded


def fill(engine: EngineProcess) -> None:
    """All records of the data set, each topic one partition."""
    recorder = Recorder(engine.address(), load(None), "recorded")
    recorder.open()
    rows: dict[TopicRole, list[Raw]] = {}
    for role, value in recorded():
        mine = rows.setdefault(role, [])
        mine.append(Raw(len(mine), value))
    for role, records in rows.items():
        assert recorder.add(role, role, 0, records) == len(records)
    recorder.flush()
    recorder.close()


@pytest.fixture(scope="session")
def recorded_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder; up.json in it names the engine."""
    folder = tmp_path_factory.mktemp("recorded")
    engine = EngineProcess(folder)
    engine.start()
    fill(engine)
    address = engine.address(writer=False)
    text = f"http://127.0.0.1:{engine.port}/{address.database}"
    (folder / "up.json").write_text(json.dumps({"clickhouse": text}))
    yield folder
    assert engine.stop() == 0


@pytest.fixture
def stored(recorded_data: Path) -> Iterator[Connection]:
    """A connection to it."""
    address = json.loads((recorded_data / "up.json").read_text())["clickhouse"]
    connection = Connection(Address.parse(address))
    yield connection
    connection.close()
