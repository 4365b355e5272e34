"""Memory: what detectors remember of settled slots after their cells are gone.

Learned from every settled slot, in ascending order, after the detectors have judged it; so what
it says at a settled slot never depends on the order of arrival. Bounded by a fixed number of
steps, types and `max_groups_per_service` fingerprints.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from faultstream.core.detect.baseline import MEMORY
from faultstream.core.detect.clumps import Clumps
from faultstream.core.detect.followers import Followers, Occurrence, Progress
from faultstream.core.detect.predict_state import Outlook
from faultstream.core.detect.seasons import Seasons
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.tally import FOLDED, Cell, Slot, newer

STEPS: Final = 10
"""Two windows of degradation, five steps each."""
GAPS: Final = 12
SPANS: Final = 30
"""The same two windows, each step in three."""
_SKIP_WINDOWS: Final = 3
_TYPES: Final = 16
_FADES: Final = 0.07
"""By so much of itself what is usual of types fades in a window."""
_BUSY_STEP: Final = 1.5
_FEW: Final = 10
"""A step counts as so many times the mean of steps at most (always as so few events), so that one
flood does not make its error usual and all others strange."""
_SHARE_WINDOWS: Final = 3
"""For so many windows types stand alone before they become usual: what begins to dominate slowly
must not be its own past."""
_OTHER: Final = "__other__"


class Steps(msgspec.Struct, array_like=True):
    """Events per step: `counts[i]` came in step `first + i`; the last ten steps and one more."""

    first: int = 0
    counts: list[int] = []
    since: int = 0
    """The step of the first event after a silence of more than ten steps."""

    def learn(self, step: int, count: int) -> None:
        """Counts events; steps come in ascending order."""
        behind = step - (self.first + len(self.counts) - 1) if self.counts else 0
        if not self.counts or behind > STEPS:
            self.first, self.since, self.counts = step, step, [0]
        elif behind > 0:
            self.counts.extend([0] * behind)
            surplus = len(self.counts) - STEPS - 1
            if surplus > 0:
                del self.counts[:surplus]
                self.first += surplus
        self.counts[-1] += count

    def between(self, start: int, end: int) -> int:
        """Events in the steps [start, end)."""
        low = max(0, start - self.first)
        return sum(self.counts[low : max(0, end - self.first)])


class Share(msgspec.Struct, array_like=True):
    """Events by error type in one sixth of a window."""

    step: int
    total: int
    types: dict[str, int]


class Trace(msgspec.Struct, array_like=True):
    """One fingerprint: how often it came, and when. `gaps` are the slots between the beginnings
    of its latest occurrences, of which `start` is the last; `release` the newest it came in;
    `begun` how often it began to come, as followers.py means it. `lately` is filled once it came
    in a second slot: span, count, span, count and so on, of the latest spans that have any."""

    first_ms: int
    last_ms: int
    count: int
    start: int
    gaps: list[int]
    release: str = ""
    begun: int = 1
    lately: list[int] | None = None

    def note(self, number: int, count: int, sizes: "Sizes") -> None:
        """Counts the events of slot `number` in its span, before they count in `count`."""
        span = number // sizes.span_slots
        lately = self.lately
        if lately is None:
            lately = self.lately = list(self._only(sizes)) or [span, 0]
        if lately[-2] == span:
            lately[-1] += count
            return
        lately += (span, count)
        if lately[0] <= span - SPANS:
            del lately[: next(at for at in range(0, len(lately), 2) if lately[at] > span - SPANS)]

    def between(self, start: int, end: int, sizes: "Sizes") -> int:
        """Events in the spans [start, end), as far back as is known."""
        lately = self.lately or self._only(sizes)
        return sum(lately[at + 1] for at in range(0, len(lately), 2) if start <= lately[at] < end)

    def first_span(self, start: int, sizes: "Sizes") -> int:
        """The first span from `start` on that has events; `start` if none has."""
        spans = (self.lately or self._only(sizes))[::2]
        return min((span for span in spans if span >= start), default=start)

    def _only(self, sizes: "Sizes") -> tuple[int, ...]:
        """The span and the count of one that came in one slot only."""
        if self.last_ms - self.first_ms < sizes.slot_ms:
            return self.start // sizes.span_slots, self.count
        return ()


class Memory(msgspec.Struct, array_like=True):
    """See the module. `since_ms` is the service's first event, `newest` the last settled slot,
    `sights` the times of the latest first sights, `total` all events, `usual` long-run events by
    type, `followers` and `progress` what sequences are found from, `release` the newest one and
    `released_ms` when it first showed (0: it was there from the start), `born` the first slot of
    all."""

    since_ms: int = 0
    newest: int = 0
    steps: Steps = msgspec.field(default_factory=Steps)
    shares: list[Share] = []
    usual: dict[str, float] = {}
    usual_steps: int = 0
    traces: dict[str, Trace] = {}
    sights: list[int] = []
    total: int = 0
    followers: Followers = msgspec.field(default_factory=Followers)
    progress: Progress = msgspec.field(default_factory=Progress)
    release: str = ""
    released_ms: int = 0
    outlook: Outlook = msgspec.field(default_factory=Outlook)
    born: int = 0
    seasons: Seasons = msgspec.field(default_factory=Seasons)
    clumps: Clumps = msgspec.field(default_factory=Clumps)

    def learn(self, slot: Slot, sizes: "Sizes") -> None:
        """Takes a settled slot in, with its cells."""
        if not self.since_ms or self.silent(slot.number, sizes):
            self.since_ms = slot.first_ms
            self.shares, self.usual, self.usual_steps = [], {}, 0
            self.traces, self.sights, self.total = {}, [], 0
            self.followers, self.progress = Followers(), Progress()
            self.release, self.released_ms = "", 0
            self.seasons = Seasons()
            self.clumps = Clumps()
        self.born = self.born or slot.number
        self.newest = slot.number
        self.total += slot.total
        self.steps.learn(slot.number // sizes.step_slots, slot.total)
        window, seasons = slot.number // sizes.window_slots, self.seasons
        if window != seasons.window and seasons.count:
            self.clumps.learn(seasons.count, sizes.burst)
        seasons.learn(window, sizes.window_ms, slot.total)
        self._share(slot, sizes)
        for one in self.beginning(slot, sizes.follow_ms):
            self.followers.learn(one, sizes.follow_ms)
        self.progress.learn(slot, sizes.declared)
        for key, cell in slot.cells.items():
            self._trace(key, cell, slot.number, sizes)
        self._released(slot)
        if len(self.sights) > sizes.max_sights:
            self.sights = sorted(self.sights)[-sizes.max_sights :]
        if len(self.traces) > sizes.max_traces:
            self._evict(sizes.max_traces)

    def _released(self, slot: Slot) -> None:
        """Notes a newer release; the order of the slot's cells is that of arrival, so it must not
        matter."""
        release = self.release
        for cell in slot.cells.values():
            if cell.release != release:
                release = newer(release, cell.release)
        if release != self.release:
            first_ms = min(one.first_ms for one in slot.cells.values() if one.release == release)
            self.released_ms = first_ms if self.release else 0
            self.release = release

    def silent(self, number: int, sizes: "Sizes") -> bool:
        """Whether at slot `number` the service is one of which nothing is known."""
        return number - self.newest > self.reach(sizes)

    def beginning(self, slot: Slot, apart_ms: int) -> list[Occurrence]:
        """The fingerprints that begin to come in the slot, in order of time."""
        new = []
        for key, cell in slot.cells.items():
            trace = self.traces.get(key)
            if trace is not None and cell.first_ms - trace.last_ms < apart_ms:
                continue
            if not key.startswith(FOLDED):
                name, event_id = cell.group.error_type, cell.evidence[0][1]
                new.append(Occurrence(cell.first_ms, key, name, event_id))
        return sorted(new, key=lambda one: (one.time_ms, one.key)) if len(new) > 1 else new

    def restarting(self, cell: Cell, sizes: "Sizes") -> bool:
        """Whether a new release goes out, with which instances restart one after the other."""
        release = cell.release
        if release and self.release and release != self.release:
            return newer(self.release, release) == release
        return bool(self.released_ms) and cell.first_ms - self.released_ms < sizes.restart_ms

    def reach(self, sizes: "Sizes") -> int:
        """For how many slots of silence the memory lasts: long, as an error or two in hours say
        that five in a minute are unusual."""
        return sizes.long_slots if self.total else sizes.short_slots

    def clump(self, number: int, sizes: "Sizes") -> float:
        """What `clumps` says at slot `number`."""
        if not self.since_ms:
            return 0.0
        windows = (number - self.since_ms // sizes.slot_ms) / sizes.window_slots
        return self.clumps.follows(windows, sizes.history)

    def window(self, step: int, steps: int) -> Iterator[Share]:
        """The shares of the last `steps` steps before and with `step`."""
        return (one for one in self.shares if step - steps < one.step <= step)

    def _share(self, slot: Slot, sizes: "Sizes") -> None:
        step = slot.number // sizes.share_slots
        if not self.shares or self.shares[-1].step != step:
            self.shares.append(Share(step, 0, {}))
            while self.shares[0].step <= step - _SHARE_WINDOWS * sizes.share_steps:
                self._remember(self.shares.pop(0), sizes.share_steps)
        share = self.shares[-1]
        share.total += slot.total
        for name, count in types_of(slot).items():
            into = name if name in share.types or len(share.types) < _TYPES else _OTHER
            share.types[into] = share.types.get(into, 0) + count

    def _remember(self, share: Share, steps: int) -> None:
        """Folds an older step into the long run, which halves about every ten windows."""
        keep = 1 - _FADES / steps
        usual = {name: count * keep for name, count in self.usual.items() if count > 0.01}
        most = _BUSY_STEP * sum(usual.values()) * _FADES / steps
        part = min(1.0, max(most, float(_FEW)) / share.total)
        for name, count in share.types.items():
            usual[name] = usual.get(name, 0.0) + count * part
        if len(usual) > 2 * _TYPES:
            kept = sorted(usual.items(), key=lambda one: (-one[1], one[0]))[: 2 * _TYPES]
            usual = dict(kept)
        self.usual = usual
        self.usual_steps = min(self.usual_steps + 1, 1_000_000)

    def _trace(self, key: str, cell: Cell, number: int, sizes: "Sizes") -> None:
        trace = self.traces.get(key)
        if trace is None:
            if key.startswith(FOLDED):
                return
            self.traces[key] = Trace(
                cell.first_ms, cell.last_ms, cell.count, number, [], cell.release
            )
            if cell.first_ms - self.since_ms >= sizes.learn_ms:
                self.sights.append(cell.first_ms)
            return
        trace.note(number, cell.count, sizes)
        if (cell.first_ms - trace.last_ms) >= sizes.apart_ms:
            trace.gaps.append(number - trace.start)
            del trace.gaps[:-GAPS]
            trace.start = number
        if cell.first_ms - trace.last_ms >= sizes.follow_ms:
            trace.begun += 1
        trace.last_ms = max(trace.last_ms, cell.last_ms)
        trace.count += cell.count
        if cell.release != trace.release:
            trace.release = newer(trace.release, cell.release)

    def _evict(self, limit: int) -> None:
        """Forgets the tenth that was not seen for longest."""
        order = sorted(self.traces.items(), key=lambda one: (one[1].last_ms, one[0]))
        for key, _ in order[: len(order) - limit * 9 // 10]:
            del self.traces[key]


class Sizes:
    """The lengths in slots that a policy asks for."""

    __slots__ = ("apart_ms", "burst", "declared", "follow_ms", "history", "learn_ms",
                 "long_slots", "max_sights", "max_traces", "restart_ms", "share_slots",
                 "share_steps", "short_slots", "slot_ms", "span_slots", "step_slots", "window_ms",
                 "window_slots")  # fmt: skip

    def __init__(self, policy: DetectorsPolicy) -> None:
        slot = self.slot_ms = policy.slot_ms
        burst_slots = self.window_slots = max(1, policy.burst.window_ms // slot)
        self.window_ms = burst_slots * slot
        self.burst = policy.burst.count
        self.history = policy.burst.history
        self.step_slots = max(1, policy.degradation.window_ms // (STEPS // 2) // slot)
        self.span_slots = max(1, self.step_slots // (SPANS // STEPS))
        self.share_slots = max(1, policy.dominant.window_ms // 6 // slot)
        self.share_steps = max(1, policy.dominant.window_ms // slot // self.share_slots)
        self.max_traces = policy.max_groups_per_service
        self.max_sights = policy.novel.usual + 1
        self.learn_ms = policy.novel.learn_ms
        self.apart_ms = policy.periodic.min_period_ms // 2
        self.follow_ms = policy.sequence.window_ms
        self.declared = policy.sequence.declared if policy.sequence.enabled else ()
        self.restart_ms = policy.restart_ms
        self.short_slots = max(
            policy.recurring.within_ms // slot, (MEMORY + _SKIP_WINDOWS) * burst_slots
        )
        self.long_slots = max(self.short_slots, policy.regression.remember_ms // slot)
        if not policy.regression.enabled:
            self.long_slots = self.short_slots


def types_of(slot: Slot) -> dict[str, int]:
    """Events by error type, in the order of the types' names."""
    found: dict[str, int] = {}
    for cell in slot.cells.values():
        name = cell.group.error_type or _OTHER
        found[name] = found.get(name, 0) + cell.count
    return dict(sorted(found.items())) if len(found) > 1 else found
