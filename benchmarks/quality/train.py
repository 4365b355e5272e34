"""Trains the learned model from the shipped knowledge base and writes its data file.

    python benchmarks/quality/train.py [--check]

The corpus is what the rule files say (every type name with its verdict, every text of the message
rules, every word that settles a category by itself) and corpus.toml: names as applications give
them, and messages, alone and under types that leave it to the message. Tokens of a type are made by
knowledge from which its part of the libraries was taken out, as it will be for names that nobody
listed. Beside the weights stands how often each reading of names agrees with the tables. The loss
is convex and nothing is drawn, so equal files give equal weights. Prints the share that is right,
and the log loss, over libraries that were left out; `--check` only says whether the data file is up
to date. Needs numpy, which nothing else here does: `pip install numpy`.
"""

import argparse
import json
import math
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

try:
    import numpy as np
    from numpy.typing import NDArray
except ImportError:
    sys.exit("training needs numpy, which is no dependency of faultstream: pip install numpy")

from faultstream.core.classify.features import features, with_category
from faultstream.core.classify.knowledge import Knowledge, Spec, load, parse_spec
from faultstream.core.classify.learned import BIAS, UNIT, Head, Model
from faultstream.core.template import template

TARGET = Path(__file__).resolve().parents[2] / "pipeline/faultstream/core/classify/learned.json"
MESSAGES = Path(__file__).with_name("corpus.toml")
FOLDS = 8
EPOCHS = 60
RATE = 0.5
DECAY = {"category": 0.6, "manner": 1.0}
"""How much weights are held back: what did best on left-out libraries."""
MOST = 0.95
"""No reading is surer than this."""
VAGUE = (
    "Error", "Exception", "java.lang.RuntimeException", "acme.ApiException", "errors.errorString",
    "AppError", "com.acme.ServiceException", "RuntimeError", "acme.client.ClientError",
    "fmt.wrapError",
    "acme.sdk.ApiError", "StandardError", "System.Exception", "acme.storage.StorageException",
    "acme.RequestError", "java.io.IOException", "acme.ServerError", "OSError", "acme.HttpException",
    "acme.SdkClientException", "acme.ResponseError", "acme.OperationException", "ValueError",
    "redis.RedisError", "kafka.KafkaException", "aws.AwsException", "elastic.ElasticError",
    "acme.GrpcError",
    "acme.mail.MailException", "acme.UpstreamException", "slack.SlackApiError",
    "docker.DockerException",
    "acme.RemoteException", "minio.ErrorResponse", "acme.NotifierError", "acme.queue.QueueError",
    "acme.InternalException", "acme.ProcessError", "TaskFailedException", "acme.ConnectorError",
    "acme.rpc.RpcException", "IllegalStateException", "acme.StatusError",
)  # fmt: skip
"""Types that leave it to the message."""
KEPT = 20
"""Weights closer to nothing than this, in hundredths, are left out."""

Floats = NDArray[np.float64]


class Example(NamedTuple):
    """Something with a verdict. Of no `library`: texts and words, which are in every fold."""

    library: str
    name: str
    text: str
    spec: Spec


class Seen(NamedTuple):
    """An example with the tokens that the model sees of it."""

    library: str
    tokens: list[str]
    spec: Spec


def fold_of(library: str) -> int:
    return sum(library.encode()) % FOLDS


def corpus(known: Knowledge) -> list[Example]:
    found = [
        Example(rule.library, name, "", rule.spec)
        for name, rule in sorted(known.types.items())
        if rule.strength != "bare"
    ]
    for number, (text, spec) in enumerate(said(known)):
        found += [Example("", name, text, spec) for name in ("", *vague(number))]
    for entry in tomllib.loads(MESSAGES.read_text())["named"]:
        spec = parse_spec(entry["verdict"], MESSAGES.name)
        found += [Example("", name, "", spec) for name in entry["names"].split()]
    for plain, reading in known.reader.plainly({name: name for name in known.readings}):
        name = plain.title().replace(" ", "")
        found.append(Example("", name, "", known.readings[reading]))
    return found


def said(known: Knowledge) -> list[tuple[str, Spec]]:
    """Messages and parts of messages, as templates in lower case, with what they mean."""
    found = [(text, message.spec) for message in known.messages for text in message.any]
    for entry in tomllib.loads(MESSAGES.read_text())["said"]:
        spec = parse_spec(entry["verdict"], MESSAGES.name)
        lines = entry["texts"].strip().splitlines()
        found += [(template(line).lower(), spec) for line in lines]
    return found


def seen(known: Knowledge) -> list[Seen]:
    """The corpus in tokens, each library's as if nobody had known it."""
    libraries = {rule.library for rule in known.types.values()}
    without = [
        known.without(library for library in libraries if fold_of(library) == fold)
        for fold in range(FOLDS)
    ]
    return [
        Seen(
            one.library,
            features(one.name, one.text, without[fold_of(one.library)] if one.library else known),
            one.spec,
        )
        for one in corpus(known)
    ]


