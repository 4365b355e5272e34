"""Recovery simulations: the same faults for every way of choosing, and learning that pays."""

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from click.testing import CliRunner

from faultstream import wire
from faultstream.cli import simulate_respond
from faultstream.cli.simulate import command
from faultstream.config.errors import ConfigError
from faultstream.config.topology import load as load_topology
from faultstream.core.records import Pattern
from faultstream.simulate.respond_faults import START_MS, Fault, draw
from faultstream.simulate.respond_foresight import foresee
from faultstream.simulate.respond_report import WAYS, figures, play, report, text, topology_for
from faultstream.simulate.respond_scenario import RecoveryScenario, load, packaged
from faultstream.simulate.respond_world import World

TOPOLOGY: Final = load_topology()
SHOP: Final = load("shop")


def small(hours: float = 2.0, **changes: Any) -> RecoveryScenario:
    """The packaged scenario, shorter."""
    return msgspec.structs.replace(SHOP, hours=hours, **changes)


def told(faults: list[Fault]) -> list[tuple[Any, ...]]:
    """What the seed settles of faults."""
    return [
        (one.kind, one.service, one.begins_ms, one.per_second, sorted(one.cures), one.worsens)
        for one in faults
    ]


def test_the_same_seed_gives_the_same_run() -> None:
    """Faults, commands and figures; another seed gives others."""
    first, second = (play(small(1), TOPOLOGY, "learned", 1) for _ in range(2))
    assert first == second
    assert first != play(small(1), TOPOLOGY, "learned", 2)


def test_every_way_meets_the_same_faults() -> None:
    """What cures and what worsens them is drawn once, before anything is chosen."""
    drawn = told(draw(small(), 3))
    for way in WAYS:
        assert told(World(small(), topology_for(way, TOPOLOGY), 3).faults) == drawn


def test_without_recovery_nothing_is_commanded() -> None:
    """Every fault lasts as long as it lasts."""
    made = play(small(0.5), TOPOLOGY, "none", 1)
    assert (made.commands, made.recovered, made.worsened) == (0, 0, 0)
    assert made.incidents > 0


def test_learned_is_better_than_fixed_in_every_way() -> None:
    """Over half a day: more is recovered, faster, with less harm; more than 80 % of what can be;
    and some of what made things worse was seen in time to take it back."""
    played = [play(small(12), TOPOLOGY, way, 1) for way in ("learned", "fixed")]
    learned, fixed = (figures([one]) for one in played)
    assert learned["recovery_rate"] > 0.8
    assert learned["recovery_rate"] > fixed["recovery_rate"]
    assert learned["median_s"] < fixed["median_s"]
    assert learned["harm"] < fixed["harm"]
    assert learned["commands_per_incident"] < fixed["commands_per_incident"]
    assert played[0].taken_back > 0


def test_prevention_ends_some_faults_before_they_come() -> None:
    """Those that were foreseen and whose cure is of little danger; some commands are for nothing,
    and without prevention nothing is foreseen."""
    preventing = World(small(12), topology_for("preventing", TOPOLOGY), 1).run()
    prevented = [one for one in preventing.faults if one.ended_by and one.ends_ms == one.begins_ms]
    assert len(prevented) == preventing.prevented > 0
    assert all(one.errors == 0 for one in prevented)
    assert all(TOPOLOGY.strategies[one.strategy].danger == "low" for one in prevented)
    assert World(small(12), topology_for("learned", TOPOLOGY), 1).run().prevented == 0


def test_predictions_come_true_as_often_as_they_say() -> None:
    """Of the kinds that can be foreseen, each before its fault; the same for the same seed."""
    faults = draw(SHOP, 1)
    found = foresee(SHOP, faults, 1)
    assert found == foresee(SHOP, faults, 1)
    true = [one for one in found if one.fault is not None]
    assert 0.7 < len(true) / len(found) < 1
    for one in true:
        fault = faults[one.fault or 0]
        assert SHOP.kinds[fault.kind].foreseen > 0
        assert 60_000 <= fault.begins_ms - one.told_ms <= 600_000


