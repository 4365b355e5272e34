"""Root and reach of incidents of a multi-service product.

    python benchmarks/quality/incidents.py [--misses]

Prints how many root services are named right, and the mean Jaccard of the services that are
told to be touched, beside the root, and the true blast radius. Remediation is not scored: the
data's answers (roll forward, purge the data, ...) are of another kind than our strategies.
"""

import argparse
import gzip
import json

from faults import Row, answer, arrivals, topology_of  # type: ignore[import-not-found]
from sources import need  # type: ignore[import-not-found]  # beside this script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    with gzip.open(need("incidents", "events.jsonl.gz"), "rt") as file:
        rows: list[Row] = [json.loads(line) for line in file]
    truths = json.loads(need("incidents", "truth.json").read_text())
    calls = json.loads(need("incidents", "topology.json").read_text())
    right, overlap = 0, 0.0
    for truth in truths:
        name = truth["incident"]
        mine = [row for row in rows if row["incident"] == name]
        found = answer(
            topology_of(calls.get(name, []), mine), arrivals(mine, ("WARN", "ERROR", "FATAL"))
        )
        root = truth["first_failing_service"]
        right += found.roots[:1] == [root]
        touched, true = found.touched - set(found.roots[:1]), set(truth["blast_radius"])
        share = len(touched & true) / len(touched | true) if touched | true else 1.0
        overlap += share
        if options.misses:
            said = ", ".join(found.roots[:3]) or "nothing"
            print(f"{name}: root {root}, said {said}; reach {sorted(true)}, said {sorted(touched)}")
    print(f"{'':34}{'root':>10}{'Jaccard':>10}")
    count = len(truths)
    print(
        f"{'ours (' + str(count) + ' incidents)':34}{f'{right}/{count}':>10}{overlap / count:10.2f}"
    )
    print(f"{'errors only (all 24)':34}{'19/24':>10}{0.44:10.2f}")
    print(f"{'best peer (all 24)':34}{'22/24':>10}{0.81:10.2f}")


if __name__ == "__main__":
    main()
