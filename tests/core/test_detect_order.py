"""That nothing but the events decides (row P12), on histories that are long and crowded.

The laws of test_detect_laws.py draw short histories of four groups, which shrink well. Here a
service is busy: many errors in the same slots and at the same moments, more than any bound keeps,
with openings that later arrivals refute.
"""

from random import Random

import pytest

from tests.core.making import END, Line, Seen, event, final, group, run, topology
from tests.core.test_detect_laws import EAGER, LATENESS, TOPOLOGY, short

SEEDS = range(4)
MANY = [
    group(f"g{n:02}", error_type=f"T{n:02}", severity="critical" if n == 7 else "medium")
    for n in range(24)
]


def crowd(seed: int) -> list[Seen]:
    """Some minutes of a busy service in order of time: all groups come at the same moments, some of
    them rise, and releases go out."""
    chance = Random(seed)
    seen: list[Seen] = []
    at_ms = 0
    for n in range(60):
        at_ms += chance.choice((200, 700, 1_300, 4_000))
        some = MANY if n % 9 == 0 else chance.sample(MANY, chance.randint(1, 4))
        for its in some:
            for k in range(7 if n % 9 == 0 and its is MANY[n % 24] else 1):
                name = f"s{n}.{its.fingerprint}.{k}"
                release = chance.choice(("1.9", "1.10"))
                one = event(at_ms, name, release=release, layer=chance.choice(("", "api", "web")))
                one.operation = chance.choice(("pay", "pay", "ask"))
                seen.append((one, its))
    return seen


def delayed(seen: list[Seen], seed: int) -> list[Seen]:
    """The same events, each delayed by less than the allowed lateness."""
    chance = Random(-seed - 1)
    bound = LATENESS - 1_001
    rows = [(int(one[0].time or 0) + chance.randint(0, bound), n) for n, one in enumerate(seen)]
    return [seen[n] for _, n in sorted(rows)]


@pytest.mark.parametrize("seed", SEEDS)
def test_order_of_arrival(seed: int) -> None:
    """Any order of arrival within the allowed lateness ends in equal patterns."""
    seen = crowd(seed)
    for made in (EAGER, TOPOLOGY):
        expected = short(final(run(made, seen, 10)))
        assert expected
        for other in (seed, seed + 100):
            assert short(final(run(made, delayed(seen, other), 1 + 30 * (other % 2)))) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_save_and_load(seed: int) -> None:
    """A state that is saved and loaded after every event tells the same records as one that never
    was, among them openings that are taken back."""
    straight, saved = Line(EAGER), Line(EAGER)
    taken_back = 0
    for one in delayed(crowd(seed), seed):
        told = straight.take([one])
        taken_back += sum(1 for its in told if its.state == "closed" and its.count == 0)
        assert saved.take([one]) == told
        saved.reload()
    assert taken_back
    assert saved.end() == straight.end()


@pytest.mark.parametrize("seed", SEEDS)
def test_more_than_is_kept(seed: int) -> None:
    """Past the bound of traces the same ones are forgotten in any order of arrival."""
    made = topology(detectors={"allowed_lateness_ms": LATENESS, "max_groups_per_service": 30})
    seen: list[Seen] = []
    for n in range(90):
        fresh = [(event(n * 900, f"f{n}.{k}"), group(f"f{(n * 7 + k) % 200}")) for k in range(4)]
        seen += [*fresh, (event(n * 900, f"a{n}"), MANY[n % 3])]
    lines = []
    for order in (seen, delayed(seen, seed)):
        line = Line(made)
        for one in order:
            line.take([one])
        line.judge(END)
        lines.append(line.state.main.memory)
    assert lines[0] == lines[1]
