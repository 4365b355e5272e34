"""How well errors are classified, on labelled exceptions nobody here wrote.

    python benchmarks/quality/classification.py [--misses]

Prints three rows: the whole classifier; the same where each library's own type and package rules
are taken out before its exceptions are judged (what happens to libraries nobody looked at); and
the learned model alone under the same condition. Below them the peers' figures as given with the
data. `--misses` lists what went wrong.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from sources import need, scorer  # type: ignore[import-not-found]  # beside this script

from faultstream.config.topology import load as load_topology
from faultstream.core.classify.engine import Classifier, Finding
from faultstream.core.classify.knowledge import Knowledge, TypeRule, load
from faultstream.core.classify.names import dotted
from faultstream.core.template import template

OURS = {"security": "auth_security", "code": "code_bug"}
PEERS = (
    ("13 keyword rules (other rows of the set)", 0.663, 0.773, None, None, None),
    ("linear text model, unseen libraries (same)", 0.780, 0.867, 0.736, 0.953, 0.934),
)
Row = dict[str, str]


def roots(rows: list[Row]) -> set[str]:
    """The first parts of a library's type names, two of them where there are three or more."""
    found = set()
    for row in rows:
        parts = dotted(row["error_type"]).split(".")
        found.add(".".join(parts[: 2 if len(parts) > 2 else 1]))
    return found


def without(known: Knowledge, rows: list[Row]) -> Knowledge:
    """Knowledge without any name of the library that `rows` come from."""
    libraries = {row["library"] for row in rows}
    prefixes = roots(rows)

    def kept(rules: dict[str, TypeRule]) -> set[str]:
        return {
            rule.library
            for name, rule in rules.items()
            if rule.library in libraries
            or any(name == root or name.startswith(root + ".") for root in prefixes)
        }

    return known.without(kept(known.types) | kept(known.packages))


def judge(rows: list[Row], find: Callable[[Row], Finding]) -> list[Row]:
    predicted = []
    for row in rows:
        spec = find(row).spec
        predicted.append(
            {
                "category": OURS.get(spec.category, spec.category),
                "severity": spec.severity,
                "transient": "yes" if spec.transient else "no",
                "rule": spec.rule,
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--file", type=Path, default=None)
    options = parser.parse_args()
    score = scorer("classify")
    rows: list[Row] = score.load(options.file or need("exceptions", "classification_dev.csv"))
    topology, known = load_topology(None), load()

    def finder(classifier: Classifier) -> Callable[[Row], Finding]:
        return lambda row: classifier.find(row["error_type"], template(row["message"]), [])

    whole = judge(rows, finder(Classifier(topology, known)))
    unseen: list[Row] = []
    for library in dict.fromkeys(row["library"] for row in rows):
        own = [row for row in rows if row["library"] == library]
        found = judge(own, finder(Classifier(topology, without(known, own))))
        unseen += [{**one, "id": row["id"]} for row, one in zip(own, found, strict=True)]
    by_id = {prediction["id"]: prediction for prediction in unseen}
    runs = {
        "ours": whole,
        "ours, library left out": [by_id[row["id"]] for row in rows],
    }
    print(f"{'':46}{'strict':>8}{'lenient':>8}{'sever.':>8}{'+-1':>8}{'trans.':>8}")
    for name, predicted in runs.items():
        found = score.score(rows, predicted)
        figures = ("strict", "lenient", "severity_exact", "severity_within1", "transient_acc")
        print(f"{name:46}" + "".join(f"{found[figure]:8.3f}" for figure in figures))
    for name, *values in PEERS:
        print(f"{name:46}" + "".join("       -" if v is None else f"{v:8.3f}" for v in values))
    show_by_kind(rows, runs)
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
