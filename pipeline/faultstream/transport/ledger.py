"""Which runs of records were handed over and which are finished: what may be committed.

Faust counts single offsets. A run stands for many, so it gets a book of its own: a partition's
runs in the order of delivery; committable is what follows the finished ones at the front, and
nothing else. So a run that is still open, or that nobody will ever finish, is never committed
past, in whatever order the others finish.
"""

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

P = TypeVar("P", bound=Hashable)


class Run(Generic[P]):
    """One run that was handed over. `last` is its highest offset, `size` its records."""

    __slots__ = ("_ledger", "done", "last", "live", "partition", "size")

    def __init__(self, ledger: "Ledger[P]", partition: P, last: int, size: int) -> None:
        self._ledger = ledger
        self.partition = partition
        self.last = last
        self.size = size
        self.done = False
        self.live = True

    def finish(self) -> None:
        """Everything that the run asked for is durable. May be repeated."""
        if not self.done:
            self.done = True
            self.drop()

    def drop(self) -> None:
        """Give its credit back; what is forgotten can no longer be finished into a commit."""
        if self.live:
            self.live = False
            self._ledger.give_back(self)


class Ledger(Generic[P]):
    """The runs of all partitions. Bounded by the credit that the reader keeps to."""

    def __init__(self) -> None:
        self._runs: dict[P, deque[Run[P]]] = defaultdict(deque)
        self._open: dict[P, int] = defaultdict(int)
        self._ready: dict[P, int] = {}
        self.finished = 0
        """Records finished since the start; grows as long as there is progress."""

    def hand_over(self, partition: P, last: int, size: int) -> Run[P]:
        """Enter a run; runs of a partition are entered in the order of their offsets."""
        run = Run(self, partition, last, size)
        self._runs[partition].append(run)
        self._open[partition] += size
        return run

    def unfinished(self, partition: P) -> int:
        """Records of `partition` that were handed over and are not finished yet."""
        return self._open[partition]

    def newest(self, partition: P) -> int | None:
        """The last offset handed over that is not yet committable; None when all are."""
        runs = self._runs.get(partition)
        return runs[-1].last if runs else None

    def committable(self, partition: P) -> int | None:
        """The offset after the finished front; None when nothing finished since the last seek.

        Stays the same until more is finished, so that a commit that failed is tried again.
        """
        runs = self._runs[partition]
        while runs and runs[0].done:
            self._ready[partition] = runs.popleft().last + 1
        return self._ready.get(partition)

    def partitions(self) -> Iterator[P]:
        """Every partition with something to commit or still open."""
        return iter({*self._runs, *self._ready})

    def forget(self, partitions: Iterable[P]) -> None:
        """Those partitions are read anew, here or elsewhere; late finishes change nothing."""
        for partition in list(partitions):
            for run in self._runs.pop(partition, ()):
                run.drop()
            self._ready.pop(partition, None)
            self._open.pop(partition, None)

    def give_back(self, run: Run[P]) -> None:
        """For `Run` alone."""
        self._open[run.partition] -= run.size
        if run.done:
            self.finished += run.size
