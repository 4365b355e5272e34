"""How well fingerprints group, on real logs and real stack traces nobody here wrote.

    python benchmarks/quality/grouping.py [--show 50] [--json]

The same as `faultstream quality --only grouping`.
"""

from sources import report  # type: ignore[import-not-found]  # beside this script

if __name__ == "__main__":
    report("grouping")
