"""How well fingerprints group, on real logs and real stack traces nobody here wrote.

    python benchmarks/quality/grouping.py [--worst SYSTEM]

Logs: mean grouping accuracy (GA) and F1 of groups (FGA) over eight systems, one fingerprint per
message, nothing learned. Stacks: FGA and pairwise F1 against bug ids. Peers' figures are those
given with the data; theirs for stacks are over the whole set. `--worst` lists the templates of one
system that were split or merged.
"""

import argparse
import csv
import gzip
import json
import re
from collections import defaultdict
from statistics import mean

from sources import need, scorer  # type: ignore[import-not-found]  # beside this script

from faultstream.core.event import ErrorEvent, Frame
from faultstream.core.fingerprint import fingerprint
from faultstream.core.template import template

LOG_PEERS = (
    ("Drain3 0.9.11, default", 0.728, 0.777),
    ("Drain3 with example masking", 0.770, 0.852),
    ("Drain3 tuned per system", 0.852, 0.802),
)
STACK_PEERS = (
    ("type and top 3 frames (whole set)", 0.67, 0.63),
    ("type and whole stack (whole set)", 0.61, 0.24),
    ("type and message (whole set)", 0.67, 0.14),
)
JAVA = re.compile(r"^(?P<place>.+)\.(?P<function>[^.(]+)\((?P<file>[^:)]*)(?::(?P<line>\d+))?\)$")


def of_message(message: str) -> tuple[str, str]:
    text = template(message)
    event = ErrorEvent(service="log", error_type="log", message=message)
    return fingerprint(event, text).app, text


def frame(text: str) -> Frame:
    match = JAVA.match(text)
    if match is None:
        return Frame(function=text)
    return Frame(
        module=match["place"],
        function=match["function"],
        file=match["file"],
        line=int(match["line"] or 0),
    )


def logs(worst: str | None) -> None:
    score = scorer("grouping").grouping_scores
    print(f"{'logs':36}{'GA':>8}{'FGA':>8}{'true':>7}{'ours':>7}")
    found = []
    for path in sorted(need("logs").glob("*.csv.gz")):
        with gzip.open(path, "rt", newline="") as file:
            rows = list(csv.DictReader(file))
        pairs = [of_message(row["content"]) for row in rows]
        result = score([row["event_template"] for row in rows], [one for one, _ in pairs])
        found.append(result)
        system = path.name.removesuffix(".csv.gz")
        print(
            f"  {system:34}{result['GA']:8.3f}{result['FGA']:8.3f}"
            f"{result['groups_true']:7}{result['groups_pred']:7}"
        )
        if worst == system:
            show_worst(rows, pairs)
    print(
        f"{'ours, mean, stateless':36}{mean(r['GA'] for r in found):8.3f}"
        f"{mean(r['FGA'] for r in found):8.3f}"
    )
    for name, ga, fga in LOG_PEERS:
        print(f"{name:36}{ga:8.3f}{fga:8.3f}")


def show_worst(rows: list[dict[str, str]], pairs: list[tuple[str, str]]) -> None:
    ours: dict[str, set[str]] = defaultdict(set)
    theirs: dict[str, set[str]] = defaultdict(set)
    weight: dict[str, int] = defaultdict(int)
    for row, (_, text) in zip(rows, pairs, strict=True):
        ours[row["event_template"]].add(text)
        theirs[text].add(row["event_template"])
        weight[row["event_template"]] += 1
    for true in sorted(ours, key=lambda one: -weight[one]):
        merged = {other for text in ours[true] for other in theirs[text]}
        if len(ours[true]) > 1 or len(merged) > 1:
            print(f"    {weight[true]:5} {true[:110]}")
            for text in sorted(ours[true])[:3]:
                print(f"          {text[:110]}{'   MERGED' if len(theirs[text]) > 1 else ''}")


def stacks() -> None:
    score = scorer("grouping").grouping_scores
    with gzip.open(need("stacks", "events.jsonl.gz"), "rt") as file:
        rows = [json.loads(line) for line in file]
    events = [
        ErrorEvent(
            service=row["project"],
            error_type=row["error_type"],
            message=row["message"],
            frames=[frame(text) for text in reversed(row["stack"])],
        )
        for row in rows
    ]
    bugs = [row["bug"] for row in rows]
    prints = [fingerprint(event, template(event.message)) for event in events]
    variants = {
        "ours, app": [(row["project"], one.app) for row, one in zip(rows, prints, strict=True)],
        "ours, system": [(r["project"], one.system) for r, one in zip(rows, prints, strict=True)],
        "type and top 3 frames (these files)": [
            (row["project"], row["error_type"], *(re.sub(r":\d+", "", t) for t in row["stack"][:3]))
            for row in rows
        ],
    }
    print(f"\n{'stacks':36}{'FGA':>8}{'pair F1':>8}{'true':>7}{'ours':>7}")
    for name, labels in variants.items():
        result = score(bugs, labels)
        print(
            f"{name:36}{result['FGA']:8.3f}{result['pair_f1']:8.3f}"
            f"{result['groups_true']:7}{result['groups_pred']:7}"
        )
    for name, fga, pair in STACK_PEERS:
        print(f"{name:36}{fga:8.2f}{pair:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worst", metavar="SYSTEM")
    options = parser.parse_args()
    logs(options.worst)
    stacks()


if __name__ == "__main__":
    main()
