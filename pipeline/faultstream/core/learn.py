"""Learn: how well strategies do, from outcomes that the stream verified.

A belief is a Beta distribution over a strategy's success rate: its prior, with the weight of some
outcomes, and the outcomes themselves, each of which counts half after the half-life. What a route
has shown is the prior for one error type on it. A rate is drawn from each belief (Thompson
sampling: Thompson, Biometrika 1933), so that what looks best is mostly tried first and what is
little known is tried sometimes. Draws come from ids, so that a replay draws the same.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from faultstream.core.draw import beta
from faultstream.core.policy import LearningPolicy
from faultstream.core.records import Outcome

_DIGITS: Final = 6


class Belief(msgspec.Struct, array_like=True):
    """Outcomes of one strategy on one route, decayed to `at_ms`."""

    good: float = 0.0
    bad: float = 0.0
    at_ms: int = 0


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy and its prior; what was seen of it, what is believed, and what was drawn."""

    strategy: str
    prior: float
    seen: float = 0.0
    believed: float = 0.0
    drawn: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.strategy} drawn {self.drawn:.2f} "
            f"(believed {self.believed:.0%} after {self.seen:.1f} outcomes, prior {self.prior:.0%})"
        )


def note(
    policy: LearningPolicy,
    beliefs: dict[str, Belief],
    run: tuple[str, str, str],
    outcome: Outcome,
    now_ms: int,
) -> None:
    """Takes the outcome of a run in; `run` is its route, error type and strategy."""
    route, error_type, strategy = run
    for key in dict.fromkeys((_key(route, "", strategy), _key(route, error_type, strategy))):
        belief = _aged(policy, beliefs.pop(key, Belief(at_ms=now_ms)), now_ms)
        if outcome == "cured":
            belief.good += 1.0
        else:
            belief.bad += policy.worse_weight if outcome == "worse" else 1.0
        beliefs[key] = belief
    while len(beliefs) > policy.max_beliefs:
        del beliefs[next(iter(beliefs))]


def ranked(  # noqa: PLR0917 - all are needed, and named where it is called
    policy: LearningPolicy,
    beliefs: dict[str, Belief],
    place: tuple[str, str],
    arms: Sequence[tuple[str, float]],
    seed: tuple[str | int, ...],
    now_ms: int,
) -> list[Arm] | None:
    """The strategies, with what was drawn for each, the highest first; None while the route's own
    order holds. `place` is the route and the error type, `arms` are strategies and priors."""
    route, error_type = place
    seen = 0.0
    made: list[Arm] = []
    for strategy, prior in arms:
        wide = _aged(policy, beliefs.get(_key(route, "", strategy), Belief()), now_ms)
        known = beliefs.get(_key(route, error_type, strategy)) if error_type else None
        near = _aged(policy, known or Belief(), now_ms)
        seen += wide.good + wide.bad
        weight = policy.prior_weight
        mean = (prior * weight + wide.good) / (weight + wide.good + wide.bad)
        alpha, rest = mean * weight + near.good, (1 - mean) * weight + near.bad
        made.append(
            Arm(
                strategy=strategy,
                prior=prior,
                seen=round(near.good + near.bad, _DIGITS),
                believed=round(alpha / (alpha + rest), _DIGITS),
                drawn=round(beta(alpha, rest, (*seed, strategy)), _DIGITS),
            )
        )
    if not policy.enabled or seen < policy.after:
        return None
    return sorted(made, key=lambda one: -one.drawn)


def _key(route: str, error_type: str, strategy: str) -> str:
    return f"{route}|{error_type or '*'}|{strategy}"


def _aged(policy: LearningPolicy, belief: Belief, now_ms: int) -> Belief:
    share = 0.5 ** (max(0, now_ms - belief.at_ms) / policy.half_life_ms)
    return Belief(
        good=round(belief.good * share, _DIGITS),
        bad=round(belief.bad * share, _DIGITS),
        at_ms=max(now_ms, belief.at_ms),
    )
