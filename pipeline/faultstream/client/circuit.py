"""Circuit: the state machine of a circuit breaker; permits go out, outcomes come in.

The usual call takes no lock. While nothing that works can change the state (CLOSED, a window of
calls, and either no bad call in it or enough calls to judge by) there is a `Pass`: the period and
a counter of that period, which one step of C advances. A good call advances it and looks whether
the pass still holds; if not, the state is judged anew. What was counted is taken into the window
when the lock is taken next. A counter of a period that is over is read by nobody.

Time passes lazily, at the next call, so there are no timers.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from faultstream.client import forks
from faultstream.client.held import Clock
from faultstream.client.states import BreakerMetrics, BreakerState, CallNotPermittedError
from faultstream.client.window import SLOW, CountWindow, TimeWindow, Window

log = logging.getLogger("faultstream.client")

Pass = tuple[int, Callable[[], int]]
Changed = Callable[[BreakerState, BreakerState], None]


class Limits(NamedTuple):
    """What the application set; see CircuitBreaker. Lengths are seconds."""

    failure_ratio: float
    slow_ratio: float
    slow_s: float
    time_based: bool
    window_size: int
    minimum_calls: int
    open_s: float
    open_backoff: float
    max_open_s: float
    half_open_calls: int
    max_half_open_s: float


class Circuit:
    """See the module. Safe for threads and tasks; `on_change` is called without the lock, in the
    order of the changes, by the thread that made one of them."""

    def __init__(self, name: str, limits: Limits, on_change: Changed | None, clock: Clock) -> None:
        self.name = name
        self.clock = clock
        self._limits = limits
        self._on_change = on_change
        self._changes: deque[tuple[BreakerState, BreakerState]] = deque()
        self.after_fork()
        forks.watch(self)
        self._state = BreakerState.CLOSED
        self._period = -1
        self._until = 0.0
        self._opened = 0
        self._permits = 0
        self._probes = limits.half_open_calls
        self._refuse = count().__next__
        self._asked = 0
        self._strict: tuple[int, float] | None = None
        self._ordered_until = 0.0
        self._standby_until = 0.0
        self._window: Window
        self._quick: CountWindow | None = None
        """The window, while it is one that passes may be given for."""
        self._own: Pass
        self._seen = 0
        self._pass: Pass | None = None
        self._change(BreakerState.CLOSED)

    def after_fork(self) -> None:
        """A lock of its own. Probes of the parent are as good as lost, see `max_half_open_ms`."""
        self._telling = False
        self._lock = threading.RLock()

    # One call

    def try_acquire(self) -> int | None:
        """A permit for one call, None when there is none.

        Hand it to `succeed`, `fail` or `release`, exactly once.
        """
        period = self._period
        state = self._state
        if state is BreakerState.CLOSED:  # the usual cases need no lock: nothing is changed
            return period
        if state is BreakerState.FORCED_OPEN or (
            state is BreakerState.OPEN and self.clock() < self._until
        ):
            self._refuse()
            return None
        with self._lock:
            self._pass_time(self.clock())
            permit = self._period if self._passes() else None
        self._tell()
        if permit is None:
            self._refuse()
        return permit

    def _passes(self) -> bool:
        """Whether the state lets a call through; takes the permit."""
        if self._state is not BreakerState.HALF_OPEN:
            return self._state not in {BreakerState.OPEN, BreakerState.FORCED_OPEN}
        if self._permits <= 0:
            return False
        self._permits -= 1
        return True

    def acquire(self) -> int:
        """`try_acquire` that raises CallNotPermittedError."""
        permit = self.try_acquire()
        if permit is None:
            state, left_ms = self._state, 0
            if state is BreakerState.OPEN:
                left_s = max(self._until, self._standby_until) - self.clock()
                left_ms = max(0, round(left_s * 1000))
            raise CallNotPermittedError(self.name, state, left_ms)
        return permit

    def succeed(self, permit: int, duration_s: float) -> None:
        """The call went well."""
        self._ended(permit, SLOW if duration_s > self._limits.slow_s else 0, self.clock())

    def release(self, permit: int) -> None:
        """The call says nothing; its permit is free again."""
        with self._lock:
            if permit == self._period and self._state is BreakerState.HALF_OPEN:
                self._permits += 1

    def _ended(self, permit: int, outcome: int, now: float) -> None:
        """A call ended with this outcome, bits of FAILED and SLOW."""
        with self._lock:
            if permit == self._period and self._state is not BreakerState.DISABLED:
                self._drain()
                self._judge(*self._window.record(outcome, now), now)
        self._tell()

    def _look(self, permit: int) -> None:
        """A good call was counted by a pass that does not hold any more: judge with it."""
        with self._lock:
            if permit == self._period and self._quick is not None:
                self._drain()
                now = self.clock()
                self._judge(*self._quick.snapshot(now), now)
        self._tell()

    def _drain(self) -> None:
        """Take what was counted without the lock into the window."""
        if self._quick is not None:
            many = self._own[1]() - self._seen
            self._seen += many + 1  # asking counts one
            self._quick.succeed(many)

    def _judge(self, calls: int, failed: int, slow: int, now: float) -> None:
        """Whether what the window holds changes the state, and whether passes may be given."""
        state, limits = self._state, self._limits
        needed = self._needed(state, now)
        if calls >= needed and state is not BreakerState.METRICS_ONLY:
            if failed >= limits.failure_ratio * calls or slow >= limits.slow_ratio * calls:
                self._open(now)
                return
            if state is BreakerState.HALF_OPEN:
                self._change(BreakerState.CLOSED)
                return
        good = self._quick is not None and self._strict is None
        self._pass = self._own if good and (calls >= needed or not (failed or slow)) else None

    def _needed(self, state: BreakerState, now: float) -> int:
        """How many calls are enough to judge by."""
        needed = self._limits.minimum_calls
        if self._strict is not None:
            if now < self._strict[1]:
                needed = min(needed, self._strict[0])
            else:
                self._strict = None
        return min(needed, self._probes) if state is BreakerState.HALF_OPEN else needed

    # States

    @property
    def state(self) -> BreakerState:
        """The present state; time that has passed counts."""
        with self._lock:
            self._pass_time(self.clock(), look=True)
            state = self._state
        self._tell()
        return state

    def metrics(self) -> BreakerMetrics:
        """State and counts."""
        with self._lock:
            now = self.clock()
            self._pass_time(now, look=True)
            self._drain()
            seen = self._window.snapshot(now)
            ratios = (seen.failure_ratio, seen.slow_ratio)
            refused = self._refuse() - self._asked
            self._asked += 1  # asking counts one
            metrics = BreakerMetrics(self._state, *seen, *ratios, refused)
        self._tell()
        return metrics

    def close(self) -> None:
        """To CLOSED, with an empty window; ends what commands hold."""
        with self._lock:
            self._strict = None
            self._change(BreakerState.CLOSED)
        self._tell()

    def half_open(self) -> None:
        """To HALF_OPEN now."""
        self._move(BreakerState.HALF_OPEN)

    def force_open(self) -> None:
        """To FORCED_OPEN, until another transition is asked for."""
        self._move(BreakerState.FORCED_OPEN)

    def disable(self) -> None:
        """To DISABLED: everything passes, nothing is recorded."""
        self._move(BreakerState.DISABLED)

    def metrics_only(self) -> None:
        """To METRICS_ONLY: everything passes and is recorded."""
        self._move(BreakerState.METRICS_ONLY)

    def _move(self, state: BreakerState) -> None:
        with self._lock:
            self._change(state)
        self._tell()

    def _pass_time(self, now: float, *, look: bool = False) -> None:
        """Let the waiting times end. A look does not begin a probe; only a call does."""
        if self._state is BreakerState.OPEN and now >= self._until and not look:
            if now < self._standby_until:
                return
            self._change(BreakerState.HALF_OPEN)
        elif self._state is BreakerState.HALF_OPEN and 0 < self._until <= now:
            self._open(now)

    def _open(self, now: float) -> None:
        limits = self._limits
        self._opened += 1
        wait_s = limits.open_s * limits.open_backoff ** (self._opened - 1)
        self._change(BreakerState.OPEN)
        self._until = now + min(wait_s, max(limits.max_open_s, limits.open_s))

    def _change(self, state: BreakerState) -> None:
        limits = self._limits
        before, self._state = self._state, state
        self._period += 1
        self._until = 0.0
        self._standby_until = self._ordered_until = 0.0
        self._quick = self._pass = None
        if state is BreakerState.HALF_OPEN:
            self._permits = self._probes
            self._window = CountWindow(self._probes)
            if limits.max_half_open_s:
                self._until = self.clock() + limits.max_half_open_s
        elif state is not BreakerState.OPEN:
            size = limits.window_size
            self._window = window = TimeWindow(size) if limits.time_based else CountWindow(size)
            self._opened = 0
            self._probes = limits.half_open_calls
            if state is BreakerState.CLOSED and isinstance(window, CountWindow):
                self._quick = window
                self._own, self._seen = (self._period, count().__next__), 0
                self._pass = self._own if self._strict is None else None
        if self._on_change is not None and before is not state:
            self._changes.append((before, state))

    def _tell(self) -> None:
        """Call `on_change` for what changed; one thread at a time, so that the order is kept."""
        while self._changes and self._on_change is not None:
            with self._lock:
                if self._telling or not self._changes:
                    return
                self._telling = True
                before, after = self._changes.popleft()
            try:
                self._on_change(before, after)
            except Exception:
                log.exception("on_change of breaker %s raised", self.name)
            finally:
                self._telling = False
