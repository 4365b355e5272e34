"""What the client costs its application, beside libraries that do the same, in one run.

    python benchmarks/client.py [--rounds 7]

Rounds of all contestants alternate, so that whatever else the machine does hits all of them; the
median of the rounds is shown, and the ratio to ours. CPU time of the calling thread, not wall time.
Peers that are not installed are left out with a line that says so:
`pip install sentry-sdk pybreaker tenacity stamina aiobreaker`.
"""

import argparse
import datetime as dt
import importlib
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any

from faultstream.client import CircuitBreaker, Reporter, Retry, backoff, context

Run = Callable[[int], None]


class AbsentError(Exception):
    """A peer is not installed."""


def load(name: str) -> Any:
    """A peer's module."""
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise AbsentError(name) from exc


def failing(depth: int, number: int) -> None:
    """Raise an error with `depth` frames and a message that differs by letters, not by digits."""
    if depth:
        failing(depth - 1, number)
    raise ConnectionError("refused " + "".join(chr(97 + int(d)) for d in str(number)))


def errors(many: int) -> list[ConnectionError]:
    """Exceptions with tracebacks of twelve frames."""
    found = []
    for number in range(many):
        try:
            failing(10, number)
        except ConnectionError as exc:
            found.append(exc)
    return found


ERRORS = errors(400)


def report(*, folded: bool) -> Run:
    """report() with the thread at work and no Kafka there, so that only the caller is measured."""
    reporter = Reporter("bench", brokers="127.0.0.1:1", max_records=10**6, max_bytes=10**9)

    def run(many: int) -> None:
        for number in range(many):
            reporter.report(ERRORS[0 if folded else number % len(ERRORS)])

    return run


def report_fresh() -> Run:
    """Every error is a new one: nothing is folded."""
    reporter = Reporter(
        "bench", brokers="127.0.0.1:1", max_records=10**6, max_bytes=10**9, fold_ms=0
    )

    def run(many: int) -> None:
        for number in range(many):
            reporter.report(ERRORS[number % len(ERRORS)])

    return run


def sentry() -> Run:
    """capture_exception with a transport that throws the event away; no locals, as with ours."""
    sdk = load("sentry_sdk")

    class Nowhere(sdk.transport.Transport):  # type: ignore[name-defined,misc]
        def capture_envelope(self, envelope: Any) -> None:
            """Drop it."""

    sdk.init(
        dsn="http://key@127.0.0.1:1/1",
        transport=Nowhere(),
        include_local_variables=False,
        include_source_context=False,
        integrations=[],
        default_integrations=False,
        auto_enabling_integrations=False,
    )

    def run(many: int) -> None:
        for number in range(many):
            sdk.capture_exception(ERRORS[number % len(ERRORS)])

    return run


def nothing() -> int:
    """The protected function."""
    return 1


def calls(function: Callable[[], int]) -> Run:
    """Call it again and again."""

    def run(many: int) -> None:
        for _ in range(many):
            function()

    return run


def breaker() -> Run:
    """A closed breaker around a function that works."""
    return calls(CircuitBreaker("bench")(nothing))


def rejecting(function: Callable[[], int], error: type[Exception]) -> Run:
    """Call what is refused."""

    def run(many: int) -> None:
        for _ in range(many):
            try:
                function()
            except error:
                continue

    return run


def breaker_open() -> Run:
    """An open breaker."""
    opened = CircuitBreaker("bench")
    opened.force_open()
    return rejecting(opened(nothing), RuntimeError)


def pybreaker() -> Run:
    """pybreaker, closed."""
    return calls(load("pybreaker").CircuitBreaker()(nothing))


def pybreaker_open() -> Run:
    """pybreaker, open."""
    module = load("pybreaker")
    opened = module.CircuitBreaker(reset_timeout=10**6)
    opened.open()
    return rejecting(opened(nothing), module.CircuitBreakerError)


def aiobreaker() -> Run:
    """aiobreaker, closed; its synchronous way, as all here."""
    return calls(load("aiobreaker").CircuitBreaker()(nothing))


def aiobreaker_open() -> Run:
    """aiobreaker, open."""
    module = load("aiobreaker")
    opened = module.CircuitBreaker(timeout_duration=dt.timedelta(days=1))
    opened.open()
    return rejecting(opened(nothing), module.CircuitBreakerError)


def coroutine(breaker: Any) -> Run:
    """A coroutine function through a breaker, awaited without an event loop: it never waits."""

    async def done() -> int:
        return 1

    protected = breaker(done)

    def run(many: int) -> None:
        for _ in range(many):
            try:
                protected().send(None)
            except StopIteration:
                continue

    return run


def entered(make: Callable[[], Any]) -> Run:
    """The same by a with statement."""

    def run(many: int) -> None:
        for _ in range(many):
            with make():
                nothing()

    return run


