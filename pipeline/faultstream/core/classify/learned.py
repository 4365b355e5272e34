"""The learned model for what no rule knows: logistic regression over tokens (row C2).

Two heads: the category, and given that, severity with transience. The weights are a data file,
trained offline from the shipped knowledge base by benchmarks/quality/train.py on tokens as they
are when a library is not known; no numbers are learned while running, so equal versions give
equal verdicts.
"""

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

import msgspec

from faultstream.core.classify.features import features, with_category
from faultstream.core.classify.knowledge import Knowledge, Spec, parse_spec
from faultstream.core.group import Category

BIAS: Final = ""
"""The token of what holds without any."""
UNIT: Final = 100
"""Weights are written in hundredths."""
FLOOR: Final = 0.12
"""A category that is less likely than this is no guess."""
LIFT: Final = 2.0
"""Nor is one that the tokens make less than so many times as likely as it is without them."""
VAGUE: Final = frozenset({"r:-", "end:error", "end:exception"})
"""Tokens that nearly all names have."""


class Guess(NamedTuple):
    """The most likely verdict and how likely its category is."""

    spec: Spec
    confidence: float


class Head(msgspec.Struct, frozen=True):
    """Answers, and how much each token speaks for each of them, in hundredths."""

    answers: Sequence[str]
    weights: Mapping[str, Sequence[int]]

    def shares(self, tokens: Sequence[str]) -> list[float]:
        """How likely each answer is, given these tokens; they add up to 1."""
        known = [row for token in tokens if (row := self.weights.get(token)) is not None]
        scale = 1 / math.sqrt(len(known)) if known else 0.0
        sums = [
            (bias + sum(column) * scale) / UNIT
            for bias, column in zip(
                self.weights[BIAS],
                zip(*known, strict=True) if known else [()] * len(self.answers),
                strict=True,
            )
        ]
        top = max(sums)
        powers = [math.exp(value - top) for value in sums]
        total = sum(powers)
        return [power / total for power in powers]


class Opinion(NamedTuple):
    """What the model thinks of an error: how likely each category is, given its tokens."""

    shares: dict[str, float]
    tokens: list[str]
    knows: bool

    def sure(self, category: Category) -> float:
        """How likely a category is."""
        return round(self.shares.get(category, 0.0), 3)


class Model:
    """The weights, and how often each reading of names was right. Pure."""

    def __init__(self, *, category: Head, manner: Head, readings: Mapping[str, float]) -> None:
        self._category = category
        self._manner = manner
        self._readings = readings
        self._usual = self.shares(())

    def content(self) -> dict[str, Any]:
        """What `load` reads."""
        return {
            "category": msgspec.to_builtins(self._category),
            "manner": msgspec.to_builtins(self._manner),
            "readings": dict(self._readings),
        }

    def reading(self, name: str, usual: float) -> float:
        """How often a reading of names was right on listed types; `usual` where unknown."""
        return self._readings.get(name, usual)

    def shares(self, tokens: Sequence[str]) -> dict[str, float]:
        """How likely each category is, given these tokens."""
        shares = self._category.shares(tokens)
        return dict(zip(self._category.answers, shares, strict=True))

    def opinion(self, error_type: str, low: str, known: Knowledge) -> Opinion:
        """What to think of a type and a template in lower case."""
        tokens = features(error_type, low, known)
        knows = any(token in self._category.weights for token in tokens if token not in VAGUE)
        return Opinion(self.shares(tokens), tokens, knows)

    def spec(self, tokens: list[str], category: Category, rule: str) -> Spec:
        """The verdict with the severity and transience that are most likely for `category`."""
        shares = self._manner.shares(with_category(tokens, category))
        best = max(range(len(shares)), key=shares.__getitem__)
        return parse_spec(f"{category} {self._manner.answers[best]}", rule)

    def guess(self, opinion: Opinion) -> Guess | None:
        """The best category and how likely it is; None below the floor, or if nothing is known."""
        if not opinion.knows:
            return None
        best = msgspec.convert(max(opinion.shares, key=opinion.shares.__getitem__), Category)
        sure = opinion.sure(best)
        if sure < max(FLOOR, LIFT * self._usual[best]):
            return None
        return Guess(self.spec(opinion.tokens, best, "learned"), sure)


@cache
def load() -> Model:
    """The shipped model."""
    raw = (resources.files(__package__) / "learned.json").read_text("utf-8")
    content = json.loads(raw)
    return Model(
        category=Head(**content["category"]),
        manner=Head(**content["manner"]),
        readings=content["readings"],
    )
