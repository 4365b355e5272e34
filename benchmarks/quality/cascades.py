"""Root and way of real faults, injected into a shop of 40 services.

    python benchmarks/quality/cascades.py [--show 50] [--json]

The same as `faultstream quality --only cascades`.
"""

from sources import report  # type: ignore[import-not-found]  # beside this script

if __name__ == "__main__":
    report("cascades")
