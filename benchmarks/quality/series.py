"""Learned limits on real series of measured values (NAB), with the standard profile.

    python benchmarks/quality/series.py [--misses]

A row is a detection where a value first crosses its learned limit, as `faultstream watch` would
publish it; one setting for all files. The published figures are given beside, each with the
threshold that suits it best, which flatters them; ours has none.
"""

import argparse
import csv
import gzip
import json
from pathlib import Path

from sources import need, scorer  # type: ignore[import-not-found]  # beside this script

from faultstream.core.limits import Limits

FOLDERS = ("realAWSCloudwatch", "realTraffic", "artificialNoAnomaly")
PEERS = (
    ("windowed Gaussian", 31.2, 64.3),
    ("Twitter ADVec", 38.5, 57.7),
    ("HTM", 73.4, 82.5),
    ("ARTime", 69.5, 86.9),
)
Series = tuple[list[str], list[float]]


def detect(path: Path) -> Series:
    """Times and scores: 1 where a crossing of the upper or lower limit begins, else 0."""
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    limits = Limits()
    crossing = False
    scores = []
    for row in rows:
        value = float(row["value"])
        high = limits.judge("high", value)
        low = limits.judge("low", value, below=True)
        now = high is not None or low is not None
        scores.append(1.0 if now and not crossing else 0.0)
        crossing = now
    return [row["timestamp"] for row in rows], scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    nab = scorer("nab")
    windows = json.loads(need("series", "labels", "combined_windows.json").read_text())
    results = {}
    quiet = 0
    for folder in FOLDERS:
        files = sorted(need("series", "data", folder).glob("*.csv.gz"))
        series = {f"{folder}/{path.name.removesuffix('.gz')}": detect(path) for path in files}
        results[folder] = nab.score_corpus(series, windows, 0.5)
        for name, (times, scores) in series.items():
            score, live, hit, said = nab.file_score(times, scores, windows[name], 0.5)
            quiet += said if folder == FOLDERS[2] else 0
            if not options.misses:
                continue
            print(f"{name:58}{hit}/{live} windows, {said} detections, raw {score:.2f}")
    print(f"{'':26}{'AWS':>8}{'Traffic':>9}")
    aws, traffic = (results[folder]["score"] for folder in FOLDERS[:2])
    print(f"{'ours':26}{aws:8.1f}{traffic:9.1f}")
    for name, one, other in PEERS:
        print(f"{name:26}{one:8.1f}{other:9.1f}")
    for folder in FOLDERS[:2]:
        found = results[folder]
        print(f"windows hit in {folder}: {found['windows_hit']} of {found['windows']}")
    print(f"detections in series without anomalies: {quiet}")


if __name__ == "__main__":
    main()
