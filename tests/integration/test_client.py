"""The client against a whole pipeline: exact counts under sampling, experiments, client-state."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultstream.client import CircuitBreaker, Executor, Reporter, steer
from faultstream.client.injection import Injector
from tests.integration.running import KEY, Pipeline
from tests.until import until

EXPERIMENT = """
name: payments refuse
service: payments
inject: {target: db, error: ConnectionError, duration_s: 60}
expect: {detected_within_s: 30, recovered_within_s: 60, strategies: [circuit_break]}
"""
TOPOLOGY = """
  - {name: payments, services: [payments], strategies: [circuit_break]}
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


def test_an_experiment_is_found_cured_and_graded(pipeline: Pipeline, tmp_path: Path) -> None:
    """Injected by command, detected, cured by the breaker, verified; nobody is paged for it."""
    reporter = Reporter("payments", brokers=pipeline.brokers, fold_ms=100)
    executor = Executor(
        "payments", keys={"k1": KEY}, brokers=pipeline.brokers, instance="payments-1"
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
    plan, report = tmp_path / "plan.yaml", tmp_path / "report.json"
    plan.write_text(EXPERIMENT, "utf-8")
    with reporter, executor:
        until(lambda: executor.stats().ready, "the executor reads commands")
        worker.start()
        try:
            done = faultstream(pipeline, "experiment", "run", str(plan), "--json", str(report))
            state = faultstream(
                pipeline, "client-state", "payments", "--instance", "payments-1", "--wait", "20s",
                "--json",
            )  # fmt: skip
        finally:
            over.set()
            worker.join()
    assert done.returncode == 0, (done.stdout, done.stderr, pipeline.output()[-3_000:])
    graded = json.loads(report.read_text("utf-8"))
    assert graded["passed"] is True
    assert graded["injected"] == ["payments-1"]
    assert set(graded["strategies"]) == {"circuit_break"}
    assert [check["passed"] for check in graded["checks"]] == [True] * 4
    told = {one["kind"]: one for one in json.loads(state.stdout)["in_force"] if one["name"] == "db"}
    assert told["breaker"]["state"] == "open"
    experiment = graded["experiment_id"]
    rows = "SELECT count() FROM errors WHERE service = 'payments' AND experiment_id {} '{}'"
    until(lambda: int(pipeline.value(rows.format("=", experiment)) or 0) > 0, "errors are stored")
    assert int(pipeline.value(rows.format("!=", experiment))) == 0


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
