"""What importing the client costs, and that a type checker understands its public API."""

import subprocess
import sys
import textwrap
from pathlib import Path

import faultstream.client

HEAVY = {"faust", "clickhouse_connect", "chdb", "yaml", "click", "rich", "structlog", "aiohttp",
         "aiokafka", "hypothesis"}  # fmt: skip

USAGE = """
    import logging
    from collections.abc import Awaitable, Callable
    from faultstream.client import (
        CircuitBreaker, Degradation, Executor, Fallback, FaultError, Outcome, RecoveryCommand,
        InForce, Reporter, ResourcePool, Retry, Stats, Timeout, context, describe, in_force,
        metrics, operations, operations_from_file, resilient, steer, with_recovery,
    )
    from faultstream.client.tasks import CeleryTasks, Tasks, celery
    from faultstream.client.web import StatePage
    from faultstream.core.sampling import Sample
    from typing import assert_type
    from faultstream.client.injection import Injector
    from faultstream.client.web import AsgiMiddleware, DjangoMiddleware, WsgiMiddleware

    reporter = Reporter("orders", brokers="127.0.0.1:9092", layer="service")
    executor = Executor("orders", keys={"k1": b"0123456789abcdef"})

    @reporter.capture(operation="charge", tags={"shard": 7})
    def charge(amount: int) -> str:
        return str(amount)

    @resilient(retry=Retry(), breaker=CircuitBreaker("db"), timeout=Timeout(100))
    @reporter.capture()
    async def fetch(key: str, *, deep: bool = False) -> bytes:
        return key.encode()

    @executor.handles("circuit_break")
    def open_it(command: RecoveryCommand) -> Outcome | None:
        return Outcome("success", command.reason)

    @executor.handles("cache_clear")
    async def clear(command: RecoveryCommand) -> None:
        return None

    class StockError(FaultError):
        severity = "high"

    describe(KeyError, severity="low", read=lambda exc: {"tags": {"key": exc.args}})

    @operations({})["pay"]
    @Injector().point("pay")
    def pay(amount: int) -> str:
        return str(amount)

    paid: str = pay(1)
    pool: ResourcePool[bytearray] = ResourcePool(bytearray, size=2)
    steer(executor, pool=pool, fallback=Fallback(lambda: 0))

    def check() -> None:
        text: str = charge(1)
        call: Callable[[int], str] = charge
        event_id: str = reporter.report(ValueError(), http_status=500, severity="high")
        handler: logging.Handler = reporter.logging_handler()
        stats: Stats = reporter.stats()
        done: bool = reporter.flush(1)
        with reporter.install(), context(request_id="r"):
            reporter.report(StockError("none", retry_count=1))
        assert_type(in_force(), list[InForce])
        assert_type(metrics.text(), str)
        assert_type(reporter.sampling(), list[Sample])
        assert_type(operations_from_file("x.yaml")["pay"](charge)(1), str)
        assert_type(Fallback(lambda: 0)(charge)(amount=1), str)
        assert_type(celery(reporter), CeleryTasks)
        assert_type(StatePage("0123456789abcdef").wanted("/"), bool)
        Tasks(reporter).begin("t", "resize", retry_count=1)
        with with_recovery(reporter, lambda exc: None, swallow=True, operation="x") as attempt:
            assert_type(attempt.recovered, bool)
        with reporter.capture(swallow=True), pool.lease() as buffer:
            buffer.append(1)
        reveal_type(fetch)
"""

WRONG = """
    from faultstream.client import (
        Executor, Outcome, RecoveryCommand, Reporter, Retry, steer, with_recovery,
    )
    reporter = Reporter("orders")
    executor = Executor("orders")
    reporter.report(ValueError(), severity="terrible")
    reporter.report(ValueError(), colour="red")
    Outcome("done")

    @reporter.capture()
    def charge(amount: int) -> str:
        return str(amount)

    charge("one")
    with_recovery(reporter, colour="red")
    steer(executor, breaker=Retry())

    @executor.handles("fallback")
    def handle(command: int) -> None: ...
"""


def run(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def mypy(code: str, folder: Path) -> list[str]:
    """What mypy --strict says of a user's file, line by line."""
    file = folder / "usage.py"
    file.write_text(textwrap.dedent(code))
    root = Path(faultstream.client.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(file)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        cwd=folder,
        env={"MYPYPATH": str(root), "MYPY_CACHE_DIR": str(folder / "cache")},
    )
    assert not done.stderr
    return done.stdout.strip().splitlines()


def test_importing_the_client_loads_nothing_heavy() -> None:
    """Neither the pipeline's libraries nor aiokafka are loaded, and no thread is started."""
    code = (
        "import sys, threading, faultstream.client; print(threading.active_count(), *sys.modules)"
    )
    threads, *loaded = run(code).split()
    assert threads == "1"
    assert not HEAVY & {name.partition(".")[0] for name in loaded}
    assert {name for name in loaded if name.startswith("faultstream.")} == {
        name for name in loaded if name.startswith(("faultstream.client", "faultstream.core"))
    }


def test_every_public_name_is_there_whatever_is_imported_first() -> None:
    """Names are imported when they are used; none is hidden by a module of the same name."""
    code = """
        import importlib, pkgutil, types, faultstream.client as client
        assert set(client.__all__) <= set(dir(client))
        for name in client.__all__:
            assert isinstance(getattr(client, name), types.ModuleType) == (name == "backoff"), name
        modules = {module.name for module in pkgutil.iter_modules(client.__path__)}
        assert modules & set(client.__all__) == {"backoff", "progress"}
        try:
            client.nothing
        except AttributeError as exc:
            print(exc)
    """
    said = run(textwrap.dedent(code))
    assert said == "module 'faultstream.client' has no attribute 'nothing'\n"


def test_making_parts_starts_nothing() -> None:
    """Threads come with the first error and with start, not before."""
    code = (
        "import threading\n"
        "from faultstream.client import Reporter, Executor\n"
        "Reporter('orders').logging_handler(); Executor('orders', keys={'k': b'0' * 16})\n"
        "print(threading.active_count())"
    )
    assert run(code) == "1\n"


def test_the_public_api_is_typed(tmp_path: Path) -> None:
    """Decorators keep signatures, and everyday use passes mypy --strict."""
    *notes, last = mypy(USAGE, tmp_path)
    assert last == "Success: no issues found in 1 source file"
    revealed = notes[0].replace("builtins.", "")
    assert "def (key: str, *, deep: bool =) -> typing.Coroutine[Any, Any, bytes]" in revealed


def test_wrong_use_is_found_by_a_type_checker(tmp_path: Path) -> None:
    """Unknown details, severities, statuses, arguments and handlers are errors."""
    found = mypy(WRONG, tmp_path)
    assert found[-1].startswith("Found 7 errors"), found
    assert [line.split(":")[1] for line in found[:-1] if ": error:" in line] == [
        "7", "8", "9", "15", "16", "17", "19"
    ]  # fmt: skip
