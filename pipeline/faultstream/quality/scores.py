"""Scores: how far two labellings agree, how sure a verdict was, and what detections are worth.

Grouping accuracy (GA) is the share of items whose group holds exactly the items of their true group
(Zhu et al., ICSE-SEIP 2019); FGA is the F1 of exact groups (Jiang et al., ISSTA 2024).
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from math import comb

import msgspec


class Grouped(msgspec.Struct, frozen=True):
    """Agreement of groups."""

    items: int
    true_groups: int
    our_groups: int
    ga: float
    fga: float
    pair_f1: float


def grouped(true: Sequence[Hashable], ours: Sequence[Hashable]) -> Grouped:
    """How well our labels group what the true ones do. Both have a label an item, one at least."""
    sizes, our_sizes = Counter(true), Counter(ours)
    both = Counter(zip(true, ours, strict=True))
    exact = [t for (t, o), count in both.items() if count == sizes[t] == our_sizes[o]]
    return Grouped(
        items=len(true),
        true_groups=len(sizes),
        our_groups=len(our_sizes),
        ga=sum(sizes[one] for one in exact) / len(true),
        fga=2 * len(exact) / (len(sizes) + len(our_sizes)),
        pair_f1=f1(_pairs(both.values()), _pairs(our_sizes.values()), _pairs(sizes.values())),
    )


def _pairs(counts: Iterable[int]) -> int:
    return sum(comb(count, 2) for count in counts)


def f1(right: int, said: int, true: int) -> float:
    """The harmonic mean of precision and recall; 1 when there was nothing to say or said."""
    return 2 * right / (said + true) if said + true else 1.0


class Bin(msgspec.Struct, frozen=True):
    """Answers of about the same confidence: how many, how sure on average, how often right."""

    low: float
    count: int
    sure: float
    right: float


def reliability(answers: Iterable[tuple[float, bool]], bins: int = 10) -> list[Bin]:
    """Answers (confidence 0..1, right) by confidence; empty bins are left out."""
    found: dict[int, list[tuple[float, bool]]] = {}
    for sure, right in answers:
        found.setdefault(min(int(sure * bins), bins - 1), []).append((sure, right))
    return [
        Bin(
            low=index / bins,
            count=len(many),
            sure=sum(sure for sure, _ in many) / len(many),
            right=sum(right for _, right in many) / len(many),
        )
        for index, many in sorted(found.items())
    ]


def calibration_error(bins: Sequence[Bin]) -> float | None:
    """How far confidence and share of right answers are apart on average (ECE); None of nothing."""
    total = sum(one.count for one in bins)
    if not total:
        return None
    return sum(one.count * abs(one.sure - one.right) for one in bins) / total


def brier(answers: Sequence[tuple[float, bool]]) -> float | None:
    """The mean squared distance of confidence from the truth; None of nothing."""
    if not answers:
        return None
    return sum((sure - right) ** 2 for sure, right in answers) / len(answers)
