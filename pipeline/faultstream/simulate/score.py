"""Score: what was found of what was planted, and what was found that nobody planted.

A pattern about one fingerprint belongs to an incident when its evidence holds one of the
incident's errors; one about a whole service when it overlaps the incident there, up to a minute
before and two after. Everything else is false, but for one kind that is counted apart as
`ordinary`: a recurring pattern of an error that indeed came again and again without an incident.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from faultstream.core.detect import is_withdrawn
from faultstream.core.policy import Topology
from faultstream.core.records import Pattern
from faultstream.simulate.generate import Arrival, Run
from faultstream.simulate.planting import Truth
from faultstream.simulate.replay import Replay, Told

COLD_MS: Final = 3_600_000
"""A run begins with detectors that know nothing of the fleet; what is opened in this first part is
counted apart too."""
BEFORE_MS: Final = 60_000
AFTER_MS: Final = 120_000
_TELL_EVERY: Final = 2_000
_SEVERAL: Final = frozenset({"cascade", "correlation", "sequence"})


class Hit(msgspec.Struct, kw_only=True):
    """How one incident fared. `after_ms` runs from when it was felt to the first pattern that it
    needs, `noticed_ms` to the first of any kind; `occurrences` are its errors that had arrived by
    the first; `root` is what a cascade named."""

    seed: int
    truth: Truth
    found: tuple[str, ...] = ()
    after_ms: int | None = None
    noticed_ms: int | None = None
    occurrences: int | None = None
    root: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The kinds of pattern that should have been found and were not."""
        return tuple(kind for kind in self.truth.must if kind not in self.found)


class Wrong(msgspec.Struct, kw_only=True):
    """An episode without an incident, `into_ms` after the run began."""

    into_ms: int
    seed: int
    kind: str
    service: str
    error_type: str
    count: int
    confidence: float
    at_ms: int
    lasted_ms: int
    reason: str


class Tally(msgspec.Struct):
    """What seeds add up to. `episodes` are patterns that were not withdrawn, by kind; `wrong`
    those without an incident, `ordinary` as in the module; `cold_` ones are of the first hour."""

    runs: int = 0
    events: int = 0
    late: int = 0
    commands: int = 0
    cold_commands: int = 0
    incidents: Counter[str] = msgspec.field(default_factory=Counter)
    cold_incidents: int = 0
    withdrawn: int = 0
    episodes: Counter[str] = msgspec.field(default_factory=Counter)
    ordinary: Counter[str] = msgspec.field(default_factory=Counter)
    wrong: list[Wrong] = msgspec.field(default_factory=list)
    hits: list[Hit] = msgspec.field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Takes another run in."""
        self.runs += other.runs
        self.events += other.events
        self.late += other.late
        self.commands += other.commands
        self.cold_commands += other.cold_commands
        self.incidents.update(other.incidents)
        self.cold_incidents += other.cold_incidents
        self.withdrawn += other.withdrawn
        self.episodes.update(other.episodes)
        self.ordinary.update(other.ordinary)
        self.wrong += other.wrong
        self.hits += other.hits


class Watch:
    """Notes which events belong to which incident while they pass by, and tells how far it is:
    `tell` gets the time of arrival every few thousand events."""

    def __init__(self, tell: Callable[[int], None] | None = None) -> None:
        self._tell = tell
        self.incident: dict[str, int] = {}
        self.arrived: dict[int, list[int]] = defaultdict(list)

    def over(self, arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
        """The arrivals themselves."""
        for number, one in enumerate(arrivals):
            if self._tell is not None and number % _TELL_EVERY == 0:
                self._tell(one.arrived_ms)
            if one.incident >= 0:
                self.incident[one.event.event_id] = one.incident
                self.arrived[one.incident].append(one.arrived_ms)
            yield one


def play(run: Run, topology: Topology, tell: Callable[[int], None] | None = None) -> Tally:
    """Replays the run through detect and respond of `topology`, and scores it; `tell` gets the
    simulated time now and then."""
    watch, replay = Watch(tell), Replay(topology, run.scenario.partitions)
    tally = score(run, watch, replay.patterns(watch.over(run.arrivals())))
    warm_ms = run.start_ms + COLD_MS
    tally.events, tally.late, tally.commands = replay.events, replay.late, len(replay.commands)
    tally.cold_commands = sum(1 for at_ms in replay.commands if at_ms < warm_ms)
    tally.incidents = Counter(kind for _, kind in replay.incidents)
    tally.cold_incidents = sum(1 for at_ms, _ in replay.incidents if at_ms < warm_ms)
    return tally


def score(run: Run, watch: Watch, told: Iterable[Told]) -> Tally:
    """The tally of one run, of which `told` is everything that was said."""
    first: dict[str, int] = {}
    last: dict[str, Pattern] = {}
    for one in told:
        first.setdefault(one.pattern.pattern_id, one.at_ms)
        last[one.pattern.pattern_id] = one.pattern
    tally = Tally(runs=1, hits=[Hit(seed=run.seed, truth=truth) for truth in run.truths])
    for name, pattern in last.items():
        if is_withdrawn(pattern):
            tally.withdrawn += 1
            continue
        tally.episodes[pattern.kind] += 1
        owners = _owners(run.truths, watch, pattern)
        for index in owners:
            _credit(tally.hits[index], pattern, first[name], watch.arrived[index])
        if owners:
            continue
        if pattern.kind == "recurring":
            tally.ordinary[pattern.kind] += 1
        else:
            tally.wrong.append(_wrong(run, pattern))
    return tally


def _credit(hit: Hit, pattern: Pattern, told_ms: int, arrived: list[int]) -> None:
    """Notes that the incident was found by `pattern`, first told at `told_ms`."""
    truth = hit.truth
    hit.found = tuple(sorted({*hit.found, pattern.kind}))
    if pattern.kind == "cascade":
        hit.root = hit.root or pattern.root
    after = max(0, told_ms - truth.felt_at_ms)
    if hit.noticed_ms is None or after < hit.noticed_ms:
        hit.noticed_ms = after
    if pattern.kind in truth.must and (hit.after_ms is None or after < hit.after_ms):
        hit.after_ms = after
        hit.occurrences = sum(1 for at in arrived if at <= told_ms)


def _owners(truths: list[Truth], watch: Watch, pattern: Pattern) -> list[int]:
    """The incidents that a pattern belongs to."""
    by_event = {watch.incident[name] for name in pattern.evidence if name in watch.incident}
    if pattern.fingerprint and pattern.kind not in _SEVERAL:
        return sorted(by_event)
    services = {pattern.service, *pattern.affected.services}
    overlap = {
        index
        for index, truth in enumerate(truths)
        if services & {*truth.services, truth.root}
        and pattern.first_at_ms <= truth.end_at_ms + AFTER_MS
        and pattern.last_at_ms >= truth.first_at_ms - BEFORE_MS
    }
    return sorted(by_event | overlap)


def _wrong(run: Run, pattern: Pattern) -> Wrong:
    return Wrong(
        into_ms=pattern.first_at_ms - run.start_ms,
        seed=run.seed,
        kind=pattern.kind,
        service=pattern.service,
        error_type=pattern.error_type,
        count=pattern.count,
        confidence=pattern.confidence,
        at_ms=pattern.first_at_ms,
        lasted_ms=pattern.last_at_ms - pattern.first_at_ms,
        reason=pattern.reason,
    )
