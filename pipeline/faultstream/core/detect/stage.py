"""Detect: the stage that turns events into patterns.

`observe` counts one event; `judge` says what changed. Slots older than the watermark are
settled: they are folded into episodes in ascending order and never change again, so the last
revision of every pattern depends only on the events that were not late. Slots that may still
change are judged too, at once, which is why a pattern opens with the very event that completes
it. Should later arrivals refute such an opening, the pattern is withdrawn: closed with count 0.

Both may be repeated after a crash from a saved state: equal input gives equal output.
"""

from typing import Final

from faultstream.core.detect.baseline import Baseline
from faultstream.core.detect.burst import Burst
from faultstream.core.detect.critical import Critical
from faultstream.core.detect.degradation import Degradation
from faultstream.core.detect.dominant import Dominant
from faultstream.core.detect.fleet import Fleets
from faultstream.core.detect.high_rate import HighRate
from faultstream.core.detect.lane import Judge
from faultstream.core.detect.novel import Novel
from faultstream.core.detect.periodic import Periodic
from faultstream.core.detect.predict import Predicted
from faultstream.core.detect.recurring import Recurring
from faultstream.core.detect.regression import Regression
from faultstream.core.detect.ring import Detector
from faultstream.core.detect.saving import load, save
from faultstream.core.detect.sequence import Sequence
from faultstream.core.detect.state import NEVER, Lane, ServiceState
from faultstream.core.group import Group
from faultstream.core.policy import Topology
from faultstream.core.records import Pattern
from faultstream.core.tally import DEPENDENCY_TAG, Cell, Sighting, Slot, folded, newer

DETECTORS: Final[tuple[type[Detector], ...]] = (
    Critical,
    Recurring,
    Burst,
    HighRate,
    Degradation,
    Dominant,
    Novel,
    Regression,
    Periodic,
    Sequence,
    Predicted,
)
"""Every detector there is; one file and one line here make a new one."""

MAX_EXPERIMENTS: Final = 16
_OTHER_EXPERIMENTS: Final = "others"


def is_withdrawn(pattern: Pattern) -> bool:
    """Whether this revision takes back an opening that the full picture did not confirm."""
    return pattern.state == "closed" and pattern.count == 0


