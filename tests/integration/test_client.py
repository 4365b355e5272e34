"""The client against a whole pipeline: exact counts under sampling, experiments, client-state."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faultstream.client import CircuitBreaker, Executor, Reporter, steer
from faultstream.client.injection import Injector
from tests.integration.running import KEY, Pipeline
from tests.until import until

EXPERIMENT = """
name: payments refuse
service: {service}
inject: {{target: db, error: ConnectionError, duration_s: 60}}
expect: {{detected_within_s: 30, recovered_within_s: 60, {expect}}}
"""
TOPOLOGY = """
  - {name: payments, services: [payments, refunds], strategies: [circuit_break]}
"""
OFF = "  inject:\n    enabled: false\n"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """One for all, with a route for the experiment, and faults allowed."""
    folder = tmp_path_factory.mktemp("pipeline")
    file = folder / "topology.yaml"
    text = (Path(__file__).parents[2] / "topology.yaml").read_text("utf-8")
    text = text.replace("\nroutes:\n", f"\nroutes:{TOPOLOGY}", 1)
    file.write_text(text.replace(OFF, OFF.replace("false", "true"), 1), "utf-8")
    before = os.environ.get("FAULTSTREAM_TOPOLOGY")
    os.environ["FAULTSTREAM_TOPOLOGY"] = str(file)
    try:
        with Pipeline(folder) as running:
            yield running
    finally:
        if before is None:
            del os.environ["FAULTSTREAM_TOPOLOGY"]
        else:
            os.environ["FAULTSTREAM_TOPOLOGY"] = before


def faultstream(pipeline: Pipeline, *args: str) -> subprocess.CompletedProcess[str]:
    """A command of the CLI."""
    env = {**os.environ, "FAULTSTREAM_SIGNING_KEY": KEY.decode()}
    return subprocess.run(
        [sys.executable, "-m", "faultstream", *args, "--brokers", pipeline.brokers],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env=env,
    )


def test_counts_stay_exact_while_errors_are_sampled(pipeline: Pipeline) -> None:
    """Far fewer rows than errors in ClickHouse, and their counts are all of them."""
    done = faultstream(pipeline, "sample", "0.01", "--service", "till", "--type", "Flood")
    assert done.returncode == 0, done.stderr
    with Reporter("till", brokers=pipeline.brokers, fold_ms=0) as reporter:
        reporter.report("Begin")
        until(reporter.sampling, "the rule is in force")
        for number in range(1_000):
            reporter.report("Flood", f"number {number}")
    query = "SELECT {} FROM errors WHERE service = 'till' AND error_type = 'Flood'"
    until(
        lambda: int(pipeline.value(query.format("sum(count)")) or 0) >= 1_000,
        "all errors are counted",
        timeout_s=60,
    )
    assert int(pipeline.value(query.format("sum(count)"))) == 1_000
    assert int(pipeline.value(query.format("count()"))) <= 12


@contextlib.contextmanager
def shop(pipeline: Pipeline, service: str) -> Iterator[CircuitBreaker]:
    """A service at work whose database may be made to refuse, behind a breaker that commands may
    open and that does nothing by itself."""
    reporter = Reporter(service, brokers=pipeline.brokers, fold_ms=100)
    executor = Executor(
        service, keys={"k1": KEY}, brokers=pipeline.brokers, instance=f"{service}-1"
    )
    breaker = CircuitBreaker("db", minimum_calls=10_000, window_size=10_000)
    injector = Injector(enabled=True)
    injector.obey(executor)
    steer(executor, breaker=breaker)

    @breaker
    @injector.point("db")
    def charge() -> None:
        """Works, but for the experiment."""

    over = threading.Event()

    def work() -> None:
        while not over.wait(0.02):
            try:
                with contextlib.suppress(RuntimeError):  # the breaker is open
                    charge()
            except ConnectionError as exc:
                reporter.report(exc, operation="charge")

    worker = threading.Thread(target=work)
    with reporter, executor:
        until(lambda: executor.stats().ready, "the executor reads commands")
        worker.start()
        try:
            yield breaker
        finally:
            over.set()
            worker.join()


def graded(
    pipeline: Pipeline, folder: Path, service: str, expect: str, *, code: int
) -> dict[str, Any]:
    """The report of an experiment that ends with this exit code."""
    plan, report = folder / "plan.yaml", folder / "report.json"
    plan.write_text(EXPERIMENT.format(service=service, expect=expect), "utf-8")
    done = faultstream(pipeline, "experiment", "run", str(plan), "--json", str(report))
    assert done.returncode == code, (done.stdout, done.stderr, pipeline.output()[-3_000:])
    found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    assert found["passed"] is (code == 0)
    assert found["injected"] == [f"{service}-1"]
    return found


def test_an_experiment_is_found_cured_and_graded(pipeline: Pipeline, tmp_path: Path) -> None:
    """Injected by command, detected, cured by the breaker, and that is verified, with the times;
    no other command came of it, nothing of it is real, and it is over when the command ends."""
    with shop(pipeline, "payments") as breaker:
        found = graded(pipeline, tmp_path, "payments", "strategies: [circuit_break]", code=0)
        assert breaker.state.value == "open"
        state = faultstream(
            pipeline, "client-state", "payments", "--instance", "payments-1", "--wait", "20s",
            "--json",
        )  # fmt: skip
    checks = {check["name"]: check for check in found["checks"]}
    assert {name: check["passed"] for name, check in checks.items()} == {
        "detected": True,
        "right strategy": True,
        "verified recovery": True,
        "no wrong commands": True,
    }
    assert 0 <= checks["detected"]["seconds"] <= checks["verified recovery"]["seconds"] <= 60
    assert (set(found["strategies"]), found["wrong"]) == ({"circuit_break"}, [])
    told = {one["kind"]: one for one in json.loads(state.stdout)["in_force"] if one["name"] == "db"}
    assert told["breaker"]["state"] == "open"
    experiment = found["experiment_id"]
    rows = "SELECT count() FROM {} service = 'payments' AND experiment_id {} '{}'"
    ours = "commands WHERE strategy != 'client_state' AND"  # which the test itself asked
    for table in ("errors WHERE", "patterns WHERE", ours):
        asked = rows.format(table, "=", experiment)
        until(lambda: int(pipeline.value(asked) or 0) > 0, f"{table}: stored")  # noqa: B023
        assert int(pipeline.value(rows.format(table, "!=", experiment))) == 0
    last = (
        "SELECT argMax(state, revision) FROM incidents"
        f" WHERE experiment_id = '{experiment}' GROUP BY incident_id"
    )
    until(
        lambda: {next(iter(row.values())) for row in pipeline.sql(last)} == {"resolved"},
        "its incidents are stored as resolved",
    )


def test_an_experiment_fails_over_a_wrong_command(pipeline: Pipeline, tmp_path: Path) -> None:
    """The cure is verified as well, but it is one that was forbidden."""
    with shop(pipeline, "refunds"):
        found = graded(pipeline, tmp_path, "refunds", "forbidden: [circuit_break]", code=1)
    checks = {check["name"]: check["passed"] for check in found["checks"]}
    assert checks == {
        "detected": True,
        "right strategy": False,
        "verified recovery": True,
        "no wrong commands": False,
    }
    assert set(found["wrong"]) == {"circuit_break: forbidden"}


def test_an_experiment_that_nobody_injects_fails(pipeline: Pipeline, tmp_path: Path) -> None:
    """Exit code 1 with the reason; a file that is none is exit code 2."""
    plan = tmp_path / "plan.yaml"
    plan.write_text("name: x\nservice: nobody\ninject: {target: db, latency_ms: 5}\n", "utf-8")
    done = faultstream(pipeline, "experiment", "run", str(plan))
    assert done.returncode == 1
    assert "nothing was injected into nobody: no executor answered within 5 s" in done.stderr
    plan.write_text("name: x\nservice: nobody\ninject: {target: db, probability: 2}\n", "utf-8")
    done = faultstream(pipeline, "experiment", "run", str(plan))
    assert done.returncode == 2
    assert "plan.yaml:3: inject.probability: wrong value" in done.stderr
