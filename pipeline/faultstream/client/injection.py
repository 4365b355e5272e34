"""Fault injection: errors, delays and half results on purpose, to see whether recovery works.

Off unless switched on: `Injector(enabled=True)`, or FAULTSTREAM_INJECT=1 for `inject` and `point`.
While off nothing ever strikes and commands are not attempted. Every injected error carries its
experiment's id, as does whatever is raised because of it (`raise ... from`), so that the pipeline
keeps experiments apart from real errors and never pages anyone for them.

An error that is not chained to the injected one (a rejection by a breaker that injected errors
opened) carries no id.
"""

import os
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, ParamSpec, Protocol, Self, TypeVar

from faultstream.client import forks
from faultstream.client.about import label
from faultstream.client.executor import Executor
from faultstream.client.held import Clock
from faultstream.client.point import Point
from faultstream.client.uuid7 import uuid7
from faultstream.client.wrap import wrap

P = ParamSpec("P")
R = TypeVar("R")

MAX_DURATION_S: Final = 3_600.0
MAX_LATENCY_MS: Final = 600_000
MAX_INJECTIONS: Final = 100
MAX_POINTS: Final = 1_000
"""Names of points that are told apart."""
_BUILTIN: Final = (
    ConnectionError, ConnectionRefusedError, ConnectionResetError, TimeoutError, OSError,
    MemoryError, RuntimeError, ValueError, KeyError, PermissionError,
)  # fmt: skip

Fault = type[Exception] | Callable[[], Exception]


class Chance(Protocol):
    """random.Random, for one."""

    def random(self) -> float:
        """Evenly in 0 (included) to 1."""


