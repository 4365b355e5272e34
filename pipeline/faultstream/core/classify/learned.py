"""The learned fallback for what no rule knows: a linear model over tokens (row C2).

Tokens are the words of the type's name and of the message. The weights are a data file, trained
offline from the shipped knowledge base by benchmarks/quality/train.py; no numbers are learned
while running, so equal versions give equal verdicts.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Final, NamedTuple

from faultstream.core.classify.knowledge import Spec, parse_spec
from faultstream.core.classify.names import dotted, leaf, words

_WORD: Final = re.compile(r"[a-z]{3,24}")
_STOP: Final = frozenset(
    {
        "the",
        "and",
        "for",
        "was",
        "not",
        "with",
        "from",
        "that",
        "this",
        "has",
        "have",
        "are",
        "been",
        "error",
        "exception",
        "int",
        "float",
        "path",
        "url",
        "host",
        "uuid",
        "date",
        "time",
        "hex",
        "failed",
        "fail",
        "could",
        "cannot",
        "can",
    }
)
MAX_TOKENS: Final = 64


class Guess(NamedTuple):
    """The most likely category's usual verdict and how likely it is, calibrated."""

    spec: Spec
    confidence: float


def tokens(error_type: str, low: str) -> list[str]:
    """The features of an error; `low` is its template in lower case."""
    name = dotted(error_type)
    found = [f"n:{word}" for word in words(leaf(name)) if word not in _STOP]
    found += [f"p:{word}" for part in name.split(".")[:-1] for word in words(part)]
    message = [word for word in _WORD.findall(low) if word not in _STOP][:MAX_TOKENS]
    found += [f"m:{word}" for word in message]
    found += [f"m:{a} {b}" for a, b in pairwise(message)]
    return sorted(set(found))


class Model:
    """Softmax over the sum of token weights, sharpened by a temperature found on left-out data."""

    def __init__(
        self,
        *,
        labels: Sequence[str],
        bias: Sequence[float],
        weights: Mapping[str, Sequence[float]],
        verdicts: Mapping[str, str],
        temperature: float,
        floor: float,
        readings: Mapping[str, float] | None = None,
    ) -> None:
        self._readings = readings or {}
        self._labels = labels
        self._bias = bias
        self._weights = weights
        self._temperature = temperature
        self._floor = floor
        self._specs = {label: parse_spec(verdicts[label], "learned") for label in labels}

    def reading(self, name: str, usual: float) -> float:
        """How often a reading of names was right on listed types; `usual` where unknown."""
        return self._readings.get(name, usual)

    def guess(self, error_type: str, low: str) -> Guess | None:
        """The best category, or None when it is less likely than the floor or nothing is known."""
        known = [
            self._weights[token] for token in tokens(error_type, low) if token in self._weights
        ]
        if not known:
            return None
        scale = self._temperature / math.sqrt(len(known))
        sums = [
            (bias + sum(column) * scale)
            for bias, column in zip(self._bias, zip(*known, strict=True), strict=True)
        ]
        top = max(sums)
        shares = [math.exp(value - top) for value in sums]
        best = max(range(len(sums)), key=sums.__getitem__)
        confidence = round(shares[best] / sum(shares), 3)
        if confidence < self._floor:
            return None
        return Guess(self._specs[self._labels[best]], confidence)


@cache
def load() -> Model:
    """The shipped model."""
    raw = (resources.files(__package__) / "learned.json").read_text("utf-8")
    content = json.loads(raw)
    return Model(**content)
