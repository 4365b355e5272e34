"""A fleet that is new as a whole: what is held back, what is not, and the laws that still hold."""

from collections.abc import Iterable, Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from faultstream import wire
from faultstream.core.detect import Detect, ServiceState
from faultstream.core.detect.fleet import FAR, MAX_FLEETS, NEVER_HELD, Fleet, Fleets
from faultstream.core.event import ErrorEvent
from faultstream.core.policy import ColdPolicy, DetectorsPolicy, Topology
from faultstream.core.records import Pattern
from faultstream.core.watermark import Watermark
from tests.core import making
from tests.core.making import END, Seen, event, final, group

MADE = making.topology()
LATENESS = 4_000
QUICK = making.topology(
    detectors={
        "allowed_lateness_ms": LATENESS,
        "quiet_ms": 6_000,
        "burst": {"count": 3, "window_ms": 5_000, "history": 3},
        "recurring": {"learn_ms": 20_000, "history": 4, "significance": 0.5},
        "cold": {"services": 3, "for_ms": 20_000, "significance": 0.3, "flood": 2},
    }
)
FLEET = [f"s{n}" for n in range(6)]
MINUTE = 60_000


class Part:
    """One partition with several services, as the worker has it."""

    def __init__(self, made: Topology) -> None:
        self.detect = Detect(made)
        self.fleets = self.detect.fleets()
        self.mark = Watermark(made.detectors)
        self.states: dict[str, ServiceState] = {}

    def take(self, chunk: Iterable[Seen]) -> list[Pattern]:
        """Observes a chunk, then judges each service that it touched."""
        touched = {}
        for one, its in chunk:
            state = self.states.get(one.service)
            if state is None:
                state = self.detect.new(one.environment, one.service, self.fleets)
                self.states[one.service] = state
            time_ms = int(one.time or 0)
            assert self.detect.observe(state, one, its, one.event_id, time_ms)
            self.mark.advance(time_ms, time_ms)
            touched[one.service] = state
        return self.judge(touched.values(), self.mark.value_ms)

    def judge(self, states: Iterable[ServiceState], watermark_ms: int) -> list[Pattern]:
        """What changed in these."""
        return [one for state in states for one in self.detect.judge(state, watermark_ms)]

    def reload(self) -> None:
        """Goes on with saved states only."""
        self.fleets = self.detect.fleets()
        for name, state in self.states.items():
            self.states[name] = self.detect.load(self.detect.save(state))
            self.detect.join(self.states[name], self.fleets)

    def run(self, seen: Sequence[Seen], size: int = 1) -> list[Pattern]:
        """Every revision to the end."""
        out = [one for chunk in making.chunks(seen, size) for one in self.take(chunk)]
        return out + self.judge(self.states.values(), END)


