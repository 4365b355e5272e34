"""Root and reach of incidents of a multi-service product.

    python benchmarks/quality/incidents.py [--show 50] [--json]

The same as `faultstream quality --only incidents`.
"""

from sources import report  # type: ignore[import-not-found]  # beside this script

if __name__ == "__main__":
    report("incidents")
