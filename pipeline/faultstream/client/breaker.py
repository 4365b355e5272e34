"""CircuitBreaker: resilience4j's states, names and thresholds, for threads and tasks.

Differences from resilience4j, on purpose: a result counts only in the state in which its call
began; HALF_OPEN ends after `max_half_open_ms` by default instead of waiting for lost results for
ever; time passes lazily, at the next call, so there are no timers. Ratios are 0..1.

More than 300 lines because it is one state machine under one lock, and reads best in one piece.
"""

import enum
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Literal, NamedTuple, ParamSpec, TypeVar

from faultstream.client import roster
from faultstream.client.held import Clock
from faultstream.client.window import FAILED, SLOW, CountWindow, Snapshot, TimeWindow, Window
from faultstream.client.wrap import Decorator

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger("faultstream.client")

Exceptions = tuple[type[BaseException], ...] | Callable[[BaseException], bool]


class BreakerState(enum.Enum):
    """DISABLED and METRICS_ONLY let everything pass, FORCED_OPEN nothing; they last until ended."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    DISABLED = "disabled"
    METRICS_ONLY = "metrics_only"
    FORCED_OPEN = "forced_open"


class CallNotPermittedError(RuntimeError):
    """The breaker is open; `retry_after_ms` is when it may let a call through, 0 if unknown."""

    def __init__(self, name: str, state: BreakerState, retry_after_ms: int) -> None:
        super().__init__(name, state, retry_after_ms)
        self.name = name
        self.state = state
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        return f"circuit breaker {self.name or 'unnamed'} is {self.state.value}"


class BreakerMetrics(NamedTuple):
    """`not_permitted` counts since the breaker was made; the rest is the present window."""

    state: BreakerState
    calls: int
    failed: int
    slow: int
    failure_ratio: float
    slow_ratio: float
    not_permitted: int


class CircuitBreaker(Decorator):
    """Stops calling what keeps failing. Use as a decorator, by `guard()`, `call` or `acall`."""

    def __init__(
        self,
        name: str = "",
        *,
        failure_ratio: float = 0.5,
        slow_ratio: float = 1.0,
        slow_ms: float = 60_000,
        window: Literal["count", "time"] = "count",
        window_size: int = 100,
        minimum_calls: int = 100,
        open_ms: int = 60_000,
        open_backoff: float = 1.0,
        max_open_ms: int = 600_000,
        half_open_calls: int = 10,
        max_half_open_ms: int = 60_000,
        record: Exceptions = (Exception,),
        ignore: Exceptions = (),
        on_change: Callable[[BreakerState, BreakerState], None] | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        """Defaults are resilience4j's, but for `max_half_open_ms`.

        `window_size` is calls or seconds. The breaker opens when, of at least `minimum_calls` in
        the window, `failure_ratio` failed or `slow_ratio` took longer than `slow_ms`. It lets
        `half_open_calls` through after `open_ms` x `open_backoff` for each time in a row, at most
        `max_open_ms`. `ignore` goes before `record`: ignored exceptions count as nothing, others
        that are not recorded as success. `max_half_open_ms` 0 waits for ever.

        Raises:
            ValueError: a ratio outside of (0, 1], or a size below 1.
        """
        for label, ratio in (("failure_ratio", failure_ratio), ("slow_ratio", slow_ratio)):
            if not 0 < ratio <= 1:
                raise ValueError(f"{label}: expected more than 0 and at most 1, got {ratio}")
        if min(window_size, minimum_calls, half_open_calls) < 1:
            raise ValueError("window_size, minimum_calls and half_open_calls are at least 1")
        self.name = name
        self._failure_ratio = failure_ratio
        self._slow_ratio = slow_ratio
        self._slow_s = slow_ms / 1000
        self._time_based = window == "time"
        self._window_size = window_size
        self._usual = minimum_calls if window == "time" else min(minimum_calls, window_size)
        self._open_s = open_ms / 1000
        self._open_backoff = open_backoff
        self._max_open_s = max_open_ms / 1000
        self._half_open_calls = half_open_calls
        self._max_half_open_s = max_half_open_ms / 1000
        self._record = record
        self._ignore = ignore
        self._on_change = on_change
        self.clock = clock
        self._lock = threading.RLock()
        self._state = BreakerState.CLOSED
        self._period = 0
        self._window: Window = self._new_window()
        self._until = 0.0
        self._opened = 0
        self._permits = 0
        self._probes = half_open_calls
        self._not_permitted = 0
        self._strict: tuple[int, float] | None = None
        self._ordered_until = 0.0
        self._standby_until = 0.0
        roster.enrol(self)

    # One call

    def guard(self) -> "Guard":
        """A context manager, sync and async, for one call.

        Entering raises CallNotPermittedError; leaving records. The permit is given back on every
        way out, cancellation too.
        """
        return Guard(self)

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function.

        Raises:
            CallNotPermittedError: the breaker is open; nothing was called.
        """
        permit = self._period
        if self._state is not BreakerState.CLOSED:  # else nothing is asked: the usual case
            permit = self.acquire()
        began = self.clock()
        try:
            result = function(*args, **kwargs)
        except BaseException as exc:
            self.fail(permit, self.clock() - began, exc)
            raise
        now = self.clock()
        self._ended(permit, SLOW if now - began > self._slow_s else 0, now)
        return result

    async def acall(
        self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """`call` for a coroutine function."""
        permit = self._period
        if self._state is not BreakerState.CLOSED:  # else nothing is asked: the usual case
            permit = self.acquire()
        began = self.clock()
        try:
            result = await function(*args, **kwargs)
        except BaseException as exc:
            self.fail(permit, self.clock() - began, exc)
            raise
        now = self.clock()
        self._ended(permit, SLOW if now - began > self._slow_s else 0, now)
        return result

    def try_acquire(self) -> int | None:
        """A permit for one call, None when there is none.

        Hand it to `succeed`, `fail` or `release`, exactly once.
        """
        period = self._period
        if self._state is BreakerState.CLOSED:  # the usual case needs no lock: nothing is changed
            return period
        with self._lock:
            now = self.clock()
            self._pass_time(now)
            if self._state in {BreakerState.OPEN, BreakerState.FORCED_OPEN}:
                self._not_permitted += 1
                return None
            if self._state is BreakerState.HALF_OPEN:
                if self._permits <= 0:
                    self._not_permitted += 1
                    return None
                self._permits -= 1
            return self._period

    def acquire(self) -> int:
        """`try_acquire` that raises CallNotPermittedError."""
        permit = self.try_acquire()
        if permit is None:
            until = max(self._until, self._standby_until)
            left_s = until - self.clock() if until and self._state is BreakerState.OPEN else 0.0
            raise CallNotPermittedError(self.name, self._state, max(0, round(left_s * 1000)))
        return permit

    def succeed(self, permit: int, duration_s: float) -> None:
        """The call went well."""
        self._ended(permit, SLOW if duration_s > self._slow_s else 0, self.clock())

    def fail(self, permit: int, duration_s: float, exc: BaseException) -> None:
        """The call raised: recorded as failed, recorded as success, or ignored."""
        if not isinstance(exc, Exception) or _matches(exc, self._ignore):
            self.release(permit)
        elif _matches(exc, self._record):
            slow = SLOW if duration_s > self._slow_s else 0
            self._ended(permit, FAILED | slow, self.clock())
        else:
            self.succeed(permit, duration_s)

    def release(self, permit: int) -> None:
        """The call says nothing; its permit is free again."""
        with self._lock:
            if permit == self._period and self._state is BreakerState.HALF_OPEN:
                self._permits += 1

    def _ended(self, permit: int, outcome: int, now: float) -> None:
        with self._lock:
            if permit != self._period or self._state is BreakerState.DISABLED:
                return
            calls, failed, slow = self._window.record(outcome, now)
            state = self._state
            if self._strict is None and state is BreakerState.CLOSED:
                needed = self._usual
            else:
                needed = self._needed(state, now)
            if calls < needed or state is BreakerState.METRICS_ONLY:
                return
            if failed >= self._failure_ratio * calls or slow >= self._slow_ratio * calls:
                self._open(now)
            elif state is BreakerState.HALF_OPEN:
                self._change(BreakerState.CLOSED)

    # States

    @property
    def state(self) -> BreakerState:
        """The present state; time that has passed counts."""
        with self._lock:
            self._pass_time(self.clock(), look=True)
            return self._state

    def metrics(self) -> BreakerMetrics:
        """State and counts."""
        with self._lock:
            seen: Snapshot = self._window.snapshot(self.clock())
            ratios = (seen.failure_ratio, seen.slow_ratio)
            return BreakerMetrics(self.state, *seen, *ratios, self._not_permitted)

    def open_for(self, for_ms: int, *, probes: int | None = None) -> bool:
        """Open for that long, then HALF_OPEN with `probes` calls (the usual number if None).

        Only ever stricter: a breaker that stays open for longer does so, a FORCED_OPEN one too.
        False when it is DISABLED or METRICS_ONLY, which somebody chose and which stays.
        """
        with self._lock:
            now = self.clock()
            until = now + for_ms / 1000
            self._pass_time(now)
            if self._state in {BreakerState.DISABLED, BreakerState.METRICS_ONLY}:
                return False
            if self._state is BreakerState.FORCED_OPEN:
                return True
            if self._state is BreakerState.OPEN:
                until = max(until, self._until)
            else:
                self._opened += 1
                self._change(BreakerState.OPEN)
            self._until = until
            self._ordered_until = until
            if probes is not None:
                self._probes = max(1, min(probes, self._half_open_calls))
            return True

    def stand_by(self, for_ms: int) -> None:
        """Stay OPEN past the end of `open_for` until `grant`, or for that long at most from now.

        For fleets: others probe first.
        """
        with self._lock:
            if self._state is BreakerState.OPEN:
                self._standby_until = self.clock() + for_ms / 1000
                self._ordered_until = max(self._ordered_until, self._standby_until)

    def grant(self, probes: int) -> None:
        """End `stand_by`: this breaker may probe with so many calls once its time is over."""
        with self._lock:
            if self._state is BreakerState.OPEN and self._standby_until:
                self._standby_until = 0.0
                self._ordered_until = self._until
                self._probes = max(1, min(probes, self._half_open_calls))

    @property
    def period(self) -> int:
        """Grows with every change of the state."""
        return self._period

    @property
    def left_ms(self) -> int:
        """How long it stays OPEN at least, 0 in other states."""
        if self._state is not BreakerState.OPEN:
            return 0
        return max(0, round((self._until - self.clock()) * 1000))

    @property
    def held_ms(self) -> int:
        """How long a command still keeps it open, 0 when none does."""
        if self._state is not BreakerState.OPEN:
            return 0
        return max(0, round((self._ordered_until - self.clock()) * 1000))

    def tighten(self, failures: int, for_ms: int) -> None:
        """For that long `failures` calls are enough to judge by, if that is fewer than usual."""
        with self._lock:
            self._strict = (max(1, failures), self.clock() + for_ms / 1000)

    def close(self) -> None:
        """To CLOSED, with an empty window; ends what commands hold."""
        with self._lock:
            self._strict = None
            self._change(BreakerState.CLOSED)

    def half_open(self) -> None:
        """To HALF_OPEN now."""
        with self._lock:
            self._change(BreakerState.HALF_OPEN)

    def force_open(self) -> None:
        """To FORCED_OPEN, until another transition is asked for."""
        with self._lock:
            self._change(BreakerState.FORCED_OPEN)

    def disable(self) -> None:
        """To DISABLED: everything passes, nothing is recorded."""
        with self._lock:
            self._change(BreakerState.DISABLED)

    def metrics_only(self) -> None:
        """To METRICS_ONLY: everything passes and is recorded."""
        with self._lock:
            self._change(BreakerState.METRICS_ONLY)

    def _needed(self, state: BreakerState, now: float) -> int:
        """How many calls are enough to judge by."""
        needed = self._usual
        if self._strict is not None:
            if now < self._strict[1]:
                needed = min(needed, self._strict[0])
            else:
                self._strict = None
        return min(needed, self._probes) if state is BreakerState.HALF_OPEN else needed

    def _pass_time(self, now: float, *, look: bool = False) -> None:
        """Let the waiting times end. A look does not begin a probe; only a call does."""
        if self._state is BreakerState.OPEN and now >= self._until and not look:
            if now < self._standby_until:
                return
            self._change(BreakerState.HALF_OPEN)
        elif self._state is BreakerState.HALF_OPEN and 0 < self._until <= now:
            self._open(now)

    def _open(self, now: float) -> None:
        self._opened += 1
        wait_s = self._open_s * self._open_backoff ** (self._opened - 1)
        self._change(BreakerState.OPEN)
        self._until = now + min(wait_s, max(self._max_open_s, self._open_s))

    def _change(self, state: BreakerState) -> None:
        before, self._state = self._state, state
        self._period += 1
        self._until = 0.0
        self._standby_until = self._ordered_until = 0.0
        if state is BreakerState.HALF_OPEN:
            self._permits = self._probes
            self._window = CountWindow(self._probes)
            if self._max_half_open_s:
                self._until = self.clock() + self._max_half_open_s
        elif state is not BreakerState.OPEN:
            self._window = self._new_window()
            self._opened = 0
            self._probes = self._half_open_calls
        if self._on_change is not None and before is not state:
            try:
                self._on_change(before, state)
            except Exception:
                log.exception("on_change of breaker %s raised", self.name)

    def _new_window(self) -> Window:
        return TimeWindow(self._window_size) if self._time_based else CountWindow(self._window_size)


class Guard:
    """One call through a breaker."""

    __slots__ = ("_began", "_breaker", "_permit")

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker
        self._permit = 0
        self._began = 0.0

    def __enter__(self) -> None:
        self._permit = self._breaker.acquire()
        self._began = self._breaker.clock()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        took_s = self._breaker.clock() - self._began
        if exc is None:
            self._breaker.succeed(self._permit, took_s)
        else:
            self._breaker.fail(self._permit, took_s, exc)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, exc, traceback)


def _matches(exc: BaseException, exceptions: Exceptions) -> bool:
    return exceptions(exc) if callable(exceptions) else isinstance(exc, exceptions)
