"""How often limits are crossed when it is said that they will be, on simulated fleets.

    python benchmarks/quality/prediction.py [--seeds 101..102] [--json]

The same as `faultstream quality --only prediction`; a seed takes a minute or more.
"""

from sources import report  # type: ignore[import-not-found]  # beside this script

if __name__ == "__main__":
    report("prediction")
