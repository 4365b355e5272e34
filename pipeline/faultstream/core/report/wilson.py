"""Wilson's 95 % interval: what few tries prove of a ratio."""

from math import sqrt
from typing import Final

Z: Final = 1.96


def bounds(cured: int, tries: int) -> tuple[float, float]:
    """Lower and upper end, 0..1; (0, 1) without a try."""
    if tries <= 0:
        return 0.0, 1.0
    ratio, square = cured / tries, Z * Z
    middle = ratio + square / (2 * tries)
    half = Z * sqrt(ratio * (1 - ratio) / tries + square / (4 * tries * tries))
    whole = 1 + square / tries
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)
