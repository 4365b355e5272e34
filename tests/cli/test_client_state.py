"""`faultstream client-state` asks executors what is in force."""

import json

import pytest
from click.testing import CliRunner

from faultstream.cli import main
from faultstream.cli.commanding import KINDS
from faultstream.client import CircuitBreaker, Executor, Timeout, steer
from faultstream.config.topology import load
from faultstream.core.policy import Topology
from tests.client import topics
from tests.conftest import prefixed
from tests.until import until


@pytest.fixture
def topology(embedded_broker: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Topology:
    """Topics of this test, known to the command as the topology's."""
    made = prefixed(load(), prefix)
    names = [made.topic(role) for role in KINDS]
    topics.create(embedded_broker, *names, partitions=4)
    monkeypatch.setattr("faultstream.cli.client_state.load", lambda _file: made)
    monkeypatch.setenv("FAULTSTREAM_SIGNING_KEY", topics.KEY.decode())
    return made


def run(*args: str) -> tuple[int, str, str]:
    """Exit code, output, complaints."""
    done = CliRunner().invoke(main, ["client-state", *args])
    return done.exit_code, done.stdout, done.stderr


def test_it_shows_what_each_instance_says(embedded_broker: str, topology: Topology) -> None:
    """As a table and as JSON; what a command holds has a time."""
    breaker, timeout = CircuitBreaker("db"), Timeout(2_000, name="db")
    executor = Executor(
        "orders",
        keys=topics.KEYS,
        brokers=embedded_broker,
        instance="orders-1",
        commands_topic=topology.topic("commands"),
        results_topic=topology.topic("results"),
    )
    steer(executor, breaker=breaker, timeout=timeout)
    timeout.limit_ms.hold(8_000, 60_000)
    about = ("orders", "--instance", "orders-1", "--wait", "20s", "--brokers", embedded_broker)
    with executor:
        until(lambda: executor.stats().ready, "the executor reads commands")
        code, table, said = run(*about)
        assert code == 0, said
        lines = [line.split() for line in table.splitlines()]
        assert lines[0][:3] == ["instance", "kind", "name"]
        assert ["orders-1", "breaker", "db", "closed", "closed"] in lines
        code, text, said = run(*about, "--held", "--json")
        assert code == 0, said
    told = json.loads(text)
    held = {one["kind"]: one for one in told["in_force"] if one["name"] == "db"}
    assert set(held) == {"timeout"}
    assert (held["timeout"]["state"], held["timeout"]["local"]) == ("8000 ms", "2000 ms")
    assert 0 < held["timeout"]["left_ms"] <= 60_000


def test_silence_is_told_as_such(embedded_broker: str, topology: Topology) -> None:
    """Exit code 1 when nobody answers."""
    code, _, said = run("orders", "--wait", "1s", "--brokers", embedded_broker)
    assert code == 1
    assert "no executor of orders answered within 1000 ms" in said


def test_without_a_key_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2 with the mend."""
    monkeypatch.delenv("FAULTSTREAM_SIGNING_KEY", raising=False)
    code, _, said = run("orders")
    assert code == 2
    assert "commands are signed, and there is no key" in said