class Injection(AbstractContextManager["Injection"]):
    """One fault in one place. A context manager, and a decorator that makes the place as well.

    As a context it is in force inside the block, as a decorator from the decoration on; in both
    cases for at most its duration.
    """

    def __init__(
        self,
        injector: "Injector",
        target: str,
        error: Fault | None,
        *,
        probability: float,
        duration_s: float,
        latency_ms: int,
        lose_ratio: float,
        experiment_id: str,
    ) -> None:
        self.target = target
        self.error = error
        self.probability = probability
        self.duration_s = duration_s
        self.latency_ms = latency_ms
        self.lose_ratio = lose_ratio
        self.experiment_id = experiment_id
        self.until = 0.0
        self.struck = 0
        """Calls that it changed."""
        self._injector = injector

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or coroutine function."""
        self._injector.begin(self)
        return self._injector.point(self.target)(function)

    def __enter__(self) -> Self:
        self._injector.begin(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._injector.end(self)

    def made(self) -> Exception | None:
        """The error to raise, labelled."""
        if self.error is None:
            return None
        exc: Exception
        if isinstance(self.error, type):
            exc = self.error(f"injected into {self.target}")
        else:
            exc = self.error()
        label(exc, self.experiment_id)
        return exc


class Injector:
    """The injections of a process. `chance` and `clock` make a run repeatable. Thread-safe."""

    def __init__(
        self,
        *,
        enabled: bool | None = None,
        errors: Mapping[str, Fault] | None = None,
        chance: Chance | None = None,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        asleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        """`enabled` None asks FAULTSTREAM_INJECT each time. `errors` are those that commands may
        name, besides some of Python's own."""
        self._enabled = enabled
        self._errors: dict[str, Fault] = {kind.__name__: kind for kind in _BUILTIN}
        self._errors.update(errors or {})
        self._chance = chance
        self._clock = clock
        self.after_fork()
        forks.watch(self)
        self._running: tuple[Injection, ...] = ()
        self._points: set[str] = set()
        self.sleep = sleep
        self._asleep = asleep

    def after_fork(self) -> None:
        """A lock of its own; faults that are in force stay."""
        self._lock = threading.Lock()

    @property
    def enabled(self) -> bool:
        """Whether anything may strike."""
        if self._enabled is not None:
            return self._enabled
        return os.environ.get("FAULTSTREAM_INJECT") == "1"

    def inject(
        self,
        target: str,
        error: Fault | None = None,
        *,
        probability: float = 1.0,
        duration_s: float = 60.0,
        latency_ms: int = 0,
        lose_ratio: float = 0.0,
        experiment_id: str = "",
    ) -> Injection:
        """A fault for the calls of `target`; begins as a context or a decorator.

        With `probability` a call is delayed by `latency_ms`, then raises `error`, or, without one,
        loses about `lose_ratio` of the items of the list, tuple, set or dict that it returns. The
        experiment's id is made when it is not given.

        Raises:
            ValueError: out of bounds, or nothing to inject.
        """
        for name, ratio in (("probability", probability), ("lose_ratio", lose_ratio)):
            if not 0 <= ratio <= 1:
                raise ValueError(f"{name}: expected 0 to 1, got {ratio}")
        if not 0 < duration_s <= MAX_DURATION_S:
            raise ValueError(f"duration_s: above 0, at most {MAX_DURATION_S:g}, got {duration_s}")
        if not 0 <= latency_ms <= MAX_LATENCY_MS:
            raise ValueError(f"latency_ms: expected 0 to {MAX_LATENCY_MS}, got {latency_ms}")
        if error is None and not latency_ms and not lose_ratio:
            raise ValueError("nothing to inject: give error, latency_ms or lose_ratio")
        return Injection(
            self,
            target,
            error,
            probability=probability,
            duration_s=duration_s,
            latency_ms=latency_ms,
            lose_ratio=lose_ratio,
            experiment_id=experiment_id or uuid7(),
        )

    def point(self, target: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """A decorator: calls of the function are what injections into `target` strike."""
        if len(self._points) < MAX_POINTS:
            self._points.add(target)
        primitive = Point(self, target)
        return lambda function: wrap(primitive, function)

    def begin(self, injection: Injection) -> None:
        """It is in force from now on; nothing happens while injection is off.

        Raises:
            ValueError: too many are in force already.
        """
        if not self.enabled:
            return
        with self._lock:
            now = self._clock()
            running = [one for one in self._running if one.until > now and one is not injection]
            if len(running) >= MAX_INJECTIONS:
                raise ValueError(f"at most {MAX_INJECTIONS} injections at a time")
            injection.until = now + injection.duration_s
            self._running = (*running, injection)

    def end(self, injection: Injection) -> None:
        """It is over."""
        with self._lock:
            self._running = tuple(one for one in self._running if one is not injection)

    def end_all(self, experiment_id: str = "") -> int:
        """End those of an experiment, or all; how many."""
        with self._lock:
            kept = tuple(
                one for one in self._running if experiment_id and one.experiment_id != experiment_id
            )
            gone = len(self._running) - len(kept)
            self._running = kept
        return gone

    def striking(self, target: str) -> list[Injection]:
        """The injections that hit this call."""
        running = self._running
        if not running or not self.enabled:
            return []
        now = self._clock()
        found = []
        for one in running:
            if one.target == target and one.until > now and self._random() < one.probability:
                one.struck += 1
                found.append(one)
        return found

    def lessened(self, result: Any, striking: list[Injection]) -> Any:
        """The result without what the injections lose."""
        for one in striking:
            if not one.lose_ratio:
                continue
            if isinstance(result, dict):
                result = {k: v for k, v in result.items() if self._random() >= one.lose_ratio}
            elif type(result) in {list, tuple, set, frozenset}:
                result = type(result)(v for v in result if self._random() >= one.lose_ratio)
        return result

    async def asleep(self, seconds: float) -> None:
        """Wait without blocking the event loop."""
        if self._asleep is not None:
            await self._asleep(seconds)
            return
        import asyncio  # noqa: PLC0415 - half of the import time

        await asyncio.sleep(seconds)

    def obey(self, executor: Executor) -> None:
        """Carry out commands of the strategy `inject`, before the executor's start.

        Parameters: target, error (a name), probability, duration_s, latency_ms, lose_ratio. It
        lasts until duration_s or the command's expiry, whichever comes first. A command
        without an experiment, or for a target of which this injector has no `point`, is not
        attempted; one with `rollback_of` ends its experiment.
        """

        from faultstream.client.faults import obey  # noqa: PLC0415 - it needs this module

        obey(self, executor)

    def points(self) -> list[str]:
        """The targets that injections may strike, by name; at most MAX_POINTS."""
        return sorted(self._points)

    def named(self, name: str | None) -> Fault | None:
        """The error that a command names.

        Raises:
            ValueError: there is none of that name.
        """
        if name is not None and name not in self._errors:
            raise ValueError(f"error: expected one of {', '.join(self._errors)}, got {name!r}")
        return None if name is None else self._errors[name]

    def _random(self) -> float:
        if self._chance is None:
            import random  # noqa: PLC0415 - import time

            self._chance = random.Random()  # noqa: S311 - it may be guessed
        return self._chance.random()


default: Final = Injector()
"""The one of `inject` and `point`; on where FAULTSTREAM_INJECT=1."""
inject = default.inject
point = default.point
