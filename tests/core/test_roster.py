"""A fixed number of places for services, whatever comes."""

import random

from faultstream.core.detect import Detect
from faultstream.core.detect.roster import LOOK, MAX_FOLDED, Roster
from faultstream.core.tally import FOLDED
from tests.core import making
from tests.core.making import T0

TOPOLOGY = making.topology()


def observe(detect: Detect, roster: Roster, service: str, time_ms: int, name: str) -> None:
    """One event of the fingerprint `name` at T0 + time_ms, which may be judged at once."""
    state = roster.of("production", service)
    event = making.event(time_ms, name, service=service)
    detect.observe(state, event, making.group(name, severity="low"), name, T0 + time_ms)


def flood(places: int, services: int) -> tuple[Roster, int, set[str]]:
    """Ten unique fingerprints a service, one service every 100 ms; five heavy ones go on in
    between. The roster, the bytes of its states at their most, and the fingerprints named."""
    chance = random.Random(1)
    detect = Detect(TOPOLOGY)
    roster = Roster(detect, places)
    most, named = 0, set()
    for number in range(services):
        at = number * 100
        for one in range(10):
            observe(detect, roster, f"s{number}", at + one, f"{number}-{one}")
        heavy = chance.randrange(5)
        observe(detect, roster, f"heavy{heavy}", at, f"h{heavy}")
        if number % 20 == 0:
            for _, state in roster.every():
                if detect.due(state):
                    found = detect.judge(state, T0 + at - 1_000)
                    named |= {pattern.fingerprint for pattern in found}
        if number % 100 == 99:
            most = max(most, sum(len(detect.save(state)) for _, state in roster.every()))
    return roster, most, named


def test_bounded_and_heavy_ones_found() -> None:
    """Six hundred services pass through 40 places: memory is that of 40, what goes on for long
    is found, and what was forgotten is counted. Without a bound memory is that of all."""
    roster, most, named = flood(40, 600)
    assert len(roster) <= 40 + MAX_FOLDED
    assert roster.forgotten + len(roster) + roster.folded >= 600
    assert {f"h{n}" for n in range(5)} <= named
    _, unbounded, _ = flood(1_000_000, 600)
    assert most < unbounded / 4


def test_the_longest_silent_goes_first() -> None:
    """A service that is heard of keeps its place; the one that was silent longest loses its own."""
    detect = Detect(TOPOLOGY)
    roster = Roster(detect, 3)
    first = roster.of("production", "a")
    for name in ("b", "c"):
        roster.of("production", name)
    assert roster.of("production", "a") is first
    roster.of("production", "d")
    assert [name for (_, name), _ in roster.every()] == ["a", "c", "d"]
    assert (roster.forgotten, roster.folded) == (1, 0)


def test_what_is_open_is_not_forgotten() -> None:
    """While something is open for every service, events of further ones are counted together."""
    detect = Detect(TOPOLOGY)
    roster = Roster(detect, LOOK)
    for number in range(LOOK):
        observe(detect, roster, f"s{number}", 0, "x")
    for number in range(50):
        observe(detect, roster, f"new{number}", number, "y")
    assert len(roster) == LOOK + 1
    assert (roster.forgotten, roster.folded) == (0, 50)
    other = roster.of("production", FOLDED)
    (slot,) = other.main.pending.values()
    assert slot.total == 50


def test_environments_are_folded_too() -> None:
    """However many environments there are, those that stand for others are few."""
    detect = Detect(TOPOLOGY)
    roster = Roster(detect, 1)
    observe(detect, roster, "busy", 0, "x")
    for number in range(100):
        state = roster.of(f"environment-{number}", "web")
        detect.observe(state, making.event(0), making.group("z"), f"z{number}", T0)
    assert len(roster) <= 1 + MAX_FOLDED + 1