def vague(number: int) -> list[str]:
    """Some of the types that leave it to the message, others for the next number."""
    return [
        VAGUE[(number + step) % len(VAGUE)] for step in range(0, len(VAGUE) - 1, len(VAGUE) // 2)
    ]


def reliability(known: Knowledge) -> dict[str, float]:
    """How often each reading of a name agrees with the tables, over all types they list.

    Smoothed towards the share of all readings, as if two more names had been seen.
    """
    rights: dict[str, list[bool]] = defaultdict(list)
    for name, rule in sorted(known.types.items()):
        read = known.reader.read(name)
        if read is not None and rule.strength != "bare":
            right = known.readings[read.reading.id].category == rule.spec.category
            rights[read.reading.id].append(right)
    every = [right for some in rights.values() for right in some]
    usual = sum(every) / len(every)
    told = {name: (sum(r) + 2 * usual) / (len(r) + 2) for name, r in sorted(rights.items())}
    return {name: round(min(share, MOST), 2) for name, share in told.items()}


def fitted(rows: Sequence[list[str]], answers: Sequence[str], decay: float) -> Head:
    """Multinomial logistic regression with Adam over all rows at once, rates falling to nothing."""
    names = sorted(set(answers))
    tokens = sorted({token for row in rows for token in row})
    place = {token: number for number, token in enumerate(tokens)}
    row_of = np.concatenate([np.full(len(row), number) for number, row in enumerate(rows)])
    column = np.array([place[token] for row in rows for token in row])
    value = np.concatenate([np.full(len(row), 1 / math.sqrt(max(1, len(row)))) for row in rows])
    wanted: Floats = np.zeros((len(rows), len(names)))
    wanted[np.arange(len(rows)), [names.index(answer) for answer in answers]] = 1
    by_column = np.argsort(column, kind="stable")
    starts = np.searchsorted(column[by_column], np.arange(len(tokens)))
    begins = np.searchsorted(row_of, np.arange(len(rows)))
    filled = np.flatnonzero([len(row) > 0 for row in rows])
    weights: Floats = np.zeros((len(tokens), len(names)))
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    bias: Floats = np.log(wanted.mean(0) + 1e-6)
    for epoch in range(1, EPOCHS + 1):
        sums = np.tile(bias, (len(rows), 1))
        sums[filled] += np.add.reduceat(weights[column] * value[:, None], begins[filled], axis=0)
        sums -= sums.max(1, keepdims=True)
        shares = np.exp(sums)
        off = shares / shares.sum(1, keepdims=True) - wanted
        slope = np.add.reduceat(off[row_of[by_column]] * value[by_column, None], starts, axis=0)
        slope += decay * weights
        mean = 0.9 * mean + 0.1 * slope
        square = 0.99 * square + 0.01 * slope * slope
        step = (mean / (1 - 0.9**epoch)) / (np.sqrt(square / (1 - 0.99**epoch)) + 1e-6)
        weights -= RATE * (1 - epoch / (EPOCHS + 1)) * step
        bias -= 0.5 * off.mean(0)
    table = {BIAS: [round(one * UNIT) for one in bias.tolist()]}
    for token, row in zip(tokens, weights.tolist(), strict=True):
        written = [round(one * UNIT) for one in row]
        if max(map(abs, written)) >= KEPT:
            table[token] = written
    return Head(names, table)


def train(known: Knowledge, examples: Iterable[Seen]) -> Model:
    """The model that `examples` teach, with the readings of `known`."""
    rows = list(examples)
    return Model(
        category=fitted(
            [row.tokens for row in rows], [row.spec.category for row in rows], DECAY["category"]
        ),
        manner=fitted(
            [with_category(row.tokens, row.spec.category) for row in rows],
            [_manner(row.spec) for row in rows],
            DECAY["manner"],
        ),
        readings=reliability(known),
    )


def _manner(spec: Spec) -> str:
    return f"{spec.severity} {'yes' if spec.transient else 'no'}"


class LeftOut:
    """Models that have not seen a part of the libraries; each is trained when it is first asked
    for. The part is the library's own and about an eighth of all others."""

    def __init__(self, known: Knowledge) -> None:
        self._known = known
        self._seen = cache(lambda: seen(known))
        self._models: dict[frozenset[int], Model] = {}

    def without(self, libraries: Iterable[str]) -> Model:
        """A model that has not seen `libraries`, which lie in one fold or are few."""
        folds = frozenset(fold_of(library) for library in libraries)
        model = self._models.get(folds)
        if model is None:
            rows = self._seen()
            kept = [row for row in rows if not row.library or fold_of(row.library) not in folds]
            model = self._models[folds] = train(self._known, kept)
        return model


def judged(known: Knowledge, tell: Callable[[str], None]) -> None:
    """Share right and log loss of the model alone, over left-out libraries."""
    rows = [row for row in seen(known) if row.library]
    models = LeftOut(known)
    right, loss, manners = 0, 0.0, 0
    for row in rows:
        model = models.without([row.library])
        shares = model.shares(row.tokens)
        right += max(shares, key=shares.__getitem__) == row.spec.category
        loss -= math.log(max(shares.get(row.spec.category, 0), 1e-4))
        said = model.spec(row.tokens, row.spec.category, "left-out")
        manners += said.severity == row.spec.severity
    tell(
        f"left-out libraries: {len(rows)} types, category right {right / len(rows):.3f}, log loss"
        f" {loss / len(rows):.3f}, severity right {manners / len(rows):.3f} where it is known"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--quick", action="store_true", help="do not judge it")
    options = parser.parse_args()
    known = load()
    model = train(known, seen(known))
    text = json.dumps(model.content(), separators=(",", ":"), sort_keys=True) + "\n"
    if options.check:
        sys.exit(0 if TARGET.read_text() == text else 1)
    TARGET.write_text(text)
    print(f"{len(corpus(known))} examples; {TARGET.name}: {len(text) // 1024} KiB")
    if not options.quick:
        judged(known, print)


if __name__ == "__main__":
    main()
