"""Learning which strategy helps, prevention, and states of the version before."""

import math
from itertools import islice
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream.core import draw, learn, saving
from faultstream.core.errors import StateVersionError
from faultstream.core.incident import EnvironmentState
from faultstream.core.learn import Belief
from faultstream.core.policy import LearningPolicy
from faultstream.core.records import Outcome
from tests.core.making import T0
from tests.core.responding import Desk, topology

POLICY: Final = LearningPolicy()
ARMS: Final = (("first", 0.5), ("second", 0.5), ("third", 0.9))


def ranked(
    beliefs: dict[str, Belief], policy: LearningPolicy = POLICY, seed: str = "s", now_ms: int = T0
) -> list[learn.Arm] | None:
    """The arms of route r for errors E."""
    return learn.ranked(policy, beliefs, ("r", "E"), ARMS, (seed,), now_ms)


def outcomes(strategy: str, *made: str, error_type: str = "E") -> dict[str, Belief]:
    """Beliefs after these outcomes of one strategy."""
    beliefs: dict[str, Belief] = {}
    for one in made:
        outcome = msgspec.convert(one, Outcome)
        learn.note(POLICY, beliefs, ("r", error_type, strategy), outcome, T0)
    return beliefs


def test_draws_are_spread_evenly_and_repeat() -> None:
    """Equal ids give equal numbers; ten thousand have the mean and spread of a uniform one."""
    numbers = list(islice(draw.uniform("a", 1), 10_000))
    assert numbers == list(islice(draw.uniform("a", 1), 10_000))
    assert numbers[:9] != list(islice(draw.uniform("a", 2), 9))
    assert all(0 < one < 1 for one in numbers)
    assert abs(sum(numbers) / 10_000 - 0.5) < 0.01
    assert abs(sum((one - 0.5) ** 2 for one in numbers) / 10_000 - 1 / 12) < 0.002


@pytest.mark.parametrize(("alpha", "rest"), [(0.4, 0.8), (1.0, 1.0), (3.6, 0.4), (40.0, 10.0)])
def test_beta_has_its_mean_and_variance(alpha: float, rest: float) -> None:
    """Over four thousand ids, within five standard errors."""
    numbers = [draw.beta(alpha, rest, ("id", number)) for number in range(4_000)]
    mean = alpha / (alpha + rest)
    variance = mean * (1 - mean) / (alpha + rest + 1)
    assert abs(sum(numbers) / 4_000 - mean) < 5 * math.sqrt(variance / 4_000)
    spread = sum((one - mean) ** 2 for one in numbers) / 4_000
    assert abs(spread / variance - 1) < 0.15


def test_the_order_of_the_route_holds_at_first() -> None:
    """Until `after` outcomes of the route, and always when learning is off."""
    few = outcomes("first", "failed", "failed")
    assert ranked(few) is None
    assert ranked(outcomes("first", "failed", "failed", "failed")) is not None
    off = msgspec.structs.replace(POLICY, enabled=False)
    assert ranked(outcomes("first", *["cured"] * 9), off) is None


def test_what_helps_comes_first_and_what_is_unknown_sometimes() -> None:
    """Over many incidents the best is drawn first mostly, and what is little known now and then."""
    beliefs = outcomes("second", *["cured"] * 12) | outcomes("first", *["failed"] * 12)
    firsts = [(ranked(beliefs, seed=f"i{n}") or [])[0].strategy for n in range(300)]
    assert firsts.count("second") > 150
    assert set(firsts) == {"second", "third"}


def test_a_belief_says_its_numbers() -> None:
    """The prior weighs as many outcomes as it should, and the text has every number."""
    made = ranked(outcomes("first", "cured", "cured", "failed", "worse"))
    assert made is not None
    first = next(one for one in made if one.strategy == "first")
    assert first.seen == pytest.approx(6.0)
    wide = (0.5 * 4 + 2) / (4 + 2 + 4)
    assert first.believed == pytest.approx((wide * 4 + 2) / (4 + 6), abs=1e-4)
    assert "after 6.0 outcomes, prior 50%" in str(first)


def test_error_types_learn_from_each_other() -> None:
    """What a strategy did for other errors of the route is where the belief begins."""
    made = ranked(outcomes("first", *["failed"] * 8, error_type="Other"))
    assert made is not None
    first = next(one for one in made if one.strategy == "first")
    assert first.seen == 0.0
    assert first.believed == pytest.approx(2 / 12, abs=1e-4)


