"""Draws that are no chance: numbers that follow a distribution and are made from ids.

Equal ids give equal numbers on every machine and in every process, to the rounding that callers do.
"""

import hashlib
import math
from collections.abc import Iterator

_TINY = 1e-12


def uniform(*parts: str | int) -> Iterator[float]:
    """Numbers above 0 and below 1 that look evenly spread; without end."""
    stem = hashlib.blake2b("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass"))
    place = 0
    while True:
        digest = stem.copy()
        digest.update(place.to_bytes(8, "big"))
        raw = digest.digest()
        for start in range(0, 64, 8):
            yield (int.from_bytes(raw[start : start + 8], "big") + 0.5) / 2**64
        place += 1


def beta(alpha: float, rest: float, parts: tuple[str | int, ...]) -> float:
    """A number from the Beta distribution of `alpha` successes and `rest` failures, both > 0."""
    numbers = uniform(*parts)
    first, second = _gamma(max(alpha, _TINY), numbers), _gamma(max(rest, _TINY), numbers)
    total = first + second
    return first / total if total > 0 else alpha / (alpha + rest)


def _gamma(shape: float, numbers: Iterator[float]) -> float:
    """Marsaglia and Tsang, A simple method for generating gamma variables, ACM TOMS 2000."""
    if shape < 1:
        return _gamma(shape + 1, numbers) * math.pow(next(numbers), 1 / shape)
    d = shape - 1 / 3
    c = 1 / math.sqrt(9 * d)
    while True:
        x = math.sqrt(-2 * math.log(next(numbers))) * math.cos(2 * math.pi * next(numbers))
        v = (1 + c * x) ** 3
        if v > 0 and math.log(next(numbers)) < 0.5 * x * x + d - d * v + d * math.log(v):
            return d * v
