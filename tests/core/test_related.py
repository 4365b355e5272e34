"""When cascades are looked for: at once where it may matter, else once for all at the tick."""

import random

import pytest

from faultstream.core import cascade
from faultstream.core.incident import EnvironmentState, Tick
from faultstream.core.policy import Topology
from faultstream.core.records import Pattern
from faultstream.core.related import related
from faultstream.core.respond import Respond
from faultstream.core.steps import View
from tests.core import making
from tests.core.making import T0, burst


def topology() -> Topology:
    """Six services in two layers; two of them need another."""
    services = {
        "a": {"layer": "service", "depends_on": ["b"]},
        "b": {"layer": "service"},
        "c": {"layer": "database"},
        "d": {"layer": "service", "depends_on": ["a"]},
    }
    return making.topology(services=services)


@pytest.mark.parametrize("seed", range(20))
def test_no_step_without_relation(seed: int) -> None:
    """Whatever rises: a rise that steps lead to or from is never said to stand alone."""
    chance, policy = random.Random(seed), topology()
    state = EnvironmentState(environment="production")
    seen = 0
    for number in range(60):
        service = chance.choice("abcdef")
        said = burst(
            service,
            chance.randrange(0, 200_000),
            pattern_id=str(number),
            layer=chance.choice(["service", "database", "unheard"]),
            evidence=[f"e{chance.randrange(40)}"],
            traces=[f"t{chance.randrange(40)}"],
            parents=[f"e{chance.randrange(40)}"],
            named=[chance.choice("abcdefgh")] if chance.random() < 0.3 else [],
            left=chance.random() < 0.2,
        )
        cascade.heed(policy, state, said)
        rise = state.rises[f"/{service}"]
        steps = View(policy, state, state.rises.values()).steps()
        if any(service in {one.source, one.target} for one in steps):
            seen += 1
            assert related(policy, state, rise)
        if chance.random() < 0.6:
            name = chance.choice(sorted(state.rises))
            del state.rises[name]
    assert seen


def test_alone_is_not_looked_at() -> None:
    """A fault that has to do with no other waits for the tick, and asks for one."""
    policy, state = topology(), EnvironmentState(environment="production")
    cascade.heed(policy, state, burst("e", 0, layer="unheard"))
    cascade.heed(policy, state, burst("f", 10, layer="unheard"))
    assert (state.prompt, state.unseen) == (0, {"": True})
    assert Respond(policy).wants_tick(state)
    Respond(policy).step(state, Tick(T0), T0)
    assert state.unseen == {}


def test_news_of_a_known_pattern_wait_for_the_tick() -> None:
    """A trace that a later revision brings makes a cascade at the tick, not before."""
    policy, state = topology(), EnvironmentState(environment="production")
    respond = Respond(policy)
    respond.step(state, burst("e", 0, layer="unheard", traces=["t"]), T0)
    respond.step(state, burst("f", 10, pattern_id="f", layer="unheard"), T0)
    respond.step(state, Tick(T0 + 100), T0 + 100)
    changed = burst(
        "f", 10, pattern_id="f", layer="unheard", traces=["t"], revision=2, state="updated"
    )
    assert not respond.step(state, changed, T0 + 200)
    told = respond.step(state, Tick(T0 + 250), T0 + 250)
    assert [one.kind for one in told if isinstance(one, Pattern)] == ["cascade"]


def test_looked_for_a_few_times_a_tick() -> None:
    """However many related faults begin between two ticks, the cascades are looked for PROMPT
    times and once more at the tick, and are the same as if each had been looked at."""
    needed = {f"s{n}": {"layer": "service", "depends_on": ["db"]} for n in range(9)}
    policy = making.topology(services={**needed, "db": {"layer": "service"}})
    hasty, calm = (EnvironmentState(environment="production") for _ in range(2))
    for number, service in enumerate(["db", *needed]):
        given = burst(service, number)
        cascade.heed(policy, calm, given)
        cascade.look(policy, calm)
        cascade.heed(policy, hasty, given)
    assert hasty.prompt == cascade.PROMPT
    (before,) = (own.pattern for own in hasty.own.values())
    assert len(before.affected.services) == 1 + cascade.PROMPT
    (last,) = cascade.look(policy, hasty)
    (other,) = (own.pattern for own in calm.own.values())
    assert hasty.prompt == 0
    assert set(last.affected.services) == set(other.affected.services)
    assert (last.root, last.edges, last.pattern_id) == (other.root, other.edges, other.pattern_id)
