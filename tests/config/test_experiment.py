"""The file of an experiment: everything wrong is told at once, and so is what cannot succeed."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from faultstream.config import experiment
from faultstream.config.errors import ConfigError
from faultstream.config.topology import load
from faultstream.core.policy import Topology

GOOD = """
name: payments refuse
service: payments
inject: {target: db, error: ConnectionError}
"""


def topology(*, inject: bool = True, off: tuple[str, ...] = (), **guards: Any) -> Topology:
    """The packaged one, with faults allowed."""
    plain = load(None)
    strategies = {
        name: msgspec.structs.replace(
            policy, enabled=inject if name == "inject" else policy.enabled and name not in off
        )
        for name, policy in plain.strategies.items()
    }
    changed = msgspec.structs.replace(plain.guards, **guards)
    return msgspec.structs.replace(plain, strategies=strategies, guards=changed)


def problems(folder: Path, text: str, given: Topology) -> list[str]:
    """What is wrong, without the folder."""
    file = folder / "plan.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        experiment.load(file, given, "topology.yaml")
    return str(caught.value).replace(f"{folder}/", "").splitlines()


@pytest.mark.parametrize("instances", ["all", "one", "[p1, p2]"])
def test_a_good_one_has_the_environment_of_the_topology(tmp_path: Path, instances: str) -> None:
    """Unless it names another; instances are all, one or a list."""
    file = tmp_path / "plan.yaml"
    file.write_text(GOOD + f"instances: {instances}\n", "utf-8")
    found = experiment.load(file, topology(), "topology.yaml")
    assert found.environment == "production"
    assert found.instances == (["p1", "p2"] if "[" in instances else instances)
    file.write_text(GOOD + "environment: staging\n", "utf-8")
    assert experiment.load(file, topology(), "topology.yaml").environment == "staging"


def test_all_mistakes_are_told_with_their_lines(tmp_path: Path) -> None:
    """A name that is near is offered."""
    text = "name: x\nservise: payments\ninject: {target: db, probability: 2}\ninstances: some\n"
    assert problems(tmp_path, text, topology()) == [
        "plan.yaml:1: service: is missing; must be a string of 1 to 200 characters",
        "plan.yaml:2: servise: unknown setting. Did you mean service?",
        "plan.yaml:3: inject.probability: wrong value; must be a number from 0.0 to 1.0; got 2",
        "plan.yaml:4: instances: wrong value; must be all or one or a list; got 'some'",
    ]


def test_injection_that_is_switched_off_is_refused(tmp_path: Path) -> None:
    """With the place of the switch: the shipped topology has it off."""
    (line,) = problems(tmp_path, GOOD, load(None))
    assert line.startswith(
        "topology.yaml: strategies.inject.enabled: faults may not be injected; "
        "must be true for an experiment; got false. Set it in the topology of the pipeline"
    )


def test_a_pipeline_that_recovers_nothing_is_refused(tmp_path: Path) -> None:
    """Paused or a dry run by its topology: the fault would hurt for nothing."""
    given = topology(paused=True, dry_run=True)
    assert problems(tmp_path, GOOD, given) == [
        (
            "topology.yaml: guards.paused: recovery is paused; got true. "
            "Nothing would be recovered; set it to false."
        ),
        (
            "topology.yaml: guards.dry_run: recovery is a dry run; got true. "
            "Nothing would be recovered; set it to false."
        ),
    ]


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        (
            "{strategies: [circuit_brake]}",
            (
                "expect.strategies[0]: there is no such strategy; got 'circuit_brake'. "
                "Did you mean circuit_break?"
            ),
        ),
        (
            "{forbidden: [service_restarts]}",
            (
                "expect.forbidden[0]: there is no such strategy; got 'service_restarts'. "
                "Did you mean service_restart?"
            ),
        ),
        (
            "{strategies: [retry]}",
            (
                "expect.strategies: all of them are switched off. "
                "Expect another, or switch one on in the topology."
            ),
        ),
        (
            "{strategies: [fallback], forbidden: [fallback]}",
            "expect.forbidden: forbids everything that is expected",
        ),
    ],
)
def test_what_can_never_pass_is_refused(tmp_path: Path, expect: str, said: str) -> None:
    """Before anything is broken for it."""
    text = f"{GOOD}expect: {expect}\n"
    assert problems(tmp_path, text, topology(off=("retry",))) == [f"plan.yaml:5: {said}"]


def test_one_strategy_that_is_on_is_enough(tmp_path: Path) -> None:
    """Of several that are expected."""
    file = tmp_path / "plan.yaml"
    file.write_text(f"{GOOD}expect: {{strategies: [retry, fallback]}}\n", "utf-8")
    found = experiment.load(file, topology(off=("retry",)), "topology.yaml")
    assert found.expect.strategies == ("retry", "fallback")
