"""Operators' commands against topics of their own on the embedded broker."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from faultstream.cli import main
from faultstream.config.topology import load
from faultstream.core.policy import Topology
from tests.conftest import prefixed

Call = Callable[..., Result]


@pytest.fixture
def topology(prefix: str) -> Topology:
    return prefixed(load(None), prefix)


@pytest.fixture
def call(embedded_broker: str, topology: Topology, tmp_path: Path) -> Call:
    """Calls a command with this test's topics on the embedded broker."""
    given = yaml.safe_load(Path("topology.yaml").read_text())
    for role, policy in topology.topics.items():
        given["topics"][role]["name"] = policy.name
    file = tmp_path / "topology.yaml"
    file.write_text(yaml.safe_dump(given))

    def run(*arguments: str) -> Result:
        place = ["--brokers", embedded_broker, "--topology", str(file)]
        return CliRunner().invoke(main, [*arguments, *place])

    return run
