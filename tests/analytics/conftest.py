"""One real engine for all tests of analytics; each test has a database of its own in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faultstream.analytics.client import Address
from faultstream.analytics.recorder import Recorder
from faultstream.analytics.serve import EngineProcess
from faultstream.config.topology import load
from faultstream.core.policy import Topology
from tests.analytics.kit import fresh


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """The embedded engine in a process of its own."""
    process = EngineProcess(tmp_path_factory.mktemp("engine"))
    process.start()
    yield process
    assert process.stop() == 0


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[EngineProcess]:
    """An engine that the test may kill."""
    process = EngineProcess(tmp_path / "data")
    process.start()
    yield process
    process.kill()


@pytest.fixture
def place(engine: EngineProcess) -> Address:
    """A database that nobody has used, as the recorder sees it."""
    return fresh(engine.address())


@pytest.fixture(scope="session")
def topology() -> Topology:
    """The topology that the package carries."""
    return load(None)


@pytest.fixture
def recorder_at(topology: Topology) -> Iterator[Callable[..., Recorder]]:
    """Makes opened recorders and closes them in the end."""
    made: list[Recorder] = []

    def make(place: Address, log_id: str = "log") -> Recorder:
        recorder = Recorder(place, topology, log_id, timeout_s=30)
        made.append(recorder)
        recorder.open()
        return recorder

    yield make
    for recorder in made:
        recorder.close()
