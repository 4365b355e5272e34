"""Celery's tasks: what fails in them is reported with the task, in threads and forked workers."""

import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker

from faultstream.client import Reporter, context
from faultstream.client.tasks import CeleryTasks, Tasks, celery
from tests.client import topics
from tests.client.waiting import reporter_without_kafka, waiting

F = TypeVar("F", bound=Callable[..., None])
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def reporter() -> Iterator[Reporter]:
    """A reporter whose events wait."""
    with reporter_without_kafka() as made:
        yield made


@pytest.fixture
def hooks(reporter: Reporter) -> Iterator[CeleryTasks]:
    """Connected for the length of a test."""
    made = celery(reporter)
    yield made
    made.disconnect()


@pytest.fixture
def app(reporter: Reporter) -> Celery:
    """Tasks that fail, over a broker in memory."""
    app = Celery("shop", broker="memory://", backend="cache+memory://")
    app.conf.broker_transport_options = {"polling_interval": 0.01}
    app.conf.worker_hijack_root_logger = False
    app.conf.broker_connection_retry_on_startup = True

    def task(**options: Any) -> Callable[[F], F]:
        made: Callable[[F], F] = app.task(shared=False, **options)
        return made

    @task(name="shop.charge")
    def charge(order: int) -> None:
        raise ConnectionError(f"order {order} refused")

    @task(name="shop.flaky", bind=True, max_retries=1)
    def flaky(self: Any) -> None:
        raise self.retry(exc=TimeoutError("slow"), countdown=0)

    @task(name="shop.notice")
    def notice() -> None:
        reporter.report("Noticed")

    assert all((charge, flaky, notice))
    return app


def run(app: Celery, name: str, *args: object) -> str:
    """Run a task in a worker to its end; its id."""
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        with context(traceparent=f"00-{TRACE}-b7ad6b7169203331-01"):
            result = app.send_task(name, args)
        result.get(propagate=False, timeout=30, interval=0.01)
    return str(result.id)


def test_a_failed_task_is_an_event_with_its_task(
    reporter: Reporter, hooks: CeleryTasks, app: Celery
) -> None:
    """Id, name and root of the task, the trace of who asked; not reported again by its log."""
    handler = reporter.logging_handler()
    logging.getLogger().addHandler(handler)
    try:
        task_id = run(app, "shop.charge", 7)
    finally:
        logging.getLogger().removeHandler(handler)
    [event] = waiting(reporter)
    assert (event.error_type, event.message) == ("ConnectionError", "order 7 refused")
    assert (event.operation, event.request_id, event.correlation_id) == (
        "shop.charge", task_id, task_id,
    )  # fmt: skip
    assert (event.trace_id, event.handled, event.tags) == (TRACE, False, {"task": "failed"})
    assert event.frames[-1].function.endswith("charge")


def test_retries_are_told_apart_from_failures(
    reporter: Reporter, hooks: CeleryTasks, app: Celery
) -> None:
    """Each attempt that is tried again is handled; the last one is not. Counts of retries fit."""
    run(app, "shop.flaky")
    seen = [(e.tags["task"], e.handled, e.retry_count, e.max_retries) for e in waiting(reporter)]
    assert seen == [("retried", True, 0, 1), ("failed", False, 1, 1)]


def test_what_a_task_reports_belongs_to_it(
    reporter: Reporter, hooks: CeleryTasks, app: Celery
) -> None:
    """And nothing of it is left after the task."""
    task_id = run(app, "shop.notice")
    [event] = waiting(reporter)
    assert (event.request_id, event.operation, event.trace_id) == (task_id, "shop.notice", TRACE)
    reporter.report("Later")
    assert waiting(reporter)[-1].request_id == ""


def test_other_queues_call_the_same_hooks(reporter: Reporter) -> None:
    """Ending twice or what never began does no harm; what is no error is not reported."""
    tasks = Tasks(reporter)
    tasks.end("never")
    tasks.begin("t1", "resize", retry_count=2)
    error = ValueError("no picture")
    tasks.failed(error)
    tasks.failed(error)
    tasks.retried(KeyboardInterrupt())
    tasks.end("t1")
    tasks.end("t1")
    [event] = waiting(reporter)
    assert (event.request_id, event.operation, event.retry_count) == ("t1", "resize", 2)


WORKER = """
    import sys
    from celery import Celery
    from faultstream.client import Reporter
    from faultstream.client.tasks import celery

    app = Celery("shop", broker=f"filesystem://", backend="cache+memory://")
    app.conf.broker_transport_options = {
        "polling_interval": 0.05,
        "data_folder_in": sys.argv[1], "data_folder_out": sys.argv[1], "control_folder": sys.argv[1]
    }
    app.conf.broker_connection_retry_on_startup = True
    celery(Reporter("orders", brokers=sys.argv[2], topic=sys.argv[3]))

    @app.task(name="shop.charge")
    def charge():
        raise ConnectionError("refused")

    @app.task(name="shop.stop")
    def stop():
        app.control.shutdown()

    charge.delay()
    stop.delay()
    app.worker_main(["worker", "--pool=prefork", "--concurrency=1", "--without-gossip",
                     "--without-mingle", "--without-heartbeat", "--loglevel=ERROR"])
"""


def test_forked_workers_deliver_before_they_end(
    embedded_broker: str, prefix: str, tmp_path: Path
) -> None:
    """What fails in a prefork worker is in Kafka once the worker is gone."""
    topics.create(embedded_broker, prefix)
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(WORKER), "utf-8")
    folder = tmp_path / "queue"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, str(script), str(folder), embedded_broker, prefix],
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, "C_FORCE_ROOT": "1"},
    )
    [event] = topics.events(embedded_broker, prefix, 1)
    assert (event["error_type"], event["operation"]) == ("ConnectionError", "shop.charge"), done
