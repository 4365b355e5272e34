"""A bounded number of permits for threads and tasks together, first come, first served."""

import contextlib
import threading
from collections import deque
from collections.abc import Callable

from faultstream.client import forks
from faultstream.client.held import Held


class _Waiter:
    __slots__ = ("granted", "wake")

    def __init__(self, wake: Callable[[], object]) -> None:
        self.wake = wake
        self.granted = False


class Permits:
    """`limit` may change while permits are out; those beyond a smaller one are not taken back."""

    def __init__(self, limit: Held[int]) -> None:
        self._limit = limit
        self.life = 0
        """Another one after a fork: permits of an earlier one are not out any more."""
        self.after_fork()
        forks.watch(self)

    def after_fork(self) -> None:
        """Who held or waited for a permit is in the parent."""
        self.life += 1
        self._lock = threading.Lock()
        self._out = 0
        self._waiting: deque[_Waiter] = deque()

    @property
    def out(self) -> int:
        """Permits that somebody holds."""
        return self._out

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._waiting)

    def acquire(self, timeout_s: float) -> bool:
        """Wait for a permit; False when there was none in time. An interrupt loses none."""
        event = threading.Event()
        waiter = self._enter(event.set, timeout_s)
        if waiter is None or waiter.granted:
            return waiter is not None
        try:
            event.wait(timeout_s)
        except BaseException:
            if self._leave(waiter):
                self.release()
            raise
        return self._leave(waiter)

    async def aacquire(self, timeout_s: float) -> bool:
        """`acquire` for tasks. When it is cancelled, no permit is lost."""
        import asyncio  # noqa: PLC0415 - half of the import time

        loop = asyncio.get_running_loop()
        event = asyncio.Event()
        waiter = self._enter(lambda: loop.call_soon_threadsafe(event.set), timeout_s)
        if waiter is None or waiter.granted:
            return waiter is not None
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await event.wait()
        except BaseException:
            if self._leave(waiter):
                self.release()
            raise
        return self._leave(waiter)

    def release(self, life: int | None = None) -> None:
        """Give a permit back that was taken in that life, by default in this one."""
        with self._lock:
            if life in {None, self.life}:
                self._out -= 1
                self._grant()

    def changed(self) -> None:
        """The limit is another one: who waits may go on."""
        with self._lock:
            self._grant()

    def _enter(self, wake: Callable[[], object], timeout_s: float) -> _Waiter | None:
        """A waiter, granted at once if possible; None when there is no time to wait."""
        with self._lock:
            self._grant()
            waiter = _Waiter(wake)
            if not self._waiting and self._out < self._limit.get():
                self._out += 1
                waiter.granted = True
            elif timeout_s <= 0:
                return None
            else:
                self._waiting.append(waiter)
            return waiter

    def _leave(self, waiter: _Waiter) -> bool:
        """Stop waiting; whether the permit had been granted."""
        with self._lock:
            if not waiter.granted:
                self._waiting.remove(waiter)
            return waiter.granted

    def _grant(self) -> None:
        while self._waiting and self._out < self._limit.get():
            waiter = self._waiting.popleft()
            waiter.granted = True
            self._out += 1
            try:
                waiter.wake()
            except RuntimeError:  # its event loop is gone, and it with that
                self._out -= 1