def test_outcomes_fade() -> None:
    """After one half-life an outcome counts half."""
    beliefs = outcomes("first", *["cured"] * 8)
    later = ranked(beliefs, now_ms=T0 + POLICY.half_life_ms)
    assert later is not None
    assert next(one for one in later if one.strategy == "first").seen == pytest.approx(4.0)


def test_beliefs_are_bounded() -> None:
    """The one that was not used for longest goes."""
    policy = msgspec.structs.replace(POLICY, max_beliefs=4)
    beliefs: dict[str, Belief] = {}
    for number in range(9):
        learn.note(policy, beliefs, ("r", f"E{number}", "retry"), "cured", T0)
    assert len(beliefs) == 4
    assert "r|E8|retry" in beliefs


@given(st.lists(st.sampled_from(["cured", "failed", "worse", "recurring"]), max_size=40))
def test_beliefs_stay_probabilities(made: list[str]) -> None:
    """Whatever comes, what is believed and drawn lies within 0 and 1."""
    for arm in ranked(outcomes("first", *made)) or []:
        assert 0 <= arm.believed <= 1
        assert 0 <= arm.drawn <= 1


def cured_by(here: Desk, number: int, strategy: str) -> None:
    """One incident after another; each ends with the command of that strategy."""
    here.opens(number, fingerprint=f"f{number}")
    while here.commands[-1].strategy != strategy:
        here.answers("failed", instance="i1")
        here.waits(1_000)
    here.answers()
    here.rate(0.0, number, after_ms=4_000)
    here.waits(9_000)
    here.closes(number)
    here.waits(600_000, 10_000)


def test_recovery_learns_from_verified_outcomes() -> None:
    """After some incidents the strategy that cures comes first, and the command says why."""
    here = Desk(topology(guards={"loop_count": 100}))
    for number in range(12):
        cured_by(here, number, "fallback")
    first = [one for one in here.commands if one.attempt == 1]
    assert first[0].strategy == "retry"
    assert [one.strategy for one in first[-5:]].count("fallback") >= 4
    assert "by verified outcomes: fallback drawn" in first[-1].reason


def test_learning_never_leaves_the_guards() -> None:
    """What is best but dangerous is still only proposed, and only after what may run by itself."""
    here = Desk(
        topology(
            routes=[{"name": "all", "strategies": ["retry", "service_restart"]}],
            learning={"after": 0, "prior_weight": 100.0},
        )
    )
    here.state.beliefs = {"all|*|service_restart": Belief(good=500.0, bad=0.0, at_ms=T0)}
    here.opens()
    assert [one.strategy for one in here.commands] == ["retry"]


PREVENTING: Final[dict[str, Any]] = {"prevention": {"enabled": True}}


def predicted(here: Desk, **changes: Any) -> None:
    """Something is foreseen for orders."""
    here.opens(
        **{"kind": "predicted", "rate": 0.0, "count": 0, "confidence": 0.9, "fingerprint": "",
           **changes}
    )  # fmt: skip


def test_prevention_is_off_by_default() -> None:
    """A prediction alone opens nothing."""
    here = Desk()
    predicted(here)
    assert here.out == []


def test_prevention_commands_once_and_learns_nothing() -> None:
    """One command of little danger; when nothing comes, the incident is resolved."""
    here = Desk(topology(**PREVENTING))
    predicted(here)
    assert len(here.commands) == 1
    here.answers()
    assert here.at == "verifying"
    here.waits(60_000)
    assert here.at == "verifying"
    here.closes()
    assert here.at == "resolved"
    assert not here.state.beliefs


def test_prevention_has_its_own_limits() -> None:
    """Not when it is unsure, not with danger, not again, and nobody is asked for approval."""
    here = Desk(topology(**PREVENTING))
    predicted(here, confidence=0.7)
    here.waits(120_000)
    assert here.commands == []
    here = Desk(topology(**PREVENTING, routes=[{"name": "all", "strategies": ["reset_state"]}]))
    predicted(here)
    assert here.commands == []
    assert "danger medium, prevention may have low" in here.last.reason
    here = Desk(topology(**PREVENTING))
    predicted(here)
    here.answers("failed")
    here.waits(120_000)
    assert len(here.commands) == 1
    assert here.at == "open"
    here = Desk(topology(**PREVENTING))
    predicted(here, service="ledger", layer="core")
    assert (here.commands, here.at) == ([], "open")


