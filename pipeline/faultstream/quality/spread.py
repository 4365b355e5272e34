"""Spread: how far a figure might be off because only so many cases were there.

The cases are drawn anew with replacement (bootstrap, percentiles; Efron 1979), and left out one at
a time. Draws are seeded, so equal cases give equal answers. For plain shares Wilson's interval says
the same better, also where all are right. Either says what other cases of the same kind may give,
and nothing about cases of another kind.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

T = TypeVar("T")

DRAWS: Final = 2_000
TAIL: Final = 0.025
"""So much of the draws lies below the interval, and as much above."""

Span = tuple[float, float]


def redrawn(cases: Sequence[T], figure: Callable[[Sequence[T]], float], seed: int = 1) -> Span:
    """Where the figure lies in 95 % of draws of as many cases; one case at least."""
    chance = random.Random(seed)  # noqa: S311  (no secret comes of it)
    found = sorted(figure(chance.choices(cases, k=len(cases))) for _ in range(DRAWS))
    edge = int(TAIL * DRAWS)
    return found[edge], found[-1 - edge]


def without_one(cases: Sequence[T], figure: Callable[[Sequence[T]], float]) -> Span:
    """The lowest and the highest figure when any one case is left out; two cases at least."""
    found = [figure([*cases[:at], *cases[at + 1 :]]) for at in range(len(cases))]
    return min(found), max(found)


def span(one: Span | None, digits: int = 2) -> str:
    """An interval for a table."""
    return "-" if one is None else f"{one[0]:.{digits}f} to {one[1]:.{digits}f}"
