"""Telling: episodes as Pattern records with ids and revisions that every order of arrival shares.

Revision 1 opens; an update's revision is the event time it refers to, counted from the anchor in
tenths of a second; the closing one follows from the last event's time alone and is larger than
any before it.
"""

from faultstream.core.decide import route
from faultstream.core.detect.state import Lane, Published, ServiceState
from faultstream.core.episode import Episode, sole
from faultstream.core.ids import derive
from faultstream.core.policy import Topology
from faultstream.core.records import Affected, Pattern, PatternKind, PatternState
from faultstream.core.severity import worst


class Telling:
    """Writes patterns. Holds no state of its own."""

    def __init__(self, topology: Topology, bucket_ms: int) -> None:
        policy = topology.detectors
        self._topology = topology
        self._bucket_ms = bucket_ms
        self._reach_ms = policy.allowed_lateness_ms + 2 * policy.slot_ms
        self._unit_ms = min(100, policy.update_ms)

    def opened(
        self, state: ServiceState, lane: Lane, episode: Episode, *, as_of_ms: int, rate: float
    ) -> tuple[Pattern, Published]:
        """The first revision, and the note that it was published."""
        pattern_id = self._id(state, lane, episode.kind, episode.key, episode.anchor_ms)
        before = lane.withdrawn.pop(pattern_id, None)
        told = Published(
            pattern_id,
            episode.anchor_ms,
            1 if before is None else before.revision + 1,
            as_of_ms,
            episode.count,
            rate,
        )
        return self._pattern(state, lane, episode, told, "open"), told

    def updated(
        self,
        state: ServiceState,
        lane: Lane,
        episode: Episode,
        told: Published,
        *,
        as_of_ms: int,
        rate: float,
    ) -> Pattern:
        """A further revision as of `as_of_ms`; changes `told`."""
        told.revision = max(told.revision + 1, self._revision(told, as_of_ms))
        told.at_ms, told.count, told.rate = as_of_ms, episode.count, rate
        return self._pattern(state, lane, episode, told, "updated")

    def closed(self, state: ServiceState, lane: Lane, episode: Episode, told: Published) -> Pattern:
        """The last revision of an episode."""
        closed_ms = episode.closes_ms
        told.revision = max(told.revision + 1, self._revision(told, closed_ms + self._reach_ms))
        told.rate = 0.0
        pattern = self._pattern(state, lane, episode, told, "closed")
        pattern.closed_at_ms = closed_ms
        return pattern

    def withdrawn(
        self, state: ServiceState, lane: Lane, told: Published, *, kind: PatternKind, key: str
    ) -> Pattern:
        """Takes back an opening that later arrivals refuted; it may be said again."""
        told.revision += 1
        lane.withdrawn[told.pattern_id] = told
        return Pattern(
            pattern_id=told.pattern_id,
            revision=told.revision,
            kind=kind,
            state="closed",
            environment=state.environment,
            service=state.service,
            fingerprint=key,
            first_at_ms=told.anchor_ms,
            last_at_ms=told.at_ms,
            detected_at_ms=told.at_ms,
            closed_at_ms=told.at_ms,
            reason="withdrawn: events that came later changed the picture",
            experiment_id=lane.experiment_id,
        )

    def _revision(self, told: Published, time_ms: int) -> int:
        """Tenths of a second since the anchor, so that 32 bits last for years."""
        return 2 + (time_ms - told.anchor_ms) // self._unit_ms

    def _id(
        self, state: ServiceState, lane: Lane, kind: PatternKind, key: str, anchor_ms: int
    ) -> str:
        parts = (kind, state.environment, state.service, key, lane.experiment_id, anchor_ms)
        return derive("pattern", *parts)

    def _pattern(
        self,
        state: ServiceState,
        lane: Lane,
        episode: Episode,
        told: Published,
        phase: PatternState,
    ) -> Pattern:
        group = episode.face()
        service = self._topology.services.get(state.service)
        layer = episode.layer if service is None else service.layer
        severity = episode.group.verdict.severity if group is None else group.verdict.severity
        for face in episode.faces.values():
            severity = worst(severity, face.group.verdict.severity)
        shown = episode.shown()
        pattern = Pattern(
            pattern_id=told.pattern_id,
            revision=told.revision,
            kind=episode.kind,
            state=phase,
            environment=state.environment,
            service=state.service,
            layer=layer,
            fingerprint="" if group is None else group.fingerprint,
            error_type="" if group is None else group.error_type,
            category="" if group is None else group.verdict.category,
            severity=severity,
            transient=False if group is None else group.verdict.transient,
            first_at_ms=episode.first_ms,
            last_at_ms=episode.last_ms,
            detected_at_ms=episode.detected_ms,
            count=episode.count,
            rate=told.rate,
            baseline=episode.baseline,
            confidence=episode.confidence,
            affected=Affected(() if episode.left else (state.service,), (layer,) if layer else ()),
            edges=list(episode.edges),
            root=state.service,
            evidence=[one[1] for one in shown],
            traces=sorted({one[3] for one in shown if one[3]}),
            parents=sorted({one[4] for one in shown if one[4]}),
            reason=episode.reason,
            experiment_id=lane.experiment_id,
            operation=sole(episode.operations),
            dependency=sole(episode.dependencies),
            named=episode.named(),
            left=episode.left,
        )
        if episode.due_ms:
            pattern.expected_at_ms = episode.expected_ms
            pattern.due_at_ms = episode.due_ms
            pattern.came_true = bool(episode.true_ms) if phase == "closed" else None
        found = route(self._topology, pattern)
        pattern.suggested_actions = [] if found is None else list(found.strategies)
        return pattern