def ordinary(services: Iterable[str], minutes: int, every_ms: int = 9_000) -> list[Seen]:
    """Each service has two errors that always come, one after the other."""
    return [
        (event(at, f"{name}-{at}", service=name), group("ab"[at // every_ms % 2]))
        for at in range(0, minutes * MINUTE, every_ms)
        for name in services
    ]


def when(one: Seen) -> int:
    """The time of an event."""
    return int(one[0].time or 0)


def opened(patterns: Iterable[Pattern]) -> set[tuple[str, str]]:
    """(kind, service) of all that was opened."""
    return {(one.kind, one.service) for one in patterns if one.state == "open"}


def test_a_few_services_are_held_to_the_bare_rules() -> None:
    """Four services are tried by hand: each recurs and bursts in its first minute."""
    found = opened(Part(MADE).run(ordinary(FLEET[:4], 2)))
    assert found == {(kind, name) for kind in ("recurring", "burst") for name in FLEET[:4]}


def test_a_new_fleet_is_held() -> None:
    """What a whole fleet does from the beginning is no burst and does not recur, then or later."""
    assert opened(Part(MADE).run(ordinary(FLEET, 40))) == set()


def test_evidence_opens_while_held() -> None:
    """In a new fleet a flood opens within its first seconds, a critical error at once, and an
    error that nobody had before recurs."""
    seen = ordinary(FLEET, 8)
    seen += [(event(30_000 + n * 100, f"f{n}", service="s0"), group("flood")) for n in range(12)]
    seen += [(event(30_000, "c", service="s1"), group("c", severity="critical"))]
    seen += [(event(400_000 + n * 500, f"r{n}", service="s2"), group("r")) for n in range(8)]
    seen.sort(key=when)
    patterns = Part(MADE).run(seen)
    assert opened(patterns) == {
        ("burst", "s0"),
        ("recurring", "s0"),
        ("critical", "s1"),
        ("recurring", "s2"),
    }
    assert min(p.detected_at_ms for p in patterns if p.service == "s0") < making.T0 + 32_000


def test_one_new_service_of_a_known_fleet() -> None:
    """A service that joins later is held to the bare rules."""
    late = [
        (event(20 * MINUTE + at, f"new-{at}", service="new"), group("n"))
        for at in range(0, 3_000, 1_000)
    ]
    seen = sorted(ordinary(FLEET, 25) + late, key=when)
    assert opened(Part(MADE).run(seen)) == {("recurring", "new")}


def test_what_comes_at_once_opens() -> None:
    """Twenty services begin together: three of one error within seconds recur, five are a burst;
    the same over half a minute may be ordinary."""
    quick = [(event(n * 900, f"q{s}.{n}", service=f"q{s}"), group("q"))
             for s in range(20) for n in range(3 + 2 * (s % 2))]  # fmt: skip
    slow = [(event(n * 7_000, f"w{s}.{n}", service=f"w{s}"), group("w"))
            for s in range(20) for n in range(5)]  # fmt: skip
    found = opened(Part(MADE).run(sorted(quick + slow, key=when)))
    recurring = {("recurring", f"q{s}") for s in range(20)}
    assert {one for one in found if one[0] == "recurring"} == recurring
    assert {one for one in found if one[0] == "burst"} <= {("burst", f"q{s}") for s in range(20)}


def test_an_experiment_is_not_held() -> None:
    """Errors of an experiment are expected to be found at once, also in a new fleet."""
    mine = [
        (event(61_000 + n * 500, f"x{n}", service="s0", experiment_id="x"), group("x"))
        for n in range(3)
    ]
    seen = sorted(ordinary(FLEET, 2) + mine, key=when)
    assert opened(Part(MADE).run(seen)) == {("recurring", "s0")}


def test_hold_bounds() -> None:
    """Held from the slot in which enough services are seen, for as long as the policy says; not
    a service that began later than that after the first."""
    fleet = Fleet(DetectorsPolicy(cold=ColdPolicy(services=3, for_ms=10_000)))
    for name, born in (("a", 107), ("b", 104), ("a", 100)):
        fleet.note(name, born)
        assert fleet.hold(100) == NEVER_HELD
    fleet.note("c", 105)
    fleet.note("d", 106)
    assert fleet.hold(100) == (105, 110)
    assert fleet.hold(109) == (105, 119)
    assert fleet.hold(110) == NEVER_HELD
    fleet.note("e", 90)
    assert fleet.hold(100) == NEVER_HELD
    assert Fleet(DetectorsPolicy(cold=ColdPolicy(for_ms=0))).hold(0) == NEVER_HELD


def test_a_fleet_that_is_declared() -> None:
    """A topology of twenty services is a fleet from its first event on, one of nineteen is none
    yet: five errors in half a minute of the only service that was seen so far."""
    seen = [(event(n * 7_000, f"e{n}", service="s0"), group("abcde"[n])) for n in range(5)]
    for count, found in ((19, {("burst", "s0")}), (20, set())):
        made = making.topology(services={f"s{n}": {"layer": "api"} for n in range(count)})
        assert opened(Part(made).run(seen)) == found


def test_fleets_are_bounded() -> None:
    """Environments share nothing, and past the bound nothing is remembered of them."""
    fleets = Fleets(DetectorsPolicy(cold=ColdPolicy(services=2)))
    for number in range(MAX_FLEETS + 1):
        for name in "ab":
            fleets.of(f"env-{number}").note(name, number)
    held = [fleets.of(f"env-{n}").hold(n)[0] for n in range(MAX_FLEETS + 1)]
    assert held == [*range(MAX_FLEETS), FAR]


@st.composite
def histories(draw: st.DrawFn) -> list[Seen]:
    """Events of six services that begin together, with floods."""
    seen: list[Seen] = []
    time_ms = 0
    for n in range(draw(st.integers(5, 60))):
        time_ms += draw(st.sampled_from([0, 100, 700, 1_500, 6_000]))
        one: ErrorEvent = event(time_ms, f"e{n}", service=draw(st.sampled_from(FLEET)))
        seen.append((one, group(draw(st.sampled_from("ab")))))
    return seen


def short(patterns: list[Pattern]) -> list[str]:
    """Final patterns of all services as JSON, one a line."""
    return sorted(wire.encode(one).decode() for one in final(patterns))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seen=histories())
def test_order_of_arrival(data: st.DataObject, seen: list[Seen]) -> None:
    """Any order within the allowed lateness, in any chunks and with saves between them, ends in
    equal patterns of all services."""
    expected = short(Part(QUICK).run(seen))
    delays = [data.draw(st.integers(0, LATENESS - 1_001)) for _ in seen]
    order = sorted(range(len(seen)), key=lambda i: (int(seen[i][0].time or 0) + delays[i], i))
    part, out = Part(QUICK), []
    for chunk in making.chunks([seen[i] for i in order], data.draw(st.sampled_from([1, 3, 100]))):
        out += part.take(chunk)
        if data.draw(st.booleans()):
            part.reload()
    assert short(out + part.judge(part.states.values(), END)) == expected


def test_the_law_meets_the_hold() -> None:
    """The settings that the law runs with hold something, and let evidence through."""
    seen = ordinary(FLEET, 1, 3_000)
    never = msgspec.structs.replace(QUICK.detectors, cold=ColdPolicy(for_ms=0))
    free = msgspec.structs.replace(QUICK, detectors=never)
    assert opened(Part(QUICK).run(seen)) < opened(Part(free).run(seen))
    flood = [(event(9_000 + n, f"f{n}", service="s0"), group("f")) for n in range(20)]
    both = sorted(seen + flood, key=when)
    assert ("burst", "s0") in opened(Part(QUICK).run(both))
    assert ("burst", "s0") not in opened(Part(QUICK).run(seen))
