"""Replay: detect and respond over a simulated stream, as workers would run them, without Kafka.

Records lie in partitions by service and are taken in order of arrival; each partition has its own
watermark, ticked once a second of simulated time. Patterns go on to respond, whose commands are
answered by simulated executors half a second later: always done, never of any effect. So what a
pattern is told at is the simulated time at which it would have been on its topic.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final
from zlib import crc32

import msgspec

from faultstream.core.detect import Detect, ServiceState
from faultstream.core.grouping import Grouper
from faultstream.core.ids import derive
from faultstream.core.policy import Topology
from faultstream.core.records import Incident, Pattern, RecoveryCommand, RecoveryResult
from faultstream.core.respond import EnvironmentState, Output, Respond, Tick
from faultstream.core.watermark import Watermark
from faultstream.formats.native import admit
from faultstream.simulate.generate import Arrival
from faultstream.wire import encode_event

_TICK_MS: Final = 1_000
_DRAIN_MS: Final = 3_600_000
_ANSWER_MS: Final = 500


class Told(msgspec.Struct, frozen=True, gc=False):
    """A revision of a pattern, and when the world learned it."""

    at_ms: int
    pattern: Pattern


class _Partition:
    def __init__(self, topology: Topology, detect: Detect) -> None:
        self.mark = Watermark(topology.detectors)
        self.fleets = detect.fleets()
        self.states: dict[tuple[str, str], ServiceState] = {}
        self.due: set[tuple[str, str]] = set()
        self.ticked = 0


class Replay:
    """One run over one stream. `events` and `late` count; `incidents` is when each incident was
    opened, and by what kind of pattern, `commands` when each was sent."""

    def __init__(self, topology: Topology, partitions: int) -> None:
        self._detect = Detect(topology)
        self._group = Grouper(topology).group
        self._partitions = [_Partition(topology, self._detect) for _ in range(partitions)]
        self._respond = Respond(topology)
        self._instances = {name: one.instances or 1 for name, one in topology.services.items()}
        self._environments: dict[str, EnvironmentState] = {}
        self._answers: deque[tuple[int, RecoveryResult]] = deque()
        self._kinds: dict[str, str] = {}
        self._seen: set[str] = set()
        self.events = 0
        self.late = 0
        self.commands: list[int] = []
        self.incidents: list[tuple[int, str]] = []

    def patterns(self, arrivals: Iterable[Arrival]) -> Iterator[Told]:
        """Every revision in the order of telling; at the end all episodes are let close."""
        ticked = 0
        now_ms = 0
        for one in arrivals:
            now_ms = one.arrived_ms
            ticked = ticked or now_ms
            while ticked + _TICK_MS <= now_ms:
                ticked += _TICK_MS
                yield from self._tick(ticked)
            yield from self._take(one)
        for late_ms in range(_TICK_MS, _DRAIN_MS, _TICK_MS):
            if not any(part.due for part in self._partitions):
                break
            yield from self._tick(now_ms + late_ms)

    def _take(self, one: Arrival) -> Iterator[Told]:
        event = admit(encode_event(one.event), timestamp_ms=one.arrived_ms)
        part = self._partitions[crc32(event.service.encode()) % len(self._partitions)]
        key = (event.environment, event.service)
        state = part.states.get(key)
        if state is None:
            state = part.states[key] = self._detect.new(*key, part.fleets)
        self.events += 1
        now_ms, time_ms = one.arrived_ms, int(event.time or 0)
        if not self._detect.observe(state, event, self._group(event), event.event_id, now_ms):
            self.late += 1
        part.mark.advance(time_ms, now_ms)
        part.due.add(key)
        yield from self._tell(self._detect.judge(state, part.mark.value_ms), now_ms)

    def _tick(self, now_ms: int) -> Iterator[Told]:
        for part in self._partitions:
            part.mark.tick(now_ms)
            value_ms = part.mark.value_ms
            if value_ms == part.ticked:
                continue  # equal watermarks give no news
            part.ticked = value_ms
            for key in sorted(part.due):
                state = part.states[key]
                yield from self._tell(self._detect.judge(state, value_ms), now_ms)
                if not self._detect.due(state):
                    part.due.discard(key)
        while self._answers and self._answers[0][0] <= now_ms:
            _, result = self._answers.popleft()
            made = self._respond.step(self._environments[result.environment], result, now_ms)
            yield from self._answer(made, now_ms)
        for environment in self._environments.values():
            if self._respond.wants_tick(environment):
                made = self._respond.step(environment, Tick(now_ms), now_ms)
                yield from self._answer(made, now_ms)

    def _tell(self, patterns: Iterable[Pattern], now_ms: int) -> Iterator[Told]:
        for pattern in patterns:
            yield Told(now_ms, pattern)
            self._kinds[pattern.pattern_id] = pattern.kind
            name = pattern.environment
            if name not in self._environments:
                self._environments[name] = self._respond.new(name)
            made = self._respond.step(self._environments[name], pattern, now_ms)
            yield from self._answer(made, now_ms)

    def _answer(self, made: Iterable[Output], now_ms: int) -> Iterator[Told]:
        """Patterns that respond makes itself are told; commands are carried out."""
        for one in made:
            if isinstance(one, Pattern):
                self._kinds[one.pattern_id] = one.kind
                yield Told(now_ms, one)
            elif isinstance(one, Incident):
                if one.incident_id not in self._seen:
                    self._seen.add(one.incident_id)
                    first = one.pattern_ids[0] if one.pattern_ids else ""
                    self.incidents.append((now_ms, self._kinds.get(first, "unknown")))
            elif isinstance(one, RecoveryCommand):
                self.commands.append(now_ms)
                self._carry_out(one, now_ms)

    def _carry_out(self, command: RecoveryCommand, now_ms: int) -> None:
        service = command.target.service
        count = 1 if command.delivery == "exactly_one" else self._instances.get(service, 1)
        done_ms = now_ms + _ANSWER_MS
        for number in range(count):
            instance = f"{service}-{number}"
            result = RecoveryResult(
                result_id=derive("simulated", command.command_id, instance),
                command_id=command.command_id,
                incident_id=command.incident_id,
                environment=command.target.environment,
                service=service,
                strategy=command.strategy,
                executor="simulated",
                instance=instance,
                status="success",
                started_at_ms=now_ms,
                finished_at_ms=done_ms,
            )
            self._answers.append((done_ms, result))
