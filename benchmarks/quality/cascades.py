"""Root and way of real cascades: faults injected into a shop of 40 services.

    python benchmarks/quality/cascades.py [--warnings] [--misses]

Prints how often the root service is named first, or among the first three, and the F1 of the
pairs (cause, effect) against those of the data's traces. Only ERROR events are used;
`--warnings` adds those of level WARN. Peers' figures are as given with the data, over 45 faults.
"""

import argparse
import gzip
import json

from faults import Row, answer, arrivals, topology_of  # type: ignore[import-not-found]
from sources import need  # type: ignore[import-not-found]  # beside this script

PEERS = (
    ("logs only (all 45)", 0.18, 0.24),
    ("most frequent service (all 45)", 0.20, 0.47),
    ("rarity-weighted counts (all 45)", 0.33, 0.44),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warnings", action="store_true")
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    levels = ("ERROR", "FATAL", "WARN") if options.warnings else ("ERROR", "FATAL")
    with gzip.open(need("cascades", "events.jsonl.gz"), "rt") as file:
        rows: list[Row] = [json.loads(line) for line in file]
    truths = json.loads(need("cascades", "truth.json").read_text())
    topology = topology_of(json.loads(need("cascades", "topology.json").read_text()), rows)
    first = three = right = said = true = 0
    for truth in truths:
        mine = [row for row in rows if row["incident"] == truth["incident"]]
        since_ms = round(truth["inject_unix"] * 1000)
        found = answer(topology, arrivals(mine, levels), since_ms=since_ms)
        first += truth["root_service"] in found.roots[:1]
        three += truth["root_service"] in found.roots[:3]
        pairs = {tuple(pair) for one in truth["trace_cascades"] for pair in one["pairs"]}
        if pairs:
            right += len(pairs & found.pairs)
            said += len(found.pairs)
            true += len(pairs)
        if options.misses and truth["root_service"] not in found.roots[:1]:
            ranked = ", ".join(found.roots[:4]) or "nothing"
            print(
                f"{truth['incident']} {truth['root_service']}: said {ranked}; {dict(found.kinds)}"
            )
    print(f"{'':34}{'root 1st':>10}{'in top 3':>10}{'pairs F1':>10}")
    count = len(truths)
    f1 = 2 * right / (said + true) if said + true else 0.0
    name = f"ours ({count} faults)"
    print(f"{name:34}{first / count:10.2f}{three / count:10.2f}{f1:10.2f}")
    for name, one, top in PEERS:
        print(f"{name:34}{one:10.2f}{top:10.2f}{'-':>10}")
    print(f"{'pairs without trace ids (all 45)':34}{'-':>10}{'-':>10}{0.47:10.2f}")


if __name__ == "__main__":
    main()
