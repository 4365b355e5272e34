"""ResourcePool: connections and the like, made on demand, checked, and given out one at a time."""

import contextlib
import inspect
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Generic, NamedTuple, TypeVar, cast

from faultstream.client import checks, forks, lifetime, roster
from faultstream.client.held import Clock, Held
from faultstream.client.permits import Permits

T = TypeVar("T")


class PoolTimeoutError(TimeoutError):
    """No resource was free in time."""


class PoolStats(NamedTuple):
    """`size` is the present limit; `open` = `leased` + idle ones; `discarded` since the start."""

    size: int
    open: int
    leased: int
    waiting: int
    discarded: int


class ResourcePool(Generic[T]):
    """At most `size` resources. Use `lease()`, or `alease()` in tasks.

    A resource goes back when the lease ends; it is closed when the lease ended by an exception of
    `broken`, by an interruption or cancellation (it may be mid-answer), when `check` says no or
    raises, or when there are more than the size. What `create` raises leaves the pool as it was;
    what `close` raises is left out.
    """

    dependency: str = ""

    def __init__(
        self,
        create: Callable[[], T] | Callable[[], Awaitable[T]],
        *,
        name: str = "",
        size: int = 10,
        max_size: int = 100,
        max_wait_ms: int = 5_000,
        close: Callable[[T], object] | None = None,
        check: Callable[[T], object] | None = None,
        check_after_ms: int = 1_000,
        broken: type[BaseException] | tuple[type[BaseException], ...] = (OSError, EOFError),
        clock: Clock = time.monotonic,
    ) -> None:
        """`create`, `close` and `check` may be coroutine functions; then only `alease` works.

        `check` is asked before a resource that was idle for `check_after_ms` is given out.
        `max_size` bounds what commands may ask for.

        Raises:
            TypeError: something of another kind.
            ValueError: sizes that do not fit 1 <= size <= max_size, or a negative length.
        """
        checks.name(self, name)
        checks.function("create", create)
        for label, given in (("close", close), ("check", check)):
            if given is not None:
                checks.function(label, given)
        checks.number("max_size", max_size, 1, whole=True)
        checks.number("size", size, 1, max_size, whole=True)
        checks.number("max_wait_ms", max_wait_ms, 0)
        checks.number("check_after_ms", check_after_ms, 0)
        self.name = name
        self.max_size = max_size
        self._create = create
        self._close = close
        self._check = check
        self._check_after_s = check_after_ms / 1000
        self._wait_s = max_wait_ms / 1000
        self._broken = checks.classes("broken", broken)
        self._clock = clock
        self.limit = Held(size, clock)
        self._permits = Permits(self.limit)
        self._discarded = 0
        self._idle: list[tuple[T, float]] = []
        self.after_fork()
        roster.enrol(self)
        forks.watch(self)

    def after_fork(self) -> None:
        """A child's pool is empty: connections of the parent are neither used nor closed."""
        lifetime.abandon(self._idle)
        self._lock = threading.Lock()
        self._idle = []
        self._leased = 0

    @contextmanager
    def lease(self) -> Iterator[T]:
        """A resource for the length of a with block.

        Raises:
            PoolTimeoutError: none was free within `max_wait_ms`.
        """
        if not self._permits.acquire(self._wait_s):
            raise self._busy()
        life = self._permits.life
        try:
            while (idle := self._take()) and not self._healthy(*idle):
                self._dispose(idle[0])
            got = idle[0] if idle is not None else cast("T", _sync(self._create()))
            with self._lock:
                self._leased += 1
            good = False
            try:
                yield got
                good = True
            except Exception as exc:
                good = not isinstance(exc, self._broken)
                raise
            finally:
                for surplus in self._back(got, life, good=good):
                    self._dispose(surplus)
        finally:
            self._permits.release(life)

    @asynccontextmanager
    async def alease(self) -> AsyncIterator[T]:
        """`lease` for tasks; a cancelled lease counts as broken, its resource may be mid-answer."""
        if not await self._permits.aacquire(self._wait_s):
            raise self._busy()
        life = self._permits.life
        try:
            while (idle := self._take()) and not await self._ahealthy(*idle):
                await self._adispose(idle[0])
            got = idle[0] if idle is not None else cast("T", await _async(self._create()))
            with self._lock:
                self._leased += 1
            good = False
            try:
                yield got
                good = True
            except Exception as exc:
                good = not isinstance(exc, self._broken)
                raise
            finally:
                await self._adispose_all(self._back(got, life, good=good))
        finally:
            self._permits.release(life)

    def resize(self, size: int) -> int:
        """Another size from now on, within 1 and `max_size`; the size it became."""
        self.limit.local = max(1, min(size, self.max_size))
        self._permits.changed()
        return self.limit.local

    def hold(self, size: int, for_ms: int) -> int:
        """At least this size for that long, at most `max_size`; the size that is in force."""
        held = max(self.limit.local, min(size, self.max_size))
        self.limit.hold(held, for_ms)
        self._permits.changed()
        return held

    def let_go(self) -> None:
        """End what `hold` began; surplus resources go as they come back."""
        self.limit.let_go()

    def stats(self) -> PoolStats:
        """Numbers of now."""
        with self._lock:
            many = self._leased + len(self._idle)
            waiting = self._permits.waiting
            return PoolStats(self.limit.get(), many, self._leased, waiting, self._discarded)

    def drain(self) -> list[T]:
        """Take all idle resources out, for closing; those on lease come back as usual."""
        with self._lock:
            idle, self._idle = self._idle, []
            return [resource for resource, _ in idle]

    def _take(self) -> tuple[T, float] | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _fresh(self, since: float) -> bool:
        return self._check is None or self._clock() - since < self._check_after_s

    def _healthy(self, resource: T, since: float) -> bool:
        try:
            return self._fresh(since) or bool(_sync(cast("Any", self._check)(resource)))
        except Exception:  # noqa: BLE001 - a check that raises says no
            return False
        except BaseException:
            self._dispose(resource)
            raise

    async def _ahealthy(self, resource: T, since: float) -> bool:
        try:
            return self._fresh(since) or bool(await _async(cast("Any", self._check)(resource)))
        except Exception:  # noqa: BLE001 - a check that raises says no
            return False
        except BaseException:  # cancelled amid it: nobody else knows of the resource
            await self._adispose(resource)
            raise

    def _dispose(self, resource: T) -> None:
        with self._lock:
            self._discarded += 1
        if self._close is not None:
            with contextlib.suppress(Exception):
                _sync(self._close(resource))

    async def _adispose(self, resource: T) -> None:
        with self._lock:
            self._discarded += 1
        if self._close is not None:
            with contextlib.suppress(Exception):
                await _async(self._close(resource))

    async def _adispose_all(self, surplus: list[T]) -> None:
        """Each of them, also when that is cancelled amid one."""
        while surplus:
            try:
                await self._adispose(surplus.pop())
            except BaseException:
                await self._adispose_all(surplus)
                raise

    def _back(self, resource: T, life: int, *, good: bool) -> list[T]:
        """Return a resource; those that must be closed."""
        if life != self._permits.life:
            lifetime.abandon(resource)  # it is the parent's
            return []
        with self._lock:
            self._leased -= 1
            if good:
                self._idle.append((resource, self._clock()))
            surplus = [] if good else [resource]
            while self._idle and len(self._idle) + self._leased > self.limit.get():
                surplus.append(self._idle.pop(0)[0])
            return surplus

    def _busy(self) -> PoolTimeoutError:
        stats = self.stats()
        return PoolTimeoutError(
            f"pool {self.name or 'unnamed'}: all {stats.size} in use, {stats.waiting} waiting"
        )


def _sync(value: Any) -> Any:
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise TypeError("create, check and close are coroutine functions: use alease()")
    return value


async def _async(value: Any) -> Any:
    if not inspect.isawaitable(value):
        return value
    return await value
