"""Chance: streams of random numbers by name, and the distributions that fleets follow."""

import math
from random import Random


def stream(seed: int, *names: str) -> Random:
    """The stream of that name: the same for a seed on every machine, and independent of all
    others, so that one more incident leaves the noise as it was."""
    return Random("/".join((str(seed), *names)))  # noqa: S311  (no secret comes of it)


def poisson(chance: Random, mean: float) -> int:
    """A Poisson number; from 60 on the rounded normal one."""
    if mean <= 0:
        return 0
    if mean > 60:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count


def uneven(chance: Random, mean: float, dispersion: float) -> int:
    """A count with that mean and a variance of `dispersion` x mean (negative binomial)."""
    if mean <= 0 or dispersion <= 1.0:
        return poisson(chance, mean)
    spread = dispersion - 1.0
    return poisson(chance, chance.gammavariate(mean / spread, spread))


class Delay:
    """A log-normal length of time with a given median and 99th percentile."""

    def __init__(self, median_ms: int, p99_ms: int) -> None:
        self._mu = math.log(median_ms)
        self._sigma = max(0.0, math.log(max(p99_ms, median_ms) / median_ms) / 2.3263)

    def draw(self, chance: Random) -> int:
        """Milliseconds, at least 1."""
        return max(1, int(math.exp(chance.gauss(self._mu, self._sigma))))
