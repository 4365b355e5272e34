"""`faultstream experiment run` breaks nothing where nothing would be done about it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from faultstream.cli import main
from faultstream.core.policy import Topology
from faultstream.transport import topics
from tests.client.topics import KEY, read

Run = Callable[..., Result]


@pytest.fixture
def run(
    embedded_broker: str, topology: Topology, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """A command on this test's topics, where faults may be injected."""
    monkeypatch.setenv("FAULTSTREAM_SIGNING_KEY", KEY.decode())
    asyncio.run(topics.create(embedded_broker, topology))
    given = yaml.safe_load(Path("topology.yaml").read_text())
    for role, policy in topology.topics.items():
        given["topics"][role]["name"] = policy.name
    given["strategies"]["inject"]["enabled"] = True
    file = tmp_path / "topology.yaml"
    file.write_text(yaml.safe_dump(given))
    (tmp_path / "plan.yaml").write_text(
        "name: x\nservice: payments\ninject: {target: db, latency_ms: 5}\n"
    )

    def call(*arguments: str) -> Result:
        place = ["--brokers", embedded_broker, "--topology", str(file)]
        return CliRunner().invoke(main, [*arguments, *place])

    return call


def test_nothing_is_injected_while_recovery_is_paused(
    run: Run, embedded_broker: str, topology: Topology, tmp_path: Path
) -> None:
    """Exit code 1 with who paused it and why, and no command; a pause elsewhere does not count."""
    plan = str(tmp_path / "plan.yaml")
    assert run("pause", "--until", "10m", "--reason", "migration").exit_code == 0
    done = run("experiment", "run", plan)
    assert done.exit_code == 1
    assert "nothing was injected: recovery is paused by " in done.output
    assert ": migration. `faultstream pause --resume` takes that back" in done.output
    assert run("pause", "--resume").exit_code == 0
    assert run("pause", "--environment", "staging").exit_code == 0
    done = run("experiment", "run", plan)
    assert done.exit_code == 1
    assert "nothing was injected into payments: no executor answered within 5 s" in done.output
    commands = topology.topic("commands")
    begin, end = read(embedded_broker, commands, lambda found: len(found) >= 2)
    assert b'"rollback_of"' not in begin.value
    assert b'"rollback_of"' in end.value


def test_the_switch_of_the_topology_counts(tmp_path: Path) -> None:
    """Exit code 2 before anything is connected to."""
    plan = tmp_path / "plan.yaml"
    plan.write_text("name: x\nservice: payments\ninject: {target: db, latency_ms: 5}\n")
    done = CliRunner().invoke(main, ["experiment", "run", str(plan), "--brokers", "127.0.0.1:1"])
    assert done.exit_code == 2
    assert "strategies.inject.enabled: faults may not be injected" in done.output
