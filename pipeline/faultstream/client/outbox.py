"""What waits to be sent: a queue bounded in records and bytes, in which floods are folded.

The first of identical errors goes out at once; those that follow within `fold_ms` become one
event with their count, released when the window ends. While the flood lasts there is one event
a window. Every error ends in exactly one counter: sent, spooled, dropped (by reason) or waiting.
Safe for many threads; a caller holds the lock for a few dictionary operations.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final

from faultstream.core.event import MAX_COUNT, ErrorEvent

MAX_FOLDS: Final = 1_000
_ENTRY_BYTES: Final = 600
_PART_BYTES: Final = 120


class Entry:
    """An event on its way. `value` is its bytes, once they were made."""

    __slots__ = ("event", "sampled", "size", "traceparent", "value")

    def __init__(self, event: ErrorEvent, traceparent: str = "") -> None:
        self.event = event
        self.traceparent = traceparent
        self.value = b""
        self.sampled = False
        """Whether sampling has looked at it: it never waits twice."""
        parts = len(event.frames) + len(event.tags) + len(event.causes)
        self.size = _ENTRY_BYTES + len(event.message) + _PART_BYTES * parts


class _Fold:
    __slots__ = ("entry", "until")

    def __init__(self, until: float) -> None:
        self.until = until
        self.entry: Entry | None = None


class Outbox:
    """See the module. `clock` gives seconds and never goes back."""

    def __init__(
        self,
        max_records: int,
        max_bytes: int,
        fold_ms: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._fold_s = fold_ms / 1000
        self._clock = clock
        # A signal handler or a finalizer may report, flush or close amid anything here.
        self._lock = threading.RLock()
        self._settled = threading.Condition(self._lock)
        self._queue: deque[Entry] = deque()
        self._folds: dict[Hashable, _Fold] = {}
        self._in_flight: dict[int, Entry] = {}
        self._records = 0
        self._bytes = 0
        self.reported = 0
        self.folded = 0
        self.sent = 0
        self.spooled = 0
        self.recovered = 0
        self.retried = 0
        self.dropped: dict[str, int] = {}
        self._nested: deque[tuple[str, int]] = deque()
        """Refused amid another report, perhaps of a thread that holds the lock; not counted yet."""

    def fold(self, key: Hashable, count: int) -> str:
        """Count into an identical error that waits: its event's id; empty when there is none."""
        with self._lock:
            fold = self._folds.get(key)
            if fold is None or fold.entry is None or fold.entry.event.count + count > MAX_COUNT:
                return ""
            fold.entry.event.count += count
            self.reported += count
            self.folded += count
            return fold.entry.event.event_id

    def add(self, key: Hashable, entry: Entry) -> bool:
        """Take an entry in; False when it was dropped because there is no room."""
        count = entry.event.count
        with self._lock:
            self.reported += count
            if self._records >= self._max_records or self._bytes + entry.size > self._max_bytes:
                self._drop("full", count)
                return False
            self._records += 1
            self._bytes += entry.size
            fold = self._folds.get(key) if self._fold_s else None
            now = self._clock()
            if fold is not None and fold.entry is None and now < fold.until:
                fold.entry = entry
                return True
            self._queue.append(entry)
            if fold is not None:
                fold.until = now + self._fold_s
            elif self._fold_s and len(self._folds) < MAX_FOLDS:
                self._folds[key] = _Fold(now + self._fold_s)
            return True

    def release(self, *, everything: bool = False) -> float | None:
        """Queue the counted events whose window is over, or all of them.

        Returns seconds until the next one is due, None when nothing is held.
        """
        if self._nested:
            self.count_refused()
        with self._lock:
            now = self._clock()
            nearest: float | None = None
            for key in list(self._folds):
                fold = self._folds[key]
                if fold.entry is None:
                    if now >= fold.until:
                        del self._folds[key]
                elif everything or now >= fold.until:
                    self._queue.append(fold.entry)
                    fold.entry = None
                    fold.until = now + self._fold_s
                else:
                    wait = fold.until - now
                    nearest = wait if nearest is None else min(nearest, wait)
            return nearest

    def take(self, most: int) -> list[Entry]:
        """The oldest entries, at most `most`; settle each by `settle`, `put_back` or `drop`."""
        with self._lock:
            taken = [self._queue.popleft() for _ in range(min(most, len(self._queue)))]
            self._in_flight.update((id(entry), entry) for entry in taken)
            return taken

    def put_back(self, entries: Sequence[Entry], *, retried: bool = True) -> None:
        """Entries that could not be sent, to the front, in their order."""
        with self._lock:
            entries = self._land(entries)
            self._queue.extendleft(reversed(entries))
            if retried:
                self.retried += len(entries)

    def settle(self, entries: Iterable[Entry], *, spooled: bool = False) -> None:
        """These are in Kafka, or in the spool."""
        with self._lock:
            entries = self._forget(entries)
            total = sum(entry.event.count for entry in entries)
            if spooled:
                self.spooled += total
            else:
                self.sent += total
            self._settled.notify_all()

    def absorb(self, entry: Entry, into: Entry) -> None:
        """Count an entry that was taken into another one that was taken."""
        with self._lock:
            for gone in self._forget([entry]):
                into.event.count += gone.event.count
                into.value = b""
                self.folded += gone.event.count

    def drop(self, entries: Iterable[Entry], reason: str) -> None:
        """These will never be sent."""
        with self._lock:
            for entry in self._forget(entries):
                self._drop(reason, entry.event.count)
            self._settled.notify_all()

    def refuse(self, reason: str, count: int = 1) -> None:
        """An error that never came in. Takes no lock; `count_refused` counts it."""
        self._nested.append((reason, count))

    def count_refused(self) -> None:
        """Bring the counters up to date."""
        with self._lock:
            while self._nested:
                reason, count = self._nested.popleft()
                self.reported += count
                self._drop(reason, count)

    def unspool(self, own: int, foreign: int) -> None:
        """So many errors went from the spool to Kafka, `foreign` ones of other processes."""
        with self._lock:
            self.spooled -= own
            self.sent += own
            self.recovered += foreign

    def recall(self) -> None:
        """Everything to the queue: what is held and what is under way, for the end."""
        self.release(everything=True)
        with self._lock:
            self._queue.extendleft(reversed(self._in_flight.values()))
            self._in_flight = {}

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing waits; False when that took longer."""
        with self._settled:
            return self._settled.wait_for(lambda: self._records == 0, timeout_s)

    @property
    def queued(self) -> bool:
        """Whether something can be taken now."""
        return bool(self._queue)

    @property
    def empty(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return self._records == 0

    @property
    def waiting(self) -> int:
        """Errors that are neither sent nor spooled nor dropped."""
        with self._lock:
            held = (fold.entry for fold in self._folds.values() if fold.entry is not None)
            return sum(
                entry.event.count for entry in (*self._in_flight.values(), *self._queue, *held)
            )

    def _drop(self, reason: str, count: int) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + count

    def _forget(self, entries: Iterable[Entry]) -> list[Entry]:
        """Make room; leaves out entries that were recalled or settled before."""
        gone = self._land(list(entries))
        for entry in gone:
            self._records -= 1
            self._bytes -= entry.size
        return gone

    def _land(self, entries: Sequence[Entry]) -> list[Entry]:
        """Take entries off the list of what is under way; returns those that were on it."""
        under_way = self._in_flight
        return [entry for entry in entries if under_way.pop(id(entry), None) is not None]
