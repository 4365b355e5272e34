"""Chance: how likely counts are that nothing has caused."""

from math import comb, erfc, exp, lgamma, log, log1p, sqrt
from typing import Final

_EXACT: Final = 200


def binomial_tail(least: int, among: int, share: float) -> float:
    """P(X >= least) of `among` trials; beyond 200 trials by the normal law."""
    if share >= 1.0:
        return 1.0
    if among > _EXACT:
        spread = sqrt(among * share * (1 - share)) or 1.0
        return 0.5 * erfc((least - 0.5 - among * share) / spread / sqrt(2))
    return sum(
        comb(among, k) * share**k * (1 - share) ** (among - k) for k in range(least, among + 1)
    )


def events_tail(least: int, before: int, length: float) -> float:
    """P(at least `least` events) in a time `length` times as long as one in which `before` came.

    A negative binomial law: the rate itself is only known as well as `before` events tell (gamma
    with `before` + 1, so that none before is no certainty). 1.0 where so many are expected anyway;
    counts above 200 are taken for 200, which errs on the side of likely.
    """
    least = min(least, _EXACT)
    if least <= 0:
        return 1.0
    size, share = before + 1.0, length / (1.0 + length)
    if least <= size * length:
        return 1.0
    term = exp(
        lgamma(least + size) - lgamma(size) - lgamma(least + 1)
        + least * log(share) - size * log1p(length)
    )  # fmt: skip
    total, k = 0.0, least
    while term > 1e-3 * total / 100 and k < least + 10 * _EXACT:
        total += term
        term *= share * (k + size) / (k + 1)
        k += 1
    return min(1.0, total)
