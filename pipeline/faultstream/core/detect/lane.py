"""Judge: settles the slots of a lane, keeps its episodes, and says what changed."""

from collections.abc import Iterable, Sequence
from typing import Final

from faultstream.core.detect.fleet import NEVER_HELD
from faultstream.core.detect.memory import Sizes
from faultstream.core.detect.predict import LIMITS, Foresight
from faultstream.core.detect.predict_state import Outlook
from faultstream.core.detect.ring import Detector, Finding, Ring
from faultstream.core.detect.state import FAR, Lane, Published, ServiceState
from faultstream.core.detect.telling import Telling
from faultstream.core.episode import Episode, begin, follow
from faultstream.core.policy import Topology
from faultstream.core.records import Pattern
from faultstream.core.tally import Slot

STEADY: Final = 3
"""What goes on as it was last told is told again after so many `update_ms`."""
_AS_TOLD: Final = 0.25


class Judge:
    """Runs detectors over lanes. Holds no state of its own."""

    def __init__(self, topology: Topology, detectors: Sequence[Detector]) -> None:
        policy = topology.detectors
        self._detectors = detectors
        self._eager = [one for one in detectors if not one.patient]
        self._slot_ms = policy.slot_ms
        self._quiet_ms = policy.quiet_ms
        self._update_ms = policy.update_ms
        self._steady_ms = STEADY * policy.update_ms
        self._rate_slots = max(1, policy.rate_window_ms // policy.slot_ms)
        self._bucket_ms = max(policy.slot_ms, policy.quiet_ms - policy.slot_ms)
        self._max_episodes = policy.max_groups_per_service
        self._back_events = max((one.back_events for one in detectors), default=0)
        back_ms = max((one.back_ms for one in detectors), default=0)
        self._back_slots = max(self._rate_slots, back_ms // policy.slot_ms)
        self._within = policy.recurring.within_ms // policy.slot_ms
        self._burst_slots = max(1, policy.burst.window_ms // policy.slot_ms)
        self._telling = Telling(topology, self._bucket_ms)
        self._sizes = Sizes(policy)
        self._foresight = Foresight(policy)

    def lane(self, state: ServiceState, lane: Lane, boundary: int, as_of_ms: int) -> list[Pattern]:
        """Settles all slots below `boundary`, then judges what may still change."""
        out: list[Pattern] = []
        advanced = boundary > state.settled
        if advanced:
            for number in sorted(n for n in lane.pending if n < boundary):
                self._close_due(state, lane, number, out)
                self._settle(state, lane, lane.pending.pop(number), out)
            self._close_due(state, lane, boundary, out)
            if lane.withdrawn:
                settled_ms = boundary * self._slot_ms - self._bucket_ms
                lane.withdrawn = {
                    name: one for name, one in lane.withdrawn.items() if one.anchor_ms > settled_ms
                }
            if lane.refuted:
                oldest = boundary - self._quiet_ms // self._slot_ms
                lane.refuted = {name: at for name, at in lane.refuted.items() if at > oldest}
        if lane.dirty or advanced:
            self._speculate(state, lane, as_of_ms, out, advanced=advanced)
            lane.dirty.clear()
            lane.dirty_from = FAR
        if as_of_ms >= lane.update_at:
            self._update(state, lane, as_of_ms, out)
        return out

    def forgettable(self, lane: Lane, boundary: int) -> bool:
        """Whether a new lane would behave in the same way from slot `boundary` on."""
        if lane.pending or lane.open:
            return False
        last = lane.recent[-1].number if lane.recent else -FAR
        return (boundary - last) * self._slot_ms > self.lasting_ms(lane)

    def lasting_ms(self, lane: Lane) -> int:
        """After so much quiet nothing that happened before matters any more."""
        return (lane.memory.reach(self._sizes) + 1) * self._slot_ms

    def _settle(self, state: ServiceState, lane: Lane, slot: Slot, out: list[Pattern]) -> None:
        self._foresee(lane, slot)
        recent = lane.recent
        recent.append(slot)
        ring = self._ring(state, lane, recent)
        at = len(recent) - 1
        for detector in self._detectors:
            episodes = lane.episodes.setdefault(detector.kind, {})
            for key in self._keys(detector, ring, at, episodes):
                episode = episodes.get(key)
                continued, finding = follow(detector, episode, ring, at, key=key)
                if continued or finding is None:
                    continue
                if episode is not None:
                    self._close(state, lane, episode, out)
                elif len(episodes) >= self._max_episodes:
                    continue
                if not self._is_new(detector, lane, key, finding, ring=ring, at=at):
                    continue
                fresh = self._begin(detector, lane, key, finding, ring=ring, at=at)
                episodes[key] = fresh
                self._opened(state, lane, fresh, out)
        self._come_true(state, lane, slot, out)
        lane.baseline.add(slot.number // self._burst_slots, slot.total)
        lane.memory.learn(slot, self._sizes)
        self._forget(lane)

    def _foresee(self, lane: Lane, slot: Slot) -> None:
        """Before detectors are asked: what is to be expected, from the slots before this one."""
        if self._foresight.enabled:
            if lane.memory.silent(slot.number, self._sizes):
                lane.memory.outlook = Outlook()
            self._foresight.before(lane.memory.outlook, lane.baseline, slot)

    def _come_true(self, state: ServiceState, lane: Lane, slot: Slot, out: list[Pattern]) -> None:
        """After they were asked: a limit that is newly crossed fulfils what was predicted."""
        if not self._foresight.enabled:
            return
        crossed = any(
            not one.early for kind in LIMITS for one in lane.episodes.get(kind, {}).values()
        )
        if self._foresight.after(lane.memory.outlook, slot, crossed=crossed):
            for episode in tuple(lane.episodes.get("predicted", {}).values()):
                episode.true_ms = slot.number * self._slot_ms
                self._close(state, lane, episode, out)

    def _ring(self, state: ServiceState, lane: Lane, slots: Sequence[Slot]) -> Ring:
        hold = NEVER_HELD
        if state.fleet is not None and lane is state.main and slots:
            since_ms = lane.memory.since_ms
            hold = state.fleet.hold(since_ms // self._slot_ms if since_ms else slots[0].number)
        return Ring(
            slots, lane.baseline, lane.memory, self._slot_ms, service=state.service, hold=hold
        )

    def _keys(
        self, detector: Detector, ring: Ring, at: int, episodes: dict[str, Episode]
    ) -> Sequence[str]:
        """The keys that a detector is asked about, in order."""
        keys = detector.keys(ring, at)
        if detector.scope == "service":
            return tuple(keys)
        if detector.patient:
            keys = {*keys, *(key for key in episodes if key in ring.slots[at].cells)}
        return sorted(keys)

    def _forget(self, lane: Lane) -> None:
        recent = lane.recent
        newest = recent[-1].number
        seen = 0
        keep = len(recent)
        while keep > 0 and (
            seen < self._back_events or recent[keep - 1].number > newest - self._rate_slots
        ):
            keep -= 1
            seen += recent[keep].total
        for slot in recent[:keep]:
            slot.thin()
        drop = 0
        while drop < keep and recent[drop].number <= newest - self._back_slots:
            drop += 1
        del recent[:drop]
        if len(lane.ended) > self._max_episodes:
            lane.ended = {k: n for k, n in lane.ended.items() if n > newest - self._within}

    def _is_new(
        self, detector: Detector, lane: Lane, key: str, finding: Finding, *, ring: Ring, at: int
    ) -> bool:
        """Whether the events since the key's previous episode are enough by themselves. Else a
        single error after the end would open it again on the strength of those already told."""
        after = lane.ended.get(f"{detector.kind}/{key}", -FAR)
        if finding.since > after:
            return True
        count = 0
        while at >= 0 and ring.slots[at].number > after and count < finding.needed:
            count += ring.slots[at].count(key)
            at -= 1
        return count >= finding.needed

    def _begin(
        self, detector: Detector, lane: Lane, key: str, finding: Finding, *, ring: Ring, at: int
    ) -> Episode:
        after = lane.ended.get(f"{detector.kind}/{key}", -FAR)
        return begin(
            detector.kind,
            key,
            finding,
            ring=ring,
            at=at,
            after=after,
            bucket_ms=self._bucket_ms,
            quiet_ms=self._quiet_ms,
        )

    def _close_due(self, state: ServiceState, lane: Lane, limit: int, out: list[Pattern]) -> None:
        for episodes in lane.episodes.values():
            for episode in [
                one for one in episodes.values() if one.closes_ms // self._slot_ms < limit
            ]:
                self._close(state, lane, episode, out)

    def _close(self, state: ServiceState, lane: Lane, episode: Episode, out: list[Pattern]) -> None:
        del lane.episodes[episode.kind][episode.key]
        lane.ended[f"{episode.kind}/{episode.key}"] = episode.last_ms // self._slot_ms
        told = lane.published[episode.kind].pop(episode.key)
        if episode.key:
            lane.dirty.add(episode.key)
        lane.dirty_from = -FAR
        out.append(self._telling.closed(state, lane, episode, told))

    def _opened(
        self, state: ServiceState, lane: Lane, episode: Episode, out: list[Pattern]
    ) -> None:
        """A settled episode opened: say so, unless it was said already."""
        published = lane.published.setdefault(episode.kind, {})
        told = published.get(episode.key)
        if told is not None and told.anchor_ms == episode.anchor_ms:
            return
        self._tell(state, lane, episode, episode.last_ms, out)
        if told is not None:
            out.append(
                self._telling.withdrawn(state, lane, told, kind=episode.kind, key=episode.key)
            )

    def _tell(
        self, state: ServiceState, lane: Lane, episode: Episode, as_of_ms: int, out: list[Pattern]
    ) -> None:
        at_ms = max(as_of_ms, episode.last_ms)
        rate = self._rate(lane, episode.key, at_ms)
        pattern, told = self._telling.opened(state, lane, episode, as_of_ms=at_ms, rate=rate)
        lane.published.setdefault(episode.kind, {})[episode.key] = told
        lane.update_at = min(lane.update_at, at_ms + self._update_ms)
        out.append(pattern)

    def _speculate(
        self,
        state: ServiceState,
        lane: Lane,
        as_of_ms: int,
        out: list[Pattern],
        *,
        advanced: bool,
    ) -> None:
        """Opens what slots that may still change call for; withdraws what they refute.

        What was refuted before opens only by slots that newer ones follow: else the first events
        of every slot would open what its others refute.
        """
        pending = [lane.pending[number] for number in sorted(lane.pending)]
        ring = self._ring(state, lane, [*lane.recent, *pending])
        base = len(lane.recent)
        start = self._start(pending, base, lane.dirty_from)
        newest = range(start, len(ring.slots))
        for detector in self._eager:
            published = lane.published.setdefault(detector.kind, {})
            keys: Iterable[str]
            if detector.scope == "service":
                keys = () if "" in published or not pending else ("",)
            else:
                keys = sorted(lane.dirty.difference(published))
            for key in keys:
                if len(published) >= self._max_episodes:
                    break
                positions = newest
                if f"{detector.kind}/{key}" in lane.refuted:
                    positions = range(max(base, start - 1), len(ring.slots) - 1)
                episode = self._ahead(detector, lane, key, ring, positions)
                if episode is not None:
                    self._tell(state, lane, episode, as_of_ms, out)
            if advanced:
                self._recheck(state, lane, detector, ring=ring, as_of_ms=as_of_ms, out=out)

    def _start(self, pending: Sequence[Slot], base: int, number: int) -> int:
        at = len(pending)
        while at > 0 and pending[at - 1].number >= number:
            at -= 1
        return base + at

    def _recheck(
        self,
        state: ServiceState,
        lane: Lane,
        detector: Detector,
        *,
        ring: Ring,
        as_of_ms: int,
        out: list[Pattern],
    ) -> None:
        settled = lane.episodes.get(detector.kind, {})
        published = lane.published[detector.kind]
        positions = range(len(lane.recent), len(ring.slots))
        for key in [key for key in published if key not in settled]:
            told = published[key]
            episode = self._ahead(detector, lane, key, ring, positions)
            if episode is not None and episode.anchor_ms == told.anchor_ms:
                continue
            del published[key]
            if episode is not None:
                self._tell(state, lane, episode, as_of_ms, out)
            else:
                lane.refuted[f"{detector.kind}/{key}"] = ring.slots[-1].number
            out.append(self._telling.withdrawn(state, lane, told, kind=detector.kind, key=key))

    def _ahead(
        self, detector: Detector, lane: Lane, key: str, ring: Ring, positions: range
    ) -> Episode | None:
        """The key's episode as it would be if the slots at `positions` were settled."""
        settled = lane.episodes.get(detector.kind, {}).get(key)
        episode = None if settled is None else settled.duplicate()
        for at in positions if not detector.patient else ():
            slot = ring.slots[at]
            if key and key not in slot.cells:
                continue
            if episode is None:
                finding = detector.find(ring, at, key)
                if finding is not None and self._is_new(
                    detector, lane, key, finding, ring=ring, at=at
                ):
                    episode = self._begin(detector, lane, key, finding, ring=ring, at=at)
                continue
            continued, finding = follow(detector, episode, ring, at, key=key)
            if finding is not None and not continued:
                break
        return episode

    def _update(self, state: ServiceState, lane: Lane, as_of_ms: int, out: list[Pattern]) -> None:
        """Tells news of open episodes, each at most every `update_ms` of event time, and seldom
        when its rate is what was told."""
        pending = [lane.pending[number] for number in sorted(lane.pending)]
        ring = self._ring(state, lane, [*lane.recent, *pending])
        positions = range(len(lane.recent), len(ring.slots))
        soonest = FAR
        for detector in self._detectors:
            if detector.kind == "predicted":
                continue  # it is held to what it said at first
            for key, told in lane.published.get(detector.kind, {}).items():
                since_ms = as_of_ms - told.at_ms
                if since_ms >= self._update_ms:
                    if since_ms < self._steady_ms and self._as_told(lane, key, told, as_of_ms):
                        soonest = min(soonest, as_of_ms + self._update_ms)
                        continue
                    episode = self._ahead(detector, lane, key, ring, positions)
                    at_ms = as_of_ms if episode is None else max(as_of_ms, episode.last_ms)
                    rate = self._rate(lane, key, at_ms)
                    if episode is None or (episode.count == told.count and rate == told.rate):
                        told.at_ms = at_ms
                    else:
                        out.append(
                            self._telling.updated(
                                state, lane, episode, told, as_of_ms=at_ms, rate=rate
                            )
                        )
                soonest = min(soonest, told.at_ms + self._update_ms)
        lane.update_at = soonest

    def _as_told(self, lane: Lane, key: str, told: Published, as_of_ms: int) -> bool:
        return abs(self._rate(lane, key, as_of_ms) - told.rate) <= _AS_TOLD * told.rate

    def _rate(self, lane: Lane, key: str, as_of_ms: int) -> float:
        """Events a second over the slots of the `rate_window_ms` before `as_of_ms`."""
        newest = as_of_ms // self._slot_ms
        oldest = newest - self._rate_slots
        count = sum(slot.count(key) for n, slot in lane.pending.items() if oldest < n <= newest)
        for slot in reversed(lane.recent):
            if slot.number <= oldest:
                break
            count += slot.count(key)
        return round(count * 1000 / (self._rate_slots * self._slot_ms), 4)
