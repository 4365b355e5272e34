"""Trains the learned fallback from the shipped knowledge base and writes its data file.

    python benchmarks/quality/train.py [--check]

The corpus is what the rule files say: every type name with its verdict, every text of the message
rules and every word that settles a category by itself. Beside the weights stands how often each
reading of names agrees with the tables. Weights are pointwise mutual information of token and
category with additive
smoothing; the one number that is fitted, the temperature, is chosen by log loss over libraries
that were left out (five folds by library). `--check` only says whether the file is up to date.
"""

import argparse
import json
import math
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TypedDict

from faultstream.core.classify.knowledge import Knowledge, load
from faultstream.core.classify.learned import Model, tokens

TARGET = Path(__file__).resolve().parents[2] / "pipeline/faultstream/core/classify/learned.json"
SMOOTHING = 0.7
FOLDS = 5
FLOOR = 0.3
MOST = 0.95
"""No reading is surer than this."""
KEPT = 0.15
"""Weights closer to nothing than this are left out."""

Example = tuple[str, str, str, str]  # library, type, text, category


def corpus(known: Knowledge) -> list[Example]:
    found: list[Example] = []
    for name, rule in sorted(known.types.items()):
        if rule.strength != "bare":
            found.append((rule.library, name, "", rule.spec.category))
    for number, message in enumerate(known.messages):
        library = f"messages-{number % FOLDS}"
        found.extend((library, "", text, message.spec.category) for text in message.any)
    categories = {name: spec.category for name, spec in known.readings.items()}
    for number, (said, category) in enumerate(known.reader.plainly(categories)):
        found.append((f"words-{number % FOLDS}", said.title().replace(" ", ""), "", category))
    return found


def reliability(known: Knowledge) -> dict[str, float]:
    """How often each reading of a name agrees with the tables, over all types they list.

    Smoothed towards the share of all readings, as if two more names had been seen.
    """
    seen: dict[str, list[bool]] = defaultdict(list)
    for name, rule in sorted(known.types.items()):
        read = known.reader.read(name)
        if read is not None and rule.strength != "bare":
            right = known.readings[read.reading.id].category == rule.spec.category
            seen[read.reading.id].append(right)
    every = [right for rights in seen.values() for right in rights]
    usual = sum(every) / len(every)
    told = {name: (sum(r) + 2 * usual) / (len(r) + 2) for name, r in sorted(seen.items())}
    return {name: round(min(share, MOST), 2) for name, share in told.items()}


def retrained(known: Knowledge) -> Model:
    """The model as it would be if nothing but `known` had been there, at the shipped temperature:
    for judging what is left out of `known`."""
    shipped = json.loads(TARGET.read_text())
    return Model(
        **weights(corpus(known)),
        verdicts=usual(known),
        temperature=shipped["temperature"],
        floor=FLOOR,
        readings=reliability(known),
    )


class Weights(TypedDict):
    labels: list[str]
    bias: list[float]
    weights: dict[str, list[float]]


def train(examples: list[Example], verdicts: dict[str, str], temperature: float) -> Model:
    return Model(**weights(examples), verdicts=verdicts, temperature=temperature, floor=0.0)


def weights(examples: list[Example]) -> Weights:
    by_category: Counter[str] = Counter(example[3] for example in examples)
    labels = sorted(by_category)
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for _, name, text, category in examples:
        for token in tokens(name, text):
            seen[token][category] += 1
    total = len(examples)
    prior = {label: by_category[label] / total for label in labels}
    table = {}
    for token, counts in sorted(seen.items()):
        n = sum(counts.values())
        row = [
            round(
                math.log(
                    (counts[label] + SMOOTHING * prior[label]) / (n + SMOOTHING) / prior[label]
                ),
                2,
            )
            for label in labels
        ]
        row = [max(-3.0, value) for value in row]
        if max(map(abs, row)) >= KEPT:
            table[token] = row
    bias = [round(0.5 * math.log(prior[label]), 2) for label in labels]
    return {"labels": labels, "bias": bias, "weights": table}


def fold_of(library: str) -> int:
    return sum(library.encode()) % FOLDS


def usual(known: Knowledge) -> dict[str, str]:
    """The most frequent verdict of each category."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for rule in known.types.values():
        spec = rule.spec
        seen[spec.category][
            f"{spec.category} {spec.severity} {'yes' if spec.transient else 'no'}"
        ] += 1
    return {category: min(c, key=lambda v: (-c[v], v)) for category, c in seen.items()}


def left_out(
    examples: list[Example], verdicts: dict[str, str], temperature: float
) -> tuple[float, float, int]:
    """Log loss, share right and number of judged types over left-out libraries."""
    loss, right, n = 0.0, 0, 0
    for fold in range(FOLDS):
        model = train([e for e in examples if fold_of(e[0]) != fold], verdicts, temperature)
        for library, name, text, category in examples:
            if fold_of(library) != fold or not name or library.startswith("words"):
                continue
            guess = model.guess(name, text)
            if guess is None:
                continue
            n += 1
            hit = guess.spec.category == category
            right += hit
            p = min(max(guess.confidence, 1e-3), 1 - 1e-3)
            loss -= math.log(p if hit else 1 - p)
    return loss / n, right / n, n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    known = load()
    examples, verdicts = corpus(known), usual(known)
    tried = [(left_out(examples, verdicts, t / 10), t / 10) for t in range(4, 31, 2)]
    (loss, right, n), temperature = min(tried)
    print(
        f"{len(examples)} examples; left-out libraries: {n} types, right {right:.3f}, "
        f"log loss {loss:.3f} at temperature {temperature}"
    )
    content = {
        **weights(examples),
        "verdicts": verdicts,
        "temperature": temperature,
        "floor": FLOOR,
        "readings": reliability(known),
    }
    text = json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n"
    if options.check:
        sys.exit(0 if TARGET.read_text() == text else 1)
    TARGET.write_text(text)
    print(f"{TARGET.name}: {len(text) // 1024} KiB")


if __name__ == "__main__":
    main()