def test_a_sighting_opens_tells_and_closes() -> None:
    """As detection would: the third error, every two seconds, fifteen quiet seconds."""
    world = World(small(), TOPOLOGY, 1)
    seen: list[Pattern] = []
    world._tell = lambda patterns, now: seen.extend(patterns)  # type: ignore[method-assign]  # noqa: ARG005
    world.run()
    first = [one for one in seen if one.pattern_id == seen[0].pattern_id]
    assert [one.revision for one in first] == list(range(1, len(first) + 1))
    assert [first[0].state, first[-1].state] == ["open", "closed"]
    assert first[0].count >= 3
    assert first[-1].closed_at_ms is not None
    assert first[-1].closed_at_ms - first[-1].last_at_ms == 15_000
    assert first[0].first_at_ms >= START_MS


def test_the_report_has_every_way_and_figure() -> None:
    """As text and as JSON."""
    outcomes = [play(small(0.2), TOPOLOGY, way, seed) for seed in (1, 2) for way in WAYS]
    made = report("shop", outcomes)
    assert list(made["ways"]) == list(WAYS)
    assert made["ways"]["learned"]["seeds"] == 2
    shown = text(made)
    assert "recovered, of recoverable" in shown
    assert len({len(line) for line in shown.splitlines()[2:]}) == 1
    wire.dumps(made)


def test_figures_of_nothing() -> None:
    """No faults: nothing to measure, and no division by nothing."""
    assert figures([])["recovery_rate"] is None
    assert "-" in text(report("empty", [play(small(0.001), TOPOLOGY, "learned", 1)]))


def test_the_command_says_how_it_went(tmp_path: Path) -> None:
    """Text or JSON; exit code 1 below --min-rate, also over several seeds."""
    file = tmp_path / "brief.yaml"
    file.write_bytes(msgspec.yaml.encode(small(0.5)))
    run = CliRunner().invoke(command, [str(file), "--respond", "--seeds", "1..2", "--json"])
    assert run.exit_code == 0, run.output
    assert "seed 2" in run.stderr
    assert wire.loads(run.stdout)["scenario"] == "shop"
    run = CliRunner().invoke(command, [str(file), "--respond", "--min-rate", "1"])
    assert run.exit_code == 1
    assert run.stdout.startswith("shop: 1 seeds")


def test_processes_share_seeds() -> None:
    """With the same outcomes in the same order."""
    alone = list(simulate_respond._each(small(0.2), TOPOLOGY, range(1, 3), 1))
    assert list(simulate_respond._each(small(0.2), TOPOLOGY, range(1, 3), 2)) == alone


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"foreseen": 2}, "kinds.a.foreseen"),
        ({"error": "nothing"}, "kinds.a.error: no such error; got 'nothing'"),
        ({"minutes": [5, 1]}, "kinds.a.minutes: no range; must be two numbers above 0"),
        ({"services": ["shop"]}, "kinds.a.services[0]: no such service; got 'shop'"),
        ({"cures": {"retry": 2}}, "kinds.a.cures.retry"),
    ],
)
def test_a_wrong_scenario_is_named(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    """With file, place and value; a file that is not there too."""
    kind = {"error": "pool", "cures": {"retry": 0.5}, **change}
    file = tmp_path / "wrong.yaml"
    file.write_bytes(
        msgspec.yaml.encode(
            {"version": 1, "name": "w", "hours": 1, "faults_per_hour": 1,
             "services": {"orders": {"layer": "service", "depends_on": ["orders"]}},
             "kinds": {"a": kind}}
        )
    )  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert problem in str(caught.value)
    with pytest.raises(ConfigError, match="no recovery scenario of ours"):
        load("shopp")
    assert packaged() == ["shop"]