class Detect:
    """The detectors of a topology, over one `ServiceState` per service and partition."""

    def __init__(self, topology: Topology) -> None:
        policy = self._policy = topology.detectors
        self._declared = len(topology.services)
        self._slot_ms = policy.slot_ms
        self._ahead_ms = policy.max_ahead_ms
        self._late_ms = policy.late_ms
        self._max_groups = policy.max_groups_per_service
        self._burst = policy.burst
        self._lateness_ms = policy.allowed_lateness_ms
        detectors = [made for made in (kind(policy) for kind in DETECTORS) if made.enabled]
        self._judge = Judge(topology, detectors)
        self._folded: dict[tuple[str, str], Group] = {}

    def fleets(self) -> Fleets:
        """What the states of one partition share; see fleet.py."""
        return Fleets(self._policy, self._declared)

    def new(self, environment: str, service: str, fleets: Fleets | None = None) -> ServiceState:
        """The state of a service of which nothing is known yet; without `fleets` it is alone."""
        fleet = None if fleets is None else fleets.of(environment)
        return ServiceState(environment, service, self._burst, fleet)

    def join(self, state: ServiceState, fleets: Fleets) -> None:
        """Puts a loaded state into its fleet, before any of its partition is judged."""
        state.fleet = fleets.of(state.environment)
        memory = state.main.memory
        if not memory.born:  # of a version that did not know it, or nothing has settled
            memory.born = memory.since_ms // self._slot_ms
        born = memory.born or min(state.main.pending, default=0)
        if born:
            state.fleet.note(state.service, born)

    def observe(  # noqa: C901 - the hot path, in one place
        self, state: ServiceState, event: Sighting, group: Group, event_id: str, record_ms: int
    ) -> bool:
        """Counts an admitted event. False: it is late and was not counted.

        `record_ms` is the time of the Kafka record (not later than the present); an event that
        claims to be more than `max_ahead_ms` after it is counted at that time instead. One whose
        slot has settled, because a `judge` of this state saw a watermark past it, counts at the
        begin of the first slot that has not; late means more than `late_ms` before that.
        """
        time: int = event.time  # type: ignore[assignment]  # admitted events have integers
        if time > record_ms + self._ahead_ms:
            time = record_ms
        number = time // self._slot_ms
        count = event.count
        if number < state.settled:
            if (state.settled - number) * self._slot_ms > self._late_ms:
                state.late += count
                return False
            number = state.settled
            time = number * self._slot_ms
        lane = state.main if not event.experiment_id else self._lane(state, event.experiment_id)
        slot = lane.pending.get(number)
        if slot is None:
            slot = lane.pending[number] = Slot(number)
            if not lane.memory.born and lane is state.main and state.fleet is not None:
                state.fleet.note(state.service, number)
        slot.total += count
        slot.saved = None
        key = group.fingerprint
        cell = slot.cells.get(key)
        if cell is None and len(slot.cells) >= self._max_groups:
            state.folded += count
            group = self._fold(group)
            key = group.fingerprint
            cell = slot.cells.get(key)
        if cell is None:
            evidence = [(time, event_id, count, event.trace_id, event.parent_event_id)]
            slot.cells[key] = Cell(
                count,
                time,
                time,
                group,
                event.layer,
                evidence,
                event.release,
                event.operation,
                event.tags.get(DEPENDENCY_TAG, "") if event.tags else "",
            )
        else:
            cell.add(event, time, group, event_id)
            if event.release != cell.release:
                cell.release = newer(cell.release, event.release)
        if time > state.newest_ms:  # noqa: PLR1730 - max() costs a call per event
            state.newest_ms = time
        if number < lane.dirty_from:  # noqa: PLR1730 - the same
            lane.dirty_from = number
        lane.dirty.add(key)
        return True

    def judge(self, state: ServiceState, watermark_ms: int) -> list[Pattern]:
        """The patterns that changed, now that the partition's watermark is `watermark_ms`.

        Call it after a chunk for every touched service and about once a second for every
        `due` one. The time that updates and rates refer to is watermark + allowed lateness,
        which is the newest event time of the partition.
        """
        changed: list[Pattern] = []
        boundary = max(state.settled, watermark_ms // self._slot_ms)
        for lane in tuple(state.lanes.values()):
            changed += self._judge.lane(state, lane, boundary, watermark_ms + self._lateness_ms)
            if lane is not state.main and self._judge.forgettable(lane, boundary):
                del state.lanes[lane.experiment_id]
        state.settled = boundary
        return changed

    def due(self, state: ServiceState) -> bool:
        """Whether `judge` may have news when only the watermark moves."""
        return any(lane.pending or lane.open for lane in state.lanes.values())

    def idle(self, state: ServiceState, watermark_ms: int | None = None) -> bool:
        """Whether the state may be dropped: a new one would behave in the same way.

        `watermark_ms` is the partition's; without it, the last one that the state was judged by.
        """
        if self.due(state):
            return False
        now_ms = state.settled * self._slot_ms if watermark_ms is None else watermark_ms
        if state.newest_ms == NEVER:
            return True
        memory_ms = max(self._judge.lasting_ms(lane) for lane in state.lanes.values())
        return now_ms - state.newest_ms > memory_ms

    def save(self, state: ServiceState) -> bytes:
        """The state as bytes."""
        return save(state)

    def load(self, raw: bytes) -> ServiceState:
        """The state that `save` wrote."""
        return load(raw, self._burst)

    def _lane(self, state: ServiceState, experiment_id: str) -> Lane:
        lane = state.lanes.get(experiment_id)
        if lane is None:
            if len(state.lanes) > MAX_EXPERIMENTS:
                experiment_id = _OTHER_EXPERIMENTS
            lane = state.lanes.setdefault(experiment_id, Lane(experiment_id, Baseline(self._burst)))
        return lane

    def _fold(self, group: Group) -> Group:
        kind = (group.verdict.category, group.verdict.severity)
        found = self._folded.get(kind)
        if found is None:
            found = self._folded[kind] = folded(group)
        return found
