"""Learned limits on real series of measured values (NAB), with the standard profile.

    python benchmarks/quality/series.py [--show 50] [--json]

The same as `faultstream quality --only series`.
"""

from sources import report  # type: ignore[import-not-found]  # beside this script

if __name__ == "__main__":
    report("series")