def request() -> Run:
    """What a request that goes well pays: context, capture and a breaker around it."""
    reporter = Reporter("bench", brokers="127.0.0.1:1")
    protected = CircuitBreaker("bench")(nothing)

    def run(many: int) -> None:
        for _ in range(many):
            with context(request_id="r"), reporter.capture():
                protected()

    return run


def retry() -> Run:
    """A retry around a function that works at once."""
    return calls(Retry(max_attempts=3, backoff=backoff.fixed(0))(nothing))


def tenacity() -> Run:
    """tenacity, the same."""
    module = load("tenacity")
    return calls(module.retry(stop=module.stop_after_attempt(3))(nothing))


def stamina() -> Run:
    """stamina, the same."""
    return calls(load("stamina").retry(on=OSError, attempts=3)(nothing))


JOBS: dict[str, list[tuple[str, int, Callable[[], Run]]]] = {
    "error report, in the caller": [
        ("faultstream, every error new", 2_000, report_fresh),
        ("faultstream, a flood of one", 5_000, lambda: report(folded=True)),
        ("sentry-sdk", 300, sentry),
    ],
    "breaker decision, closed": [
        ("faultstream", 20_000, breaker),
        ("pybreaker", 20_000, pybreaker),
        ("aiobreaker", 5_000, aiobreaker),
    ],
    "breaker decision, closed, coroutine function": [
        ("faultstream", 20_000, lambda: coroutine(CircuitBreaker("bench"))),
        ("aiobreaker", 5_000, lambda: coroutine(load("aiobreaker").CircuitBreaker())),
    ],
    "breaker decision, closed, with statement": [
        ("faultstream", 20_000, lambda: entered(CircuitBreaker("bench").guard)),
        ("pybreaker", 10_000, lambda: entered(load("pybreaker").CircuitBreaker().calling)),
    ],
    "breaker decision, open": [
        ("faultstream", 20_000, breaker_open),
        ("pybreaker", 20_000, pybreaker_open),
        ("aiobreaker", 5_000, aiobreaker_open),
    ],
    "a request that goes well": [("faultstream: context, capture, breaker", 20_000, request)],
    "retry that is not needed": [
        ("faultstream", 20_000, retry),
        ("tenacity", 5_000, tenacity),
        ("stamina", 5_000, stamina),
    ],
}


def ready(contestants: Iterable[tuple[str, int, Callable[[], Run]]]) -> list[tuple[str, int, Run]]:
    """Those that are installed."""
    found = []
    for name, many, make in contestants:
        try:
            found.append((name, many, make()))
        except AbsentError as exc:
            print(f"  {name}: {exc} is not installed, left out")
    return found


def measure(rounds: int, many: int, runs: list[tuple[str, int, Run]]) -> dict[str, list[float]]:
    """Microseconds of CPU of this thread per call, by round."""
    del many
    figures: dict[str, list[float]] = {name: [] for name, _, _ in runs}
    for _ in range(rounds + 1):
        for name, often, run in runs:
            began = time.thread_time_ns()
            run(often)
            figures[name].append((time.thread_time_ns() - began) / often / 1_000)
    return {name: values[1:] for name, values in figures.items()}


IMPORTS = (
    "pass",
    "import asyncio",
    "import faultstream.client",
    "from faultstream.client import Reporter",
    "from faultstream.client import *",
    "import sentry_sdk",
)


def imports(rounds: int) -> None:
    """Milliseconds that an import adds to a bare interpreter, from compiled bytecode."""
    print("import, ms of CPU above a bare interpreter")
    with tempfile.TemporaryDirectory() as folder:
        figures = import_times(rounds, {"PYTHONPYCACHEPREFIX": folder})
    bare = statistics.median(figures.pop("pass")[1:])
    for name, values in figures.items():
        print(f"  {name:40} {statistics.median(values[1:]) - bare:8.1f}")


def import_times(rounds: int, env: dict[str, str]) -> dict[str, list[float]]:
    """User and system CPU of interpreters that import one thing; the first round compiles."""
    figures: dict[str, list[float]] = {}
    code = "import resource\n{}\nu = resource.getrusage(0); print(u.ru_utime + u.ru_stime)"
    for _ in range(rounds + 1):
        for name in IMPORTS:
            done = subprocess.run(
                [sys.executable, "-c", code.format(name)],
                capture_output=True,
                text=True,
                check=False,
                env=env,
            )
            if done.returncode == 0:
                figures.setdefault(name, []).append(float(done.stdout) * 1_000)
    return figures


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    logging.disable()
    imports(rounds)
    for job, contestants in JOBS.items():
        print(f"{job}, microseconds")
        figures = measure(rounds, 0, ready(contestants))
        ours = statistics.median(next(iter(figures.values())))
        for name, values in figures.items():
            middle = statistics.median(values)
            spread = f"{min(values):.2f} to {max(values):.2f}"
            print(f"  {name:40} {middle:8.2f}  x {middle / ours:5.1f}  ({spread})")


if __name__ == "__main__":
    main()