def test_a_prediction_whose_time_is_over_is_no_reason() -> None:
    """As in a replay of yesterday's topic; until then it is one."""
    for late_ms, commands in ((-1, 1), (0, 0), (86_400_000, 0)):
        here = Desk(topology(**PREVENTING))
        predicted(here, due_at_ms=here.now - late_ms)
        here.waits(120_000)
        assert len(here.commands) == commands
        assert here.at != "escalated"


def test_what_was_predicted_and_comes_is_recovered() -> None:
    """Real errors join the incident; what was done did not prevent them, so it is taken back, and
    the next one follows."""
    here = Desk(topology(**PREVENTING))
    predicted(here)
    here.answers()
    here.waits(5_000)
    here.opens(2)
    here.waits(9_000)
    here.rate(1.0, 2)
    first, undo = here.commands
    assert here.last.incident_id == first.incident_id
    assert undo.rollback_of == first.command_id
    assert "it prevented nothing, 1 errors/s came" in here.last.reason
    here.answers()
    assert here.commands[-1].strategy not in {first.strategy, ""}
    assert len(here.commands) == 3
    assert not here.state.beliefs


def test_what_opens_no_incident_is_not_what_was_foreseen() -> None:
    """A pattern of a mild kind joins and changes nothing: what it shows was there before. What was
    done waits for the end of the prediction; a burst is what was foreseen."""
    for came in (False, True):
        here = Desk(topology(**PREVENTING))
        predicted(here)
        here.opens(2, kind="novel", rate=0.4)
        here.answers()
        for _ in range(30):
            here.rate(0.4, 2, after_ms=2_000)
        assert (here.at, len(here.commands)) == ("verifying", 1)
        if came:
            here.opens(3, kind="burst", rate=1.0)
            for _ in range(10):
                here.rate(1.0, 3, after_ms=2_000)
            assert here.commands[1].rollback_of == here.commands[0].command_id
        else:
            here.closes(1)
            assert here.at == "resolved"
            assert "what was foreseen did not come, retry was carried out" in here.last.reason
        assert not here.state.beliefs


def test_errors_that_end_before_the_prediction_are_over() -> None:
    """What was done against errors that are there is judged by them, though more is foreseen."""
    here = Desk(topology(**PREVENTING))
    here.opens(2)
    predicted(here)
    here.answers()
    here.rate(0.0, 2, after_ms=4_000)
    here.closes(2)
    here.waits(9_000)
    assert (here.at, here.outcomes) == ("resolved", ["retry cured"])


def old_state() -> dict[str, Any]:
    """A state as version 1 wrote it, while a command was being verified."""
    here = Desk()
    here.opens()
    here.answers()
    plain: dict[str, Any] = msgspec.msgpack.decode(saving.save(here.state))
    plain["version"] = 1
    for name in ("heard", "waiting", "beliefs", "refunds"):
        del plain[name]
    for case in plain["cases"].values():
        run = case.pop("run")
        for name in ("phase", "error_type", "transient", "runs", "wanted", "asked"):
            case.pop(name, None)
        for one in case["tries"]:
            for name in ("run", "latest_ms"):
                del one[name]
            for name in ("reference", "settled_ms", "low_since_ms", "give_up_ms"):
                one[name] = run[name]
    return plain


def test_a_state_of_the_version_before_goes_on() -> None:
    """What was being verified is verified, and resolved when the errors fall."""
    here = Desk()
    here.opens()
    here.answers()
    here.state = saving.load(msgspec.msgpack.encode(old_state()))
    assert here.case.phase == "verifying"
    here.rate(0.0, after_ms=4_000)
    here.waits(9_000)
    assert (here.at, here.outcomes) == ("resolved", ["retry cured"])


def test_a_newer_state_is_refused_by_name() -> None:
    """With both versions and what to do; and no state at all is no state."""
    plain = {"version": 3, "environment": "production"}
    with pytest.raises(StateVersionError, match="version 3, this faultstream reads 1 to 2"):
        saving.load(msgspec.msgpack.encode(plain))
    with pytest.raises(msgspec.DecodeError):
        saving.load(b"\x81")


def test_an_empty_state_of_version_1() -> None:
    """One that knew nothing is one that knows nothing."""
    made = saving.load(msgspec.msgpack.encode({"environment": "production"}))
    assert made == EnvironmentState(environment="production")
