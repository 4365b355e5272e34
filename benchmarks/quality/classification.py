"""How well errors are classified, on labelled exceptions nobody here wrote.

    python benchmarks/quality/classification.py [--misses]

Prints the whole classifier; the same where everything written for a library is taken out before its
exceptions are judged, the learned model trained without an eighth of all libraries, this one among
them (what happens to libraries nobody looked at), first with what comes with the languages left in;
the peers' figures as given with the data; other libraries' exceptions, labelled by hand before any
verdict was seen (unseen.csv); those of applications, as they stand in public code (wild.csv); those
that a fixed list of search words found in public code and in logs in public documents, of libraries
known or not (logged.csv: every hit that a person could label, in order, open and closed in turn);
and ordinary ones (ordinary.csv): about 1,300 calls of 150 libraries that had to fail were made
against servers that refuse, hang, reset or talk nonsense, and of what they raised a part was drawn
by the hash of type and message, with messages from the documents of frameworks in PHP, Ruby and
.NET; open and closed in the order of hashes. `--misses` lists what went wrong. Takes some minutes:
the model is trained once a fold.
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from sources import need, scorer  # type: ignore[import-not-found]  # beside this script
from train import LeftOut  # type: ignore[import-not-found]

from faultstream.config.topology import load as load_topology
from faultstream.core.classify import learned
from faultstream.core.classify.engine import Classifier
from faultstream.core.classify.evidence import Evidence as Finding
from faultstream.core.classify.knowledge import Knowledge, load
from faultstream.core.policy import Topology
from faultstream.core.template import template
from faultstream.quality.classification import Row, without
from faultstream.quality.scores import brier, calibration_error, reliability

BESIDE = {
    "ordinary": "ordinary.csv",
    "other libraries": "unseen.csv",
    "applications": "wild.csv",
    "logs": "logged.csv",
}
OURS = {"security": "auth_security", "code": "code_bug"}
PEERS = (
    ("13 keyword rules (other rows of the set)", 0.663, 0.773, None, None, None),
    ("linear text model, unseen libraries (same)", 0.780, 0.867, 0.736, 0.953, 0.934),
)


def judge(rows: list[Row], find: Callable[[Row], Finding]) -> list[Row]:
    predicted = []
    for row in rows:
        found = find(row)
        spec = found.spec
        predicted.append(
            {
                "category": OURS.get(spec.category, spec.category),
                "severity": spec.severity,
                "transient": "yes" if spec.transient else "no",
                "rule": spec.rule,
                "confidence": str(found.confidence),
            }
        )
    return predicted


def show_by_kind(rows: list[Row], runs: dict[str, list[Row]]) -> None:
    """How often each kind of evidence was right, accepted alternatives counting."""
    for name, predicted in runs.items():
        seen: dict[str, list[bool]] = {}
        for row, one in zip(rows, predicted, strict=True):
            right = one["category"] in row["acceptable_categories"].split("|")
            seen.setdefault(one["rule"].partition(":")[0], []).append(right)
        told = (f"{kind} {sum(r) / len(r):.2f} of {len(r)}" for kind, r in sorted(seen.items()))
        print(f"by evidence, {name}: " + ", ".join(told))


def left_out(
    rows: list[Row], topology: Topology, known: Knowledge, models: LeftOut, *, languages: bool
) -> list[Row]:
    """Each library's rows judged without what was written for that library."""
    by_id: dict[str, Row] = {}
    for library in dict.fromkeys(row["library"] for row in rows):
        own = [row for row in rows if row["library"] == library]
        left = without(known, own, languages=languages)
        gone = {rule.library for name, rule in known.types.items() if name not in left.types}
        model = models.without(gone) if gone else learned.load()
        classifier = Classifier(topology, left, model)
        found = judge(own, finder(classifier))
        by_id |= {row["id"]: one for row, one in zip(own, found, strict=True)}
    return [by_id[row["id"]] for row in rows]


def finder(classifier: Classifier) -> Callable[[Row], Finding]:
    return lambda row: classifier.find(row["error_type"], template(row["message"]), [])


FIGURES = ("strict", "lenient", "severity_exact", "severity_within1", "transient_acc")


def show_unseen(score: ModuleType, topology: Topology, known: Knowledge, models: LeftOut) -> None:
    """Exceptions that neither rules nor the labelled set know, labelled beforehand.

    What went wrong among the open ones was looked at afterwards; among the closed ones never.
    """
    for name, path in BESIDE.items():
        with Path(__file__).with_name(path).open(newline="") as file:
            rows: list[Row] = list(csv.DictReader(file))
        for row in rows:  # the scorer knows the names of the labelled set
            for field in ("expected_category", "acceptable_categories"):
                row[field] = "|".join(OURS.get(one, one) for one in row[field].split("|"))
        found = left_out(rows, topology, known, models, languages=False)
        runs = {"": found, ", all known": judge(rows, finder(Classifier(topology, known)))}
        for how, predicted in runs.items():
            for part in ("open", "closed"):
                both = zip(rows, predicted, strict=True)
                pairs = [pair for pair in both if pair[0]["part"] == part]
                figures = score.score([row for row, _ in pairs], [one for _, one in pairs])
                told = f"{name}, {part} ({len(pairs)}){how}"
                print(f"{told:46}" + "".join(f"{figures[figure]:8.3f}" for figure in FIGURES))
        show_confidence(name, rows, found)


def show_confidence(name: str, rows: list[Row], predicted: list[Row]) -> None:
    """What confidence is worth: bins, expected calibration error and Brier score."""
    answers = [
        (float(one["confidence"]), one["category"] in row["acceptable_categories"].split("|"))
        for row, one in zip(rows, predicted, strict=True)
    ]
    bins = reliability(answers, bins=5)
    told = ", ".join(f"{one.sure:.2f} sure {one.right:.2f} right of {one.count}" for one in bins)
    error = calibration_error(bins)
    print(f"confidence, {name}: {told}; ECE {error:.3f}, Brier {brier(answers):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--file", type=Path, default=None)
    options = parser.parse_args()
    score = scorer("classify")
    rows: list[Row] = score.load(options.file or need("exceptions", "classification_dev.csv"))
    topology, known = load_topology(None), load()
    models = LeftOut(known)

    whole = judge(rows, finder(Classifier(topology, known)))
    runs = {
        "ours": whole,
        "ours, library left out": left_out(rows, topology, known, models, languages=False),
        "ours, languages' own left out too": left_out(
            rows, topology, known, models, languages=True
        ),
    }
    print(f"{'':46}{'strict':>8}{'lenient':>8}{'sever.':>8}{'+-1':>8}{'trans.':>8}")
    for name, predicted in runs.items():
        found = score.score(rows, predicted)
        print(f"{name:46}" + "".join(f"{found[figure]:8.3f}" for figure in FIGURES))
    for name, *values in PEERS:
        print(f"{name:46}" + "".join("       -" if v is None else f"{v:8.3f}" for v in values))
    show_by_kind(rows, runs)
    show_confidence("library left out", rows, runs["ours, library left out"])
    show_unseen(score, topology, known, models)
    if options.misses:
        for name, predicted in runs.items():
            print(f"\n{name}")
            for row, prediction in zip(rows, predicted, strict=True):
                if prediction["category"] not in row["acceptable_categories"].split("|"):
                    verdict = f"{prediction['category']} {prediction['rule']}"
                    text = f"{row['error_type'][:60]} | {row['message'][:80]!r}"
                    print(f"  {text} | {row['expected_category']} | {verdict}")


if __name__ == "__main__":
    main()
