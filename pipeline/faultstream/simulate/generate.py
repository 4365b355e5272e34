"""Generate: noise, deploys and incidents of a scenario as error events in order of arrival."""

import math
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

import msgspec

from faultstream.config.errors import ConfigError
from faultstream.core.event import ErrorEvent
from faultstream.simulate.chance import Delay, poisson, stream, uneven
from faultstream.simulate.fleet import Place, expand
from faultstream.simulate.kinds import KINDS
from faultstream.simulate.looks import RARE, Looks
from faultstream.simulate.planting import MINUTE_MS, Happening, Planting, Truth
from faultstream.simulate.scenario import Draw, Incident, Scenario, minutes_of
from faultstream.wire import parse_time

_GAP_MS: Final = 45 * MINUTE_MS
_TRIES: Final = 400


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """An event when it reaches the broker. `happened_ms` is when it really happened, which its
    own `time` misses by the clock of its instance; `incident` as in Happening."""

    arrived_ms: int
    happened_ms: int
    incident: int
    event: ErrorEvent


class Run:
    """One seed of a scenario: `truths`, and the stream."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        """Plants the incidents.

        Raises:
            ConfigError: the scenario asks for more incidents than it has room for.
        """
        self.scenario = scenario
        self.seed = seed
        self.fleet = expand(scenario)
        self.start_ms = parse_time(scenario.start)
        self.end_ms = self.start_ms + int(scenario.hours * 60) * MINUTE_MS
        self.truths: list[Truth] = []
        self._planted: list[Happening] = []
        self._deploys: dict[str, list[tuple[int, str]]] = {name: [] for name in self.fleet}
        self._claims: list[tuple[str, str, int, int]] = []
        for incident in scenario.incidents:
            self._plant(incident)
        for draw in scenario.draws:
            for number in range(draw.times):
                self._draw(draw, number)
        self._ordinary_deploys()
        self._named()

    def arrivals(self) -> Iterator[Arrival]:
        """Every event, in order of arrival; the same each time."""
        chance = stream(self.seed, "arrival")
        lateness = self.scenario.lateness
        delay = Delay(lateness.median_ms, lateness.p99_ms)
        rows: list[tuple[int, int, Happening]] = []
        for one in self._happenings():
            late = delay.draw(chance)
            if chance.random() < lateness.straggler_ratio:
                late += int(chance.random() * lateness.straggler_ms)
            rows.append((one.time_ms + late, one.key, one))
        rows.sort(key=lambda row: row[:2])
        looks = Looks(self.scenario, self.seed, self.fleet, release=self.release)
        for arrived_ms, _, one in rows:
            yield Arrival(arrived_ms, one.time_ms, one.incident, looks.event(one))

    def release(self, service: str, time_ms: int) -> str:
        """What runs at that time."""
        deploys = self._deploys[service]
        at = bisect_right(deploys, time_ms, key=lambda one: one[0])
        return deploys[at - 1][1] if at else self.fleet[service].spec.release

    def _plant(self, wanted: Incident) -> None:
        chance = stream(self.seed, "incident", str(len(self.truths)), wanted.kind)
        kind = KINDS[wanted.kind]
        at_ms = self.start_ms + minutes_of(wanted.at) * MINUTE_MS
        suited = [place.name for place in self.fleet.values() if kind.suits(place, self.fleet)]
        if wanted.service is None and not suited:
            raise ConfigError(self.scenario.name, "incidents", f"no service for a {wanted.kind}")
        planting = Planting(
            self.fleet,
            chance,
            len(self.truths),
            service=wanted.service or chance.choice(suited),
            start_ms=at_ms,
            minutes=wanted.minutes or chance.uniform(*kind.minutes),
            per_minute=wanted.per_minute,
            error=wanted.error,
        )
        kind.plant(planting)
        if not planting.events:
            place = f"incidents[{len(self.truths)}]"
            problem = f"a {wanted.kind} at {planting.service} shows no error"
            mend = "Take a service with callers (cascade, ...), more minutes, or a higher rate."
            raise ConfigError(self.scenario.name, place, problem, mend=mend)
        self._keep(planting, self._truth(wanted, planting))

    def _draw(self, draw: Draw, number: int) -> None:
        """Tries places and times until one is free: no other incident at the same services within
        45 minutes, and none of the same kind there at all."""
        chance = stream(self.seed, "draw", draw.kind, str(number))
        kind = KINDS[draw.kind]
        suited = [place.name for place in self.fleet.values() if kind.suits(place, self.fleet)]
        first = self.start_ms + minutes_of(draw.after) * MINUTE_MS
        for _ in range(_TRIES if suited else 0):
            minutes = chance.uniform(*kind.minutes)
            last = self.end_ms - int((minutes + 30) * MINUTE_MS)
            if last <= first:
                break
            planting = Planting(
                self.fleet,
                chance,
                len(self.truths),
                service=chance.choice(suited),
                start_ms=chance.randrange(first, last),
                minutes=minutes,
            )
            kind.plant(planting)
            if not planting.events or max(one.time_ms for one in planting.events) >= self.end_ms:
                continue
            truth = self._truth(Incident(kind=draw.kind, at="00:00"), planting)
            if self._free(truth):
                self._keep(planting, truth)
                return
        problem = f"no room for {draw.times} x {draw.kind}"
        mend = "Make it longer, take more services or fewer incidents."
        raise ConfigError(self.scenario.name, "draws", problem, mend=mend)

    def _truth(self, wanted: Incident, planting: Planting) -> Truth:
        kind = KINDS[wanted.kind]
        first = min(one.time_ms for one in planting.events)
        return Truth(
            incident=f"{wanted.kind}-{len(self.truths) + 1}",
            kind=wanted.kind,
            must=wanted.must or kind.must,
            services=tuple(sorted({one.service for one in planting.events})),
            root=planting.root,
            critical=kind.critical,
            slow=kind.slow,
            first_at_ms=first,
            felt_at_ms=planting.felt_ms or first,
            end_at_ms=max(one.time_ms for one in planting.events),
            events=len(planting.events),
        )

    def _free(self, truth: Truth) -> bool:
        start, end = truth.first_at_ms - _GAP_MS, truth.end_at_ms + _GAP_MS
        touched = {*truth.services, truth.root}
        return not any(
            service in touched and (kind == truth.kind or (begin < end and stop > start))
            for service, kind, begin, stop in self._claims
        )

    def _keep(self, planting: Planting, truth: Truth) -> None:
        self.truths.append(truth)
        self._planted += planting.events
        for service in {*truth.services, truth.root}:
            claim = (service, truth.kind, truth.first_at_ms, truth.end_at_ms)
            self._claims.append(claim)
        for service, at_ms in planting.deploys:
            self._deploys[service].append((at_ms, ""))

    def _ordinary_deploys(self) -> None:
        chance = stream(self.seed, "deploys")
        names = sorted(self.fleet)
        days = (self.end_ms - self.start_ms) / 86_400_000
        key = -(1 << 40)
        for _ in range(poisson(chance, self.scenario.deploys_per_day * days)):
            service = chance.choice(names)
            at_ms = chance.randrange(self.start_ms, self.end_ms)
            self._deploys[service].append((at_ms, ""))
            for _ in range(poisson(chance, 2)):
                key -= 1
                time = at_ms + int(chance.random() * MINUTE_MS)
                self._planted.append(Happening(time, service, "restart", key))
        for deploy in self.scenario.deploys:
            at_ms = self.start_ms + minutes_of(deploy.at) * MINUTE_MS
            for service in self.fleet:
                if self.fleet[service].spec is not self.scenario.services[deploy.service]:
                    continue
                self._deploys[service].append((at_ms, deploy.release))
                for _ in range(deploy.errors):
                    key -= 1
                    time = at_ms + int(chance.random() * MINUTE_MS)
                    self._planted.append(Happening(time, service, "restart", key))

    def _named(self) -> None:
        """Deploys without a release get the next number."""
        for service, deploys in self._deploys.items():
            deploys.sort()
            first = self.fleet[service].spec.release
            for index, (at_ms, release) in enumerate(deploys):
                deploys[index] = (at_ms, release or f"{first}.{index + 1}")

    def _happenings(self) -> Iterator[Happening]:
        yield from self._planted
        for index, place in enumerate(self.fleet.values()):
            yield from self._noise(place, -(index + 1) << 41)

    def _noise(self, place: Place, key: int) -> Iterator[Happening]:
        chance = stream(self.seed, "noise", place.name)
        rhythm = self.scenario.rhythm
        minutes = (self.end_ms - self.start_ms) // MINUTE_MS
        names, weights = list(place.spec.noise), list(place.spec.noise.values())
        wander = [chance.gauss(0.0, rhythm.wander_ratio) for _ in range(minutes // 60 + 2)]
        rare_each = place.spec.rare_per_day / 1440
        for minute in range(minutes):
            begin = self.start_ms + minute * MINUTE_MS
            hour, part = divmod(minute / 60, 1)
            drift = wander[int(hour)] * (1 - part) + wander[int(hour) + 1] * part
            clock = (begin / 3_600_000) % 24 - rhythm.peak_hour
            day = 1 + rhythm.swing_ratio * math.cos(clock * math.pi / 12)
            mean = place.base * max(0.0, day * (1 + drift))
            count = uneven(chance, mean, rhythm.dispersion)
            if count:
                for error in chance.choices(names, weights, k=count):
                    key -= 1
                    time = begin + int(chance.random() * MINUTE_MS)
                    yield Happening(time, place.name, error, key)
            if rare_each and chance.random() < rare_each:
                key -= 1
                name = f"{RARE}Odd{chance.randrange(10_000)}"
                time = begin + int(chance.random() * MINUTE_MS)
                yield Happening(time, place.name, name, key)
