"""A value that a command may hold elsewhere for a time; then local control is back by itself."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from faultstream.client import forks

T = TypeVar("T")

Clock = Callable[[], float]
"""Seconds that never go back; time.monotonic unless a test says otherwise."""


class Held(Generic[T]):
    """`local` is what the application set. Safe for many threads; no timers, so nothing leaks."""

    def __init__(self, local: T, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._local = local
        self._held: tuple[T, float] | None = None
        self.after_fork()
        forks.watch(self)

    def after_fork(self) -> None:
        """A lock of its own; what is held stays held."""
        self._lock = threading.Lock()

    @property
    def local(self) -> T:
        """What is in force without a hold. May be set at any time."""
        return self._local

    @local.setter
    def local(self, value: T) -> None:
        self._local = value

    def get(self) -> T:
        """What is in force now."""
        held = self._held
        if held is None:
            return self._local
        if self._clock() < held[1]:
            return held[0]
        with self._lock:
            if self._held is held:
                self._held = None
        return self._local

    def hold(self, value: T, for_ms: int) -> None:
        """Have `value` in force for that long; replaces an earlier hold."""
        with self._lock:
            self._held = (value, self._clock() + for_ms / 1000)

    def let_go(self) -> None:
        """Back to local control now."""
        with self._lock:
            self._held = None

    @property
    def left_ms(self) -> int:
        """How long the hold lasts, 0 without one."""
        held = self._held
        return max(0, round((held[1] - self._clock()) * 1000)) if held is not None else 0
